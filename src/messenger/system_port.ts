import type { CallSubject } from "./handlers/authorize.ts";
import type {
  AmContract,
  CallInput,
  CallOutput,
  Clock,
  Contract,
  Fail,
  HandlerInput,
  InstanceId,
  Logger,
  UnaryContract,
  WorkerId,
} from "../core/mod.ts";
import type { InboundMessage } from "../transport/mod.ts";
import type { Feature, ResponseId } from "../wire/mod.ts";
import type { Outcome } from "./calls/pending.ts";
import type { Handler } from "./handlers/handler_context.ts";
import type { EntryOptions, SystemHandlerOptions } from "./handlers/registry.ts";
import type { Failure } from "./handlers/replies.ts";
import type { HandlerResult } from "./handlers/served.ts";
import type { WaitOptions } from "./calls/wait_options.ts";

/** A message for a system handler, lent for the length of the handler's synchronous part. */
export interface SystemMessage {
  /** The handler's name. */
  readonly handlerName: string;
  /** The payload as it lies in the receive buffer. */
  readonly lentPayload: Uint8Array;
  /** The same, without a view of its own; gone for a message that had to wait for its turn. */
  readonly lent: Pick<InboundMessage, "source" | "payloadStart" | "payloadEnd">;
  /** Whether both ends of its connection speak a feature. */
  supports(feature: Feature): boolean;
}

/** A message for a contract of the system's: its payload is validated. */
export interface SystemCall<C extends Contract> extends SystemMessage {
  /** What the contract's schema made of the payload. */
  readonly input: HandlerInput<C>;
  /** Makes an error that the contract declares, to be thrown: the caller gets it with code, details and message. */
  readonly fail: Fail<C["errors"]>;
  /** Aborts when the caller gives up, and when the instance begins to close. */
  readonly signal: AbortSignal;
}

/** Whoever sent a message, as far as the connection vouches for it. */
export interface SystemSender {
  /** Its id. */
  readonly instanceId: InstanceId;
  /** Its worker id. */
  readonly workerId: WorkerId;
  /** Low half of the worker id. */
  readonly worker0: number;
  /** High half of the worker id. */
  readonly worker1: number;
}

/** What a part of the system hears of other instances. All are called synchronously and must not throw. */
export interface PeerWatcher {
  /** A connection to the peer is up, where there was none. */
  up?(peer: InstanceId): void;
  /**
   * A connection to the peer was lost, with everything that was on its way over it.
   *
   * @param rest `up`: another one is left. `down`: none is, and it may come back. `gone`: it will not.
   */
  lost?(peer: InstanceId, rest: "up" | "down" | "gone"): void;
  /**
   * The peer has said where it listens and asked to be taken in, and is a known peer now.
   *
   * @returns True when it was taken in; false leaves it to the watcher that began next.
   */
  registered?(peer: InstanceId): boolean;
  /**
   * The instance begins to close, while its connections are up: what is returned is waited for beside the handlers
   * that still run, and may reject.
   *
   * @param timeoutMs How long all of the closing may take.
   */
  leaving?(timeoutMs: number): Promise<unknown>;
  /** The instance closes: the last moment at which messages leave. */
  closing?(): void;
}

/** How long to wait for something remote. */
export type SystemWait = WaitOptions;

