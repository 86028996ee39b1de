import {
  type Clock,
  type Deadlines,
  type InstanceId,
  type OptionTable,
  readOptions,
  ZeromeshError,
} from "../../core/mod.ts";
import type { ActorAddress } from "../references/address.ts";
import { bridgeInput, bridgeOutput, type GivenValues } from "./bridge.ts";
import { type AnswerConversion, Ask, type AskWait } from "../cell/ask.ts";
import { refuseRing } from "../cell/ask_ring.ts";
import type { Cell } from "../cell/cell.ts";
import { checkInput, PendingInput } from "../cell/input.ts";
import type { RoomWait } from "../cell/mailbox.ts";
import type { Origin, Sender, Turn, Waited } from "../cell/parts.ts";
import { TellTurn } from "../cell/tell_turn.ts";
import type { ActorChannel, ActorOpenOptions } from "../references/actor_channel.ts";
import { LocalOpen } from "../channels/local_open.ts";
import { checkOpener } from "../channels/opener_receiver.ts";
import type { DeadLetterReason, DeadLetters } from "../cell/dead_letters.ts";
import { askLate, noSuchMessage, notFound, senderLate } from "../failures.ts";
import {
  askOptionTable,
  openOptionTable,
  type ResolvedSystemOptions,
  tellOptionTable,
} from "../options/system_options.ts";
import type { Reference, Router } from "./reference.ts";
import type { AskOptions, TellOptions } from "../references/actor_ref.ts";
import type { Registry } from "../registry/registry.ts";
import { type DeadTells, OutgoingMessage } from "../cell/outgoing.ts";
import type { Remote } from "./remote.ts";
import type { ActorContract } from "../contract/contract.ts";
import { encodingOf } from "../contract/values.ts";

/** What the router gets from its system. */
export interface RouterParts {
  readonly instanceId: InstanceId;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly registry: Registry;
  readonly deadLetters: DeadLetters;
  readonly options: ResolvedSystemOptions;
  readonly outside: Origin;
  /** The way to other instances; null in a system of one process. */
  readonly remote: Remote | null;
  /** The error once the system is closed; null before. */
  readonly closed: ZeromeshError | null;
}

const done = Promise.resolve();
const nothing = (): void => {};

/**
 * Takes messages from references to mailboxes. It hands a message over or refuses it, and waits for nobody: a sender's
 * wait for room is its own promise.
 */
export class SystemRouter implements Router {
  readonly #parts: RouterParts;
  readonly #tellWait: RoomWait;
  #last: Cell | null = null;
  #lastTarget = "";

  constructor(parts: RouterParts) {
    this.#parts = parts;
    this.#tellWait = { timeoutMs: parts.options.tellTimeoutMs, signal: undefined };
  }

