import type { InstanceId } from "../../core/mod.ts";
import type { ActorAddress, ActorId } from "../references/address.ts";
import type {
  ActorChannel,
  ActorOpenOptions,
  ChannelSide,
  ChannelStatus,
} from "../references/actor_channel.ts";
import type { ActorContract, BytesContract } from "../contract/contract.ts";
import type { ActorDefinition } from "./behaviour.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import type { StopOptions } from "../options/system_options.ts";
import type {
  ActorRef,
  AskInput,
  AskName,
  AskOptions,
  AskOutput,
  ChannelName,
  ChannelReceived,
  ChannelSent,
  InputArguments,
  TellInput,
  TellName,
  TellOptions,
} from "../references/actor_ref.ts";
import type { SpawnArguments } from "../options/spawn_options.ts";

/** The answer of an ask that its handler gives later. The first `send` or `fail` counts. */
export interface DeferredReply<Output = unknown> {
  /** Its number among the actor's deferred replies. */
  readonly id: number;
  /** The ask's name. */
  readonly name: string;
  /** The actor that asked; null for others. */
  readonly sender: ActorAddress | null;
  /** Whether the answer is still to come: nobody has answered, and the asker waits. */
  readonly open: boolean;
  /** Aborts when the asker cancels, its deadline passes, or the actor stops. */
  readonly signal: AbortSignal;
  /** Answers. @returns Whether the asker still waited. */
  send(output: Output): boolean;
  /** Fails the ask with `HANDLER_FAILED` and the error's message. @returns Whether the asker still waited. */
  fail(error: unknown): boolean;
}

/** What `init` and `onStop` get. */
export interface ActorSelf {
  /** This actor. */
  readonly self: ActorRef<BytesContract>;
  /** Its id. */
  readonly id: ActorId;
  /** Its name; null without one. */
  readonly name: string | null;
  /** The instance of its system. */
  readonly instance: InstanceId;
  /** A reference that carries this actor as sender. */
  ref<C extends ActorContract>(contract: C, address: string | ActorAddress): ActorRef<C>;
  /** As {@link ActorRef.tell}, with this actor as sender. */
  tell<C extends ActorContract, K extends TellName<C>>(
    ref: ActorRef<C>,
    name: K,
    ...input: InputArguments<TellInput<C, K>, TellOptions>
  ): Promise<void>;
  /**
   * As {@link ActorRef.ask}, with this actor as sender, within the deadline of the message that is handled.
   *
   * @throws {ZeromeshError} `ACTOR_ASK_CYCLE` when the other actor waits for this one.
   */
  ask<C extends ActorContract, K extends AskName<C>>(
    ref: ActorRef<C>,
    name: K,
    ...input: InputArguments<AskInput<C, K>, AskOptions>
  ): Promise<AskOutput<C, K>>;
  /**
   * As {@link ActorRef.open}, with this actor as opener. With the option `message` the items come as turns of this
   * actor, and otherwise they are iterated.
   */
  open<C extends ActorContract, K extends ChannelName<C>>(
    ref: ActorRef<C>,
    name: K,
    ...first: InputArguments<
      ChannelSent<C, K>,
      ActorOpenOptions<ChannelSent<C, K>, ChannelReceived<C, K>>
    >
  ): Promise<ActorChannel<ChannelSent<C, K>, ChannelReceived<C, K>>>;
  /**
   * This actor's side of an open channel, by its id.
   *
   * @throws {ZeromeshError} `ACTOR_NOT_A_PARTICIPANT` if the channel belongs to others, `ACTOR_CHANNEL_CLOSED`.
   */
  channel(id: string): ChannelSide<unknown>;
  /** This actor's channels. */
  channels(): readonly ChannelStatus[];
  /**
   * Starts a child, which ends with this actor; `onChildEnd` is told if it ends before. It resolves when the child's
   * `init` has ended.
   *
   * @throws {ZeromeshError} As `ActorSystem.spawn`, `LIMIT_REACHED` also at `maxChildren`.
   */
  spawn<C extends ActorContract, Args>(
    definition: ActorDefinition<C, Args>,
    ...options: SpawnArguments<Args>
  ): Promise<ActorRef<C>>;
  /** The children, in the order of their start. */
  children(): readonly ActorRef<BytesContract>[];
  /**
   * Stops a child as `ActorSystem.stop` does.
   *
   * @returns Why it has ended.
   * @throws {ZeromeshError} `ACTOR_NOT_FOUND` if it is no child of this actor.
   */
  stopChild(child: ActorAddress, options?: StopOptions): Promise<ActorEnd>;
  /**
   * Calls back once, as a turn of this actor, when the other actor ends, whatever instance it belongs to; at once if it
   * does not exist. The watch ends with this actor, when it is restarted, and when the result is disposed of.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED` at `maxWatches`, `ACTOR_STOPPED`.
   */
  watch(ref: ActorAddress, ended: (end: ActorEnd, context: ActorSelf) => unknown): Disposable;
  /** Ends this actor after the message that is handled; its parent gets the result. */
  stop(result?: unknown): void;
  /**
   * Calls back as a turn of this actor after a time in milliseconds, unless it is disposed of before. The timer ends
   * with the actor, and when it is restarted. It does not keep the process alive.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED` at `maxTimers`, `ACTOR_STOPPED`.
   */
  after(ms: number, run: (context: ActorSelf) => unknown): Disposable;
  /**
   * As {@link after}, again and again. An actor that is behind is called once for all the times that have passed.
   *
   * @throws {ZeromeshError} As {@link after}.
   */
  every(ms: number, run: (context: ActorSelf) => unknown): Disposable;
}

/** What every handler gets. It stays valid after the handler's end. */
export interface ActorContext<State = unknown> extends ActorSelf {
  /** The actor's state, which handlers change or replace. */
  state: State;
  /** The actor that sent the message; null for others. */
  readonly sender: ActorRef<BytesContract> | null;
  /** The instance that sent the message. */
  readonly senderInstance: InstanceId;
  /** The message's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The milliseconds that are left until the message's deadline; `Infinity` without one. */
  readonly remainingMs: number;
  /** Aborts when the asker cancels, its deadline passes, or the actor must end. */
  readonly signal: AbortSignal;
  /** The answers that are still to be given. */
  deferred(): readonly DeferredReply[];
}

/** What the handler of an ask gets. */
export interface AskContext<State = unknown, Output = unknown> extends ActorContext<State> {
  /**
   * Takes the answer out of the handler's result: the handler may end, and the answer is given later. From then on the
   * handler waits for nobody in the sense of `ACTOR_ASK_CYCLE`.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED` at `maxDeferred`.
   */
  defer(): DeferredReply<Output>;
}