/** What features that are built on a messenger need of it beyond what users get. */
export interface SystemPort {
  /** This instance. */
  readonly instanceId: InstanceId;
  /** Its worker id. */
  readonly workerId: WorkerId;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Where trouble is reported. */
  readonly logger: Logger;
  /**
   * Registers a handler whose name starts with `_`; disposing the result unregisters it.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS`, `LIMIT_REACHED`.
   */
  handle(
    name: string,
    kind: "am" | "unary",
    run: (message: SystemMessage) => unknown,
    options?: SystemHandlerOptions,
  ): Disposable;
  /**
   * Serves a contract whose name starts with `_`. Input, answer and the details of declared errors are validated, and
   * encoded, before and after `run`; disposing the result unregisters it.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS`.
   */
  serve<C extends Contract>(
    contract: C,
    run: (call: SystemCall<C>) => HandlerResult<C>,
    options?: SystemHandlerOptions,
  ): Disposable;
  /**
   * Registers handlers with ordinary names, all or none of them; disposing the result unregisters them.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS`, `CLOSED`.
   */
  register(handlers: readonly Handler[], options?: EntryOptions): Disposable;
  /**
   * Asks the messenger's `authorize`, where there is one, whether the sender of a message may have done what it asks for.
   *
   * @param subject What the feature adds, such as the actor and what is to be done with it.
   * @throws {ZeromeshError} `FORBIDDEN`, unless the answer is `true`.
   */
  authorize(message: SystemMessage, subject: CallSubject): Promise<void>;
  /** Who sent a message; null when the connection does not belong to whom the message names. */
  senderOf(message: SystemMessage): SystemSender | null;
  /** The known peer with a worker id, given as its halves. */
  peerOf(worker0: number, worker1: number): InstanceId | null;
  /** What the peer is called; null without a name, or as long as it is not known. */
  nameOf(peer: InstanceId): string | null;
  /** How texts name the instance with this id: with its name where that is known. */
  textOf(id: InstanceId): string;
  /** Whether a connection to the peer is up. */
  isUp(peer: InstanceId): boolean;
  /** Whether a connection to the peer is up whose both ends speak a feature. */
  supports(peer: InstanceId, feature: Feature): boolean;
  /** Whether the peer was ever met as one of ours, whose connections tell whether it lives, or is this instance. */
  isOurs(peer: InstanceId): boolean;
  /** Whether messages to the peer have a way, also by the connection that takes the answers of plain Velo. */
  hasWay(peer: InstanceId): boolean;
  /**
   * Asks discovery for the peer with a worker id, given as its halves; null when there is no discovery to ask.
   *
   * @throws {ZeromeshError} `PEER_UNKNOWN`; `PEER_UNREACHABLE` when discovery itself fails.
   */
  find(worker0: number, worker1: number): Promise<InstanceId> | null;
  /** Connects to a peer that is known, or that discovery finds. @throws {ZeromeshError} Like a call to it. */
  reach(peer: InstanceId, timeoutMs: number): Promise<void>;
  /** For how long, in milliseconds, an attempt to connect has been neither refused nor answered with ZMTP; else 0. */
  unansweredMs(peer: InstanceId): number;
  /**
   * Sends a message that nobody answers. It waits for room as long as the connection lasts.
   *
   * @param payload Lent.
   * @returns False when there is no way to the peer now; then nothing is sent.
   */
  notify(name: Uint8Array, to: InstanceId, payload: Uint8Array): boolean;
  /**
   * Sends a message that is confirmed under an id which its payload carries.
   *
   * @param accept Gets what the confirmation carries, lent, before the promise resolves.
   */
  confirmed(
    name: string,
    to: InstanceId,
    payload: (id: ResponseId) => Uint8Array,
    wait: SystemWait,
    accept?: (answer: Outcome) => void,
  ): Promise<void>;
  /** Calls back before any call is sent, until disposed of. */
  beforeCalls(run: () => void): Disposable;
  /**
   * Calls what {@link serve} serves elsewhere.
   *
   * @throws {ZeromeshError} `RESULT_INVALID` for an answer that is none; an error that the contract declares, as it was
   * thrown there, with `ran: "yes"`; what every call throws.
   */
  call<C extends UnaryContract>(
    contract: C,
    to: InstanceId,
    input: CallInput<C>,
    wait: SystemWait,
  ): Promise<CallOutput<C>>;
  /** Calls a system handler by name; its answer as bytes. */
  call(name: string, to: InstanceId, payload: Uint8Array, wait: SystemWait): Promise<Uint8Array>;
  /**
   * Sends a message that nobody answers to a system handler with the admission of a user's. As `amSend` it waits, as long as
   * `overflow` and `wait` say, for room and for credit, and resolves when the peer's queue holds it. Towards a peer without
   * feature `admission` it needs no credit.
   *
   * @param payload Is not changed any more.
   */
  amSend(name: string, to: InstanceId, payload: Uint8Array, wait: SystemWait): Promise<void>;
  /** Sends to what {@link serve} serves elsewhere; resolves when the peer's queue holds the message. */
  tell<C extends AmContract>(
    contract: C,
    to: InstanceId,
    input: CallInput<C>,
    wait: SystemWait,
  ): Promise<void>;
  /** Calls a system handler that has no answer; resolves when it has run. */
  sync(name: string, to: InstanceId, payload: Uint8Array, wait: SystemWait): Promise<void>;
  /** Confirms a message under the id that its payload named; `failure` refuses it. `payload` is lent. */
  confirm(message: SystemMessage, id: ResponseId, failure: Failure | null, payload?: Uint8Array): void;
  /** Calls back at changes of peers, and when the instance closes, until disposed of. */
  watch(watcher: PeerWatcher): Disposable;
  /** Keeps the process alive until disposed of. */
  hold(): Disposable;
}