  tell(
    to: Reference,
    name: string,
    input: unknown,
    given: TellOptions | undefined,
    sender: Sender | null,
  ): Promise<void> {
    try {
      const options = read(given, tellOptionTable, "Cannot tell", name);
      if (to.instance !== this.#parts.instanceId) {
        return this.remoteFor(to).tell(this.#outgoing(to, name, input, options, sender, "tell"));
      }
      const wait = options === undefined ? this.#tellWait : this.#waitOf(options);
      const cell = this.#cellOf(to);
      const origin = originOf(this.#parts, sender, options, "tell");
      const values = cell.behaviour.bytes === to.bytes ? null : valuesOf(to);
      const pending = this.deliverTell(cell, name, input, origin, wait, values);
      return pending === null ? done : this.#deadIf(pending, to, name, sender);
    } catch (error) {
      return this.#deadIf(Promise.reject(error), to, name, sender);
    }
  }

  /** A tell that fails is a dead letter, and nobody need await it. */
  #deadIf(pending: Promise<void>, to: Reference, name: string, sender: Sender | null): Promise<void> {
    pending.catch((error) => this.#dead(to, name, sender?.cell.address ?? null, error));
    return pending;
  }

  readonly #deadTell: DeadTells = ({ to, name, origin }, error) => this.#dead(to, name, origin.sender, error);

  ask(
    to: Reference,
    name: string,
    input: unknown,
    given: AskOptions | undefined,
    sender: Sender | null,
  ): Promise<unknown> {
    try {
      const options = read(given, askOptionTable, "Cannot ask", name);
      const { signal } = options ?? {};
      signal?.throwIfAborted();
      if (to.instance !== this.#parts.instanceId) {
        return noted(
          sender,
          to,
          this.remoteFor(to).ask(this.#outgoing(to, name, input, options, sender, "ask")),
        );
      }
      const origin = originOf(this.#parts, sender, options, "ask");
      const timeoutMs = this.#within(origin, options?.timeoutMs ?? this.#parts.options.askTimeoutMs);
      const wait = { timeoutMs, signal, asker: sender, raw: false, taker: null };
      const cell = this.#cellOf(to);
      const values = cell.behaviour.bytes === to.bytes ? null : valuesOf(to);
      return this.deliverAsk(cell, name, input, origin, wait, values)!;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  open(
    to: Reference,
    name: string,
    first: unknown,
    given: ActorOpenOptions | undefined,
    sender: Sender | null,
  ): Promise<ActorChannel> {
    try {
      const options = read(given, openOptionTable, "Cannot open a channel", name);
      checkOpener(sender, options);
      if (to.instance !== this.#parts.instanceId) {
        const message = this.#outgoing(to, name, first, options, sender, "open");
        return noted(sender, to, this.remoteFor(to).open({ message, sender, options }));
      }
      const origin = originOf(this.#parts, sender, options, "open");
      const timeoutMs = this.#within(origin, options?.timeoutMs ?? this.#parts.options.askTimeoutMs);
      const cell = this.#cellOf(to);
      return new LocalOpen({ cell, name, first, origin, timeoutMs, sender, options }).promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The actor of this system with an id or a name.
   *
   * @throws {ZeromeshError} `ACTOR_NOT_FOUND`, `CLOSED`.
   */
  find(target: string): Cell {
    const { registry, closed, instanceId } = this.#parts;
    if (closed !== null) throw closed;
    // Many messages of other instances are for the actor of the last one.
    const last = this.#last;
    if (last !== null && target === this.#lastTarget && last.takes) return last;
    const cell = registry.find(target);
    if (cell === null) throw notFound(`${target}@${instanceId}`);
    this.#last = cell;
    this.#lastTarget = target;
    return cell;
  }

  /** The name of a message for an actor of this system in traces; null without such an actor. */
  labelOf(target: string, name: string): string | null {
    const contract = this.#parts.registry.find(target)?.behaviour.contract;
    return contract === undefined ? null : `${contract.name}.${name}`;
  }

  /**
   * Puts a tell into a mailbox.
   *
   * @param given How the input is to be understood, if either the sender or the actor has no contract; null otherwise.
   * @returns Null when the mailbox has it, or a promise: its sender waits for room, or for a schema.
   * @throws {ZeromeshError} As {@link ActorRef.tell}.
   */
  deliverTell(
    cell: Cell,
    name: string,
    input: unknown,
    origin: Origin,
    wait: RoomWait,
    given: GivenValues | null = null,
  ): Promise<void> | null {
    wait.signal?.throwIfAborted();
    const entry = cell.behaviour.tell(name);
    if (entry === undefined) throw noSuchMessage(cell, "tell", name, cell.behaviour.contract.name);
    const value = given === null ? input : bridgeInput(cell.behaviour.contract, given, "tell", name, input);
    const checked = checkInput(entry, value);
    if (wait.timeoutMs <= 0) throw senderLate(cell, wait.timeoutMs);
    if (cell.pool !== null) cell = cell.pool.pick("tell", name, settled(checked, value));
    const taken = this.#put(cell, new TellTurn(origin, entry, checked), wait);
    if (!(checked instanceof PendingInput)) return taken;
    const valid = checked.value.then(nothing);
    return taken === null ? valid : taken.then(() => valid);
  }

  /**
   * Puts an ask into a mailbox.
   *
   * @param given As for {@link deliverTell}.
   * @returns The answer; null if there is a taker.
   * @throws {ZeromeshError} As {@link ActorRef.ask}.
   */
  deliverAsk(
    cell: Cell,
    name: string,
    input: unknown,
    origin: Origin,
    wait: AskWait,
    given: GivenValues | null = null,
  ): Promise<unknown> | null {
    const { timeoutMs, signal, asker } = wait;
    signal?.throwIfAborted();
    const entry = cell.behaviour.ask(name);
    if (entry === undefined) throw noSuchMessage(cell, "ask", name, cell.behaviour.contract.name);
    const { contract } = cell.behaviour;
    const value = given === null ? input : bridgeInput(contract, given, "ask", name, input);
    const checked = checkInput(entry, value);
    if (cell.pool !== null) cell = cell.pool.pick("ask", name, settled(checked, value));
    refuseRing(cell, name, origin, asker?.waiting === true ? asker.cell : null);
    if (timeoutMs <= 0) throw askLate(name, timeoutMs, "no");
    const convert = given === null ? null : conversion(contract, given, name);
    const ask = new Ask(cell, origin, entry, checked, wait, convert);
    if (checked instanceof PendingInput) failsWith(ask, checked.value);
    try {
      const room = this.#put(cell, ask.turn, wait);
      if (room !== null) failsWith(ask, room);
    } catch (error) {
      ask.fail(error);
    }
    ask.begin();
    if (cell.waits !== null && origin.chain.length > 0 && !ask.ended && cell.current !== ask.turn) {
      cell.host.suspectRing(cell);
    }
    return ask.promise;
  }

  /** A handler never runs inside the code of its sender, but a sender in another process has none here. */
  #put(cell: Cell, turn: Turn, wait: RoomWait): Promise<void> | null {
    return turn.origin.instance === this.#parts.instanceId
      ? cell.deliver(turn, wait)
      : cell.receive(turn, wait);
  }

  #cellOf(to: Reference): Cell {
    const known = to.found as Cell | null;
    if (known !== null && known.takes) return known;
    to.found = null;
    const cell = this.find(to.target);
    to.found = cell;
    return cell;
  }

  /**
   * The way to an actor of another instance.
   *
   * @throws {ZeromeshError} `PEER_UNKNOWN` without a messenger, `CLOSED`.
   */
  remoteFor(to: ActorAddress): Remote {
    const { closed, remote } = this.#parts;
    // Actors that stop with their system may still send.
    if (remote !== null) return remote;
    if (closed !== null) throw closed;
    throw new ZeromeshError(
      "PEER_UNKNOWN",
      `Cannot reach ${to.address}: it is an actor of another instance, and this system has no messenger`,
      { peer: to.instance },
    );
  }

  #outgoing(
    to: Reference,
    name: string,
    input: unknown,
    options: AskOptions | undefined,
    sender: Sender | null,
    kind: "tell" | "ask" | "open",
  ): OutgoingMessage {
    const origin = originOf(this.#parts, sender, options, kind);
    const { askTimeoutMs, tellTimeoutMs } = this.#parts.options;
    const timeoutMs = this.#within(
      origin,
      options?.timeoutMs ?? (kind === "tell" ? tellTimeoutMs : askTimeoutMs),
    );
    const dead = kind === "tell" ? this.#deadTell : null;
    return new OutgoingMessage(to, name, input, origin, timeoutMs, options?.signal, dead);
  }

  #waitOf({ timeoutMs = this.#parts.options.tellTimeoutMs, signal }: TellOptions): RoomWait {
    return { timeoutMs, signal };
  }

  /** A time that ends no later than the message that is handled. */
  #within({ deadlineAt }: Origin, timeoutMs: number): number {
    return deadlineAt === Infinity ? timeoutMs : Math.min(timeoutMs, deadlineAt - this.#parts.clock.now());
  }

  #dead(to: ActorAddress, name: string, sender: string | null, error: unknown): void {
    // A wrong argument was no message.
    if (error instanceof TypeError || error instanceof RangeError) return;
    const known = error instanceof ZeromeshError ? error : null;
    this.#parts.deadLetters.add({
      reason: known === null ? "late" : reasons[known.code] ?? "unreachable",
      target: to.address,
      kind: "tell",
      name,
      sender,
      error: known,
    });
  }
}

function conversion(contract: ActorContract, given: GivenValues, name: string): AnswerConversion {
  return (answer) => bridgeOutput(contract, given, name, answer);
}

/** An ask fails with what it waits for. */
function failsWith(ask: Ask, waited: Promise<unknown>): void {
  waited.catch((error) => ask.fail(error));
}

/** Notes that a handler waits for an actor of another instance. */
function noted<T>(sender: Sender | null, to: Reference, answer: Promise<T>): Promise<T> {
  if (sender === null || !sender.waiting) return answer;
  const waits = sender.cell.waits ??= new Set();
  const one: Waited = { cell: null, remote: to, deferred: false };
  waits.add(one);
  const over = (): void => void waits.delete(one);
  answer.then(over, over);
  return answer;
}

function valuesOf({ contract }: Reference): GivenValues {
  return { encoding: encodingOf(contract), contract };
}

/** The valid input; as it was given while its schema needs time. */
function settled(checked: unknown, given: unknown): unknown {
  return checked instanceof PendingInput ? given : checked;
}

const reasons: Readonly<Record<string, DeadLetterReason>> = {
  ACTOR_NOT_FOUND: "notFound",
  ACTOR_STOPPED: "stopped",
  ACTOR_MAILBOX_FULL: "full",
  TIMEOUT: "late",
  PAYLOAD_INVALID: "invalid",
  HANDLER_NOT_FOUND: "invalid",
};

function read<Options extends object>(
  given: Options | null | undefined,
  table: NoInfer<OptionTable<Options>>,
  cannot: string,
  name: string,
): Options | undefined {
  return given === undefined || given === null ? undefined : readOptions(given, table, cannot, name);
}

function originOf(
  { outside }: { readonly outside: Origin },
  sender: Sender | null,
  options: TellOptions | undefined,
  kind: "tell" | "ask" | "open",
): Origin {
  const origin = sender === null ? outside : sender.originFor(kind);
  return options?.headers === undefined ? origin : { ...origin, headers: { ...options.headers } };
}
