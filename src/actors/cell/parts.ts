/** What the run-time parts of an actor know of each other. */
import type { Clock, Deadlines, InstanceId, Logger, ZeromeshError } from "../../core/mod.ts";
import type { HandlerTrace } from "../../messenger/mod.ts";
import type { ActorAddress, ActorId } from "../references/address.ts";
import type { ActorEvents, HasEvents } from "./actor_events.ts";
import type { ActorChannel, ChannelSide, ChannelStatus, OpenOptions } from "../references/actor_channel.ts";
import type { ChannelCounts } from "./channel_counts.ts";
import type { ActorContract } from "../contract/contract.ts";
import type { ActorSelf } from "../definition/context.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { ActorDefinition, Behaviour } from "../definition/behaviour.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import type { ResolvedSystemOptions } from "../options/system_options.ts";
import type { ActorRef, AskOptions, TellOptions } from "../references/actor_ref.ts";
import type { SpawnOptions } from "../options/spawn_options.ts";
import type { Holding } from "./holding.ts";
import type { Scheduler } from "./scheduler.ts";

/** Where a message comes from, and what it carries besides its value. Messages share it where they can. */
export interface Origin {
  /** The address of the actor that sent it; null for others. */
  readonly sender: string | null;
  /** The instance that sent it, as its connection proves it. */
  readonly instance: InstanceId;
  /** Headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The moment on the clock at which its sender, or who waits for its sender, gives up; `Infinity` without one. */
  readonly deadlineAt: number;
  /** The handlers that wait for this message, outermost first, as `address#turn`. */
  readonly chain: readonly string[];
  /** The trace that it belongs to; null without one. */
  readonly trace: HandlerTrace | null;
}

/** The kind of a turn. */
export type TurnKind = "tell" | "ask" | "open" | "item" | "close" | "call";

/**
 * One entry of a mailbox: a message, an item of a channel, or a callback. The actor runs one after the other; a turn
 * lasts until the promise that {@link run} returned settles.
 */
export abstract class Turn {
  /** Links of the mailbox; kept by it. */
  previous: Turn | null = null;
  /** See {@link previous}. */
  next: Turn | null = null;
  /** Whether it is in a mailbox; kept by it. */
  queued = false;
  /** Where it comes from. */
  readonly origin: Origin;
  /** What its handler got, once it runs. */
  context: { abort(reason: unknown): void } | null = null;
  // Messages have getters for these, because each of their fields costs.
  /** The name of the message; empty for a callback. */
  abstract readonly name: string;
  /** Its kind. */
  abstract readonly kind: TurnKind;
  /** Whether it takes a place of the mailbox's capacity. */
  abstract readonly counted: boolean;

  constructor(origin: Origin) {
    this.origin = origin;
  }

  /** Calls the user's handler. It may throw, or return a promise. */
  abstract run(cell: TurnCell): unknown;
  /** The handler has ended. */
  done(_cell: TurnCell, _result: unknown): void {}
  /** The handler has failed. */
  failed(_cell: TurnCell, _error: unknown): void {}
  /** Whether an error of the handler only says that nobody is left for whom it worked, so that the actor has not failed. */
  excuses(_error: unknown): boolean {
    return false;
  }
  /** It will not run: the mailbox dropped it, or the actor ended. Whoever waits for it is told. */
  abstract dropped(cell: TurnCell, reason: "dropped" | "stopped", error: ZeromeshError): void;
  /** Aborts the handler's signal. */
  abort(reason: unknown): void {
    this.context?.abort(reason);
  }
  /** The actor ends while the turn runs, and does not wait for its handler any more. */
  cutShort(error: ZeromeshError): void {
    this.abort(error);
  }
}

/** A part of an actor that a feature adds on first use, and that ends with it: children, timers, channels, watchers. */
export interface CellExtension {
  /** The actor stops and its last handler has ended: children stop here, within the time that is left. */
  stopping?(leftMs: number): void | Promise<void>;
  /** The actor is restarted and stays the same for others: what belongs to its state ends here. */
  restarting?(leftMs: number): void | Promise<void>;
  /** The actor has ended; called once. */
  ended?(end: ActorEnd): void;
}

/** An answer that is still to be given, for the list of the actor. */
export interface OpenReply {
  /** The actor has ended. */
  stopped(error: ZeromeshError): void;
}

/** An ask that a running handler waits for. */
export interface Waited {
  /** The actor that is to answer; null for one of another instance. */
  readonly cell: TurnCell | null;
  /** The address of the one of another instance. */
  readonly remote?: ActorAddress | undefined;
  /** Whether the answer was deferred, so that the actor's handler does not wait any more. */
  readonly deferred: boolean;
}

/** An actor at run time, as its turns see it. */
export interface TurnCell extends HasEvents {
  readonly id: ActorId;
  readonly name: string | null;
  /** `id@instance`. */
  readonly address: string;
  readonly behaviour: Behaviour;
  readonly host: CellHost;
  /** Whether it takes messages: it does not stop. */
  readonly takes: boolean;
  /** The users' state. */
  state: unknown;
  /** The number of the turn that runs, or ran last. */
  readonly turnNumber: number;
  /** The number of the turn whose handler runs, or of the run of `init` or `onStop`; -1 for none. */
  readonly runningTurn: number;
  /** The turn that runs now, also while its promise is pending; null between turns. */
  readonly current: Turn | null;
  /** The asks that the running handler waits for; null for none. */
  waits: Set<Waited> | null;
  /** The deferred replies; null for none. */
  replies: Set<OpenReply> | null;
  /** The part of a feature, made on first use. @throws {ZeromeshError} `ACTOR_STOPPED` once the actor has ended. */
  extension<T extends CellExtension>(key: symbol, make: (cell: TurnCell) => T): T;
  /** The part of a feature, if it was made. */
  extensionOf(key: symbol): CellExtension | undefined;
  /** Adds a turn behind the others without asking for room. Ignored when the actor has ended: returns false. */
  push(turn: Turn): boolean;
  /** Takes a turn out of the mailbox. Returns false when it is not in. */
  remove(turn: Turn): boolean;
  /**
   * Runs a function between two turns, before the next message, also while the actor is paused. Messages wait until its
   * promise settles. Several run in the order of the calls.
   */
  between<T>(run: () => T | Promise<T>): Promise<T>;
  /** Replaces what the actor does, and its state; only inside {@link between}. */
  swap(behaviour: Behaviour, state: unknown): void;
  /** Leaves messages in the mailbox although the actor is running. */
  holdBack(held: boolean): void;
  /** Handles no messages until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Ends it in order; see `ActorSystem.stop`. */
  stop(end: ActorEnd, stopMs?: number): Promise<ActorEnd>;
  /** Ends it at once. */
  terminate(end?: ActorEnd): void;
}

/** What sends a message: the context of a handler. */
export interface Sender {
  readonly cell: TurnCell;
  /** The origin of a message that it sends. A tell carries no chain. */
  originFor(kind: "tell" | "ask" | "open"): Origin;
  /** Whether its handler runs and waits, so that an ask of it can be part of a ring. */
  readonly waiting: boolean;
}

/** The channels of all actors of a system. */
export interface HostChannels {
  readonly counts: ChannelCounts;
  /** An actor has a side of a channel. */
  add(id: string, cell: TurnCell): void;
  /** Its side has ended. */
  remove(id: string, cell: TurnCell): void;
  /** An actor's side of a channel. @throws {ZeromeshError} `ACTOR_NOT_A_PARTICIPANT`, `ACTOR_CHANNEL_CLOSED`. */
  sideOf(cell: TurnCell, id: string): ChannelSide<unknown>;
  /** The channels of an actor. */
  listOf(cell: TurnCell): readonly ChannelStatus[];
}

/** An actor's system, as its parts see it. */
export interface CellHost {
  readonly instanceId: InstanceId;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly logger: Logger;
  readonly options: ResolvedSystemOptions;
  readonly scheduler: Scheduler;
  readonly deadLetters: DeadLetters;
  readonly events: ActorEvents;
  /** The channels of all its actors. */
  readonly channels: HostChannels;
  /** Keeps the process alive while somebody waits. */
  readonly holding: Holding;
  /** Turns of all its actors, by how their handlers ended. */
  readonly turns: { handled: number; failed: number };
  /** Updates and rollbacks refused at `maxUpdates`. */
  updatesRefused: number;
  /** Asks and opens that were refused at `maxAskChain`. */
  asksRefused: number;
  /** The origin of messages that come from no actor. */
  readonly outside: Origin;
  /** Makes a reference, with a sender or without one. */
  refTo<C extends ActorContract>(
    contract: C,
    address: string | ActorAddress,
    sender: Sender | null,
  ): ActorRef<C>;
  tell(
    ref: ActorAddress,
    name: string,
    input: unknown,
    options: TellOptions | undefined,
    sender: Sender | null,
  ): Promise<void>;
  ask(
    ref: ActorAddress,
    name: string,
    input: unknown,
    options: AskOptions | undefined,
    sender: Sender | null,
  ): Promise<unknown>;
  open(
    ref: ActorAddress,
    name: string,
    first: unknown,
    options: OpenOptions | undefined,
    sender: Sender | null,
  ): Promise<ActorChannel>;
  /** Starts an actor. @param waits Whether the handler that the parent runs waits for it. */
  spawn(
    definition: ActorDefinition,
    options: SpawnOptions | undefined,
    parent: TurnCell | null,
    waits?: boolean,
  ): Promise<ActorRef>;
  /** The actors that it has started, in that order. */
  children(cell: TurnCell): readonly TurnCell[];
  watch(
    ref: ActorAddress,
    cell: TurnCell,
    ended: (end: ActorEnd, context: ActorSelf) => unknown,
    within: HandlerTrace | null,
  ): Disposable;
  /** Calls back as a turn after a time; `repeat` again and again. */
  timer(cell: TurnCell, ms: number, run: (context: ActorSelf) => unknown, repeat: boolean): Disposable;
  /** A handler has failed, and its asker was told. Supervision decides what follows. */
  handlerFailed(cell: TurnCell, turn: Turn, error: unknown): void;
  /** An ask has come to an actor whose handler waits for others: both may be parts of a ring over several instances. */
  suspectRing(cell: TurnCell): void;
  /** An actor has ended. It is called once. */
  ended(cell: TurnCell, end: ActorEnd): void;
}
