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
import type { ResponseId } from "../wire/mod.ts";
import type { ContractKind } from "./contract_kinds.ts";
import type { Outcome } from "./calls/outcome.ts";
import type { Handler } from "./handlers/handler_context.ts";
import type { EntryOptions, SystemHandlerOptions } from "./handlers/registry.ts";
import type { Failure } from "./handlers/reply_sender.ts";
import type { HandlerResult } from "./handlers/served.ts";
import type { FeatureCall } from "./calls/feature_call.ts";
import type { CallTrace } from "./calls/traced_call.ts";
import type { HandlerTrace } from "./observe/message_trace.ts";
import type { TracePattern } from "./observe/tracing.ts";
import type { WaitOptions } from "./calls/wait_options.ts";

/** One connection to a peer. It is compared, and given back to the port. */
export interface PeerConnection {
  /** The largest payload that the other end takes. */
  readonly maxPayloadBytes: number;
  /** The bytes that this instance may occupy at the other end. */
  readonly maxPeerBytes: number;
  /** Whether the other end has said that it closes, in order. */
  readonly leaving: boolean;
}

/** A message for a system handler, valid during the handler's synchronous part. */
export interface SystemMessage {
  /** The handler's name. */
  readonly handlerName: string;
  /** The payload in memory of its own. */
  readonly payload: Uint8Array;
  /** The payload in the receive buffer. */
  readonly lentPayload: Uint8Array;
  /** The same, without a view of its own; gone for a message that had to wait for its turn. */
  readonly lent: Pick<InboundMessage, "source" | "payloadStart" | "payloadEnd" | "owned" | "own" | "keep">;
  /** Whether {@link lent} is gone, because the message had to wait. */
  readonly detached: boolean;
  /** The connection that it came by. */
  readonly session: PeerConnection;
  /** Whether both ends of its connection have a feature. */
  supports(feature: string): boolean;
  /** The library's header with this name, or undefined. */
  systemHeader(name: string): string | undefined;
  /** The milliseconds that the caller had left when it sent the message; below 0 without a deadline. */
  readonly ttlMs: number;
  /**
   * Calls back once if the message ends before its handler: the caller cancels, its deadline passes, the connection is
   * lost, or the instance closes. One function for each message.
   *
   * @param deadline Whether the deadline is watched; without it that is the handler's affair ({@link ttlMs}).
   */
  whenAborted(run: (reason: unknown) => void, deadline?: boolean): void;
}

/** A message for a system contract, with a validated payload. */
export interface SystemCall<C extends Contract> extends SystemMessage {
  /** The validated payload. */
  readonly input: HandlerInput<C>;
  /** Makes an error that the contract declares, to be thrown: the caller gets its code, details and message. */
  readonly fail: Fail<C["errors"]>;
  /** Aborts when the caller cancels, and when the instance begins to close. */
  readonly signal: AbortSignal;
}

/** The sender of a message, as its connection proves it. */
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

/** What a connection proves of the process at its other end. */
export interface ProvenOrigin {
  /** Its CURVE public key, Z85; null without CURVE keys. */
  readonly key: string | null;
  /** Whether it is this instance itself. */
  readonly own: boolean;
  /** Whether it runs on this host. */
  readonly local: boolean;
}

/** Observer of other instances. All methods are called synchronously and must not throw. */
export interface PeerWatcher {
  /** The peer has a connection, after having none. */
  up?(peer: InstanceId): void;
  /**
   * A connection to the peer was lost, with all messages under way on it.
   *
   * @param rest `up`: another one is left. `down`: none is left, and the peer may return. `gone`: it will not.
   */
  lost?(peer: InstanceId, rest: "up" | "down" | "gone", connection: PeerConnection): void;
  /**
   * The peer has announced its address to be admitted, and is a known peer now.
   *
   * @returns True when it was admitted; false leaves it to the next watcher.
   */
  registered?(peer: InstanceId): boolean;
  /**
   * The instance begins to close, with its connections up. The result is awaited beside the running handlers, and may
   * reject.
   *
   * @param timeoutMs Time for all of the closing.
   */
  leaving?(timeoutMs: number): Promise<unknown>;
  /** The instance closes: the last moment to send messages. */
  closing?(): void;
}

/** The interface of a messenger for features built on it, beyond the public one. */
export interface SystemPort {
  /** This instance. */
  readonly instanceId: InstanceId;
  /** Its worker id. */
  readonly workerId: WorkerId;
  /** Clock. */
  readonly clock: Clock;
  /** Logger. */
  readonly logger: Logger;
  /** The largest payload that this instance takes. */
  readonly maxPayloadBytes: number;
  /** The bytes that one peer may occupy here. */
  readonly maxPeerBytes: number;
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
   * Adds a kind of contract, which `handle`, `serve` and `client` then take; disposing the result takes it away.
   *
   * @param name The name that the schemas of such contracts have under `contractKind`.
   * @throws {TypeError} If the name is taken.
   */
  contractKind(name: string, kind: ContractKind): Disposable;
  /** Whether the messenger has an `authorize`. */
  readonly authorizes: boolean;
  /**
   * Asks the messenger's `authorize`, if there is one, whether a message's sender may do this.
   *
   * @param subject Facts of the feature, such as the actor and the action.
   * @throws {ZeromeshError} `FORBIDDEN`, unless the answer is `true`.
   */
  authorize(message: SystemMessage, subject: CallSubject): Promise<void>;
  /** Whether the messenger has a tracer. */
  readonly traces: boolean;
  /**
   * Begins the trace of a call that may outlast its answer, as that of a stream does; null without a tracer. The feature
   * gives the call the headers of the trace, and ends the trace.
   *
   * @param label The name of the call in the trace.
   * @param within The trace that it belongs to; null for none.
   */
  traceCall(label: string, to: InstanceId, within: HandlerTrace | null): CallTrace | null;
  /**
   * Begins the trace of a message, which the feature ends; null if there is none. It is called in the synchronous part.
   *
   * @param name The name of the handler in the trace.
   */
  traceOf(message: SystemMessage, name: string, pattern: TracePattern): HandlerTrace | null;
  /** What the connection of a message proves of its sender's process. */
  originOf(message: SystemMessage): ProvenOrigin;
  /** The sender of a message; null when the connection does not belong to the named instance. */
  senderOf(message: SystemMessage): SystemSender | null;
  /** The known peer with a worker id, given as its halves. */
  peerOf(worker0: number, worker1: number): InstanceId | null;
  /** The peer's name; null without one, or while it is unknown. */
  nameOf(peer: InstanceId): string | null;
  /** The text for an instance in messages: its id, with its name if known. */
  textOf(id: InstanceId): string;
  /** Whether a connection to the peer is up. */
  isUp(peer: InstanceId): boolean;
  /** Whether the peer has a connection whose both ends have a feature. */
  supports(peer: InstanceId, feature: string): boolean;
  /** Whether the peer was ever met as a zeromesh instance, whose connections show whether it lives, or is this one. */
  isOurs(peer: InstanceId): boolean;
  /** Whether messages can be sent to the peer, also over the connection dialled for answers. */
  hasWay(peer: InstanceId): boolean;
  /**
   * Asks discovery for the peer with a worker id, given as its halves; null without discovery.
   *
   * @throws {ZeromeshError} `PEER_UNKNOWN`; `PEER_UNREACHABLE` when discovery itself fails.
   */
  find(worker0: number, worker1: number): Promise<InstanceId> | null;
  /** Connects to a peer that is known, or that discovery finds. @throws {ZeromeshError} Like a call to it. */
  reach(peer: InstanceId, timeoutMs: number): Promise<void>;
  /**
   * Connects to a peer for a call of that name: also within the messenger's `connectTimeoutMs`, and with the very errors
   * of a call whose connection must be made first.
   */
  reachFor(label: string, peer: InstanceId, wait: WaitOptions): Promise<void>;
  /** How long, in milliseconds, a dial has been neither refused nor answered with ZMTP; 0 without one. */
  unansweredMs(peer: InstanceId): number;
  /**
   * Sends a message without an answer. It waits for room while the connection lasts.
   *
   * @param payload Borrowed.
   * @returns False without a way to the peer; nothing is sent then.
   */
  notify(name: Uint8Array, to: InstanceId, payload: Uint8Array): boolean;
  /**
   * The connection by which messages to a peer leave, this instance included: now, later, or null without one. Later is
   * for plain Velo, to whose address a connection is made.
   */
  connectionTo(peer: InstanceId): PeerConnection | Promise<PeerConnection> | null;
  /**
   * Sends a message without an answer over one connection, behind what was sent there before.
   *
   * @param payload Borrowed.
   * @param room Called once when there is room after `full`, or the connection has ended.
   * @returns `full` and `closed`: nothing is sent.
   */
  sendOver(
    connection: PeerConnection,
    name: Uint8Array,
    payload: Uint8Array,
    room: () => void,
  ): "sent" | "full" | "closed";
  /** A feature keeps so many more bytes, or fewer, of the other end of a connection: they are part of its peer's share. */
  keep(connection: PeerConnection, bytes: number): void;
  /** Sends what was collected for a connection at once, not at the end of the turn. */
  flushOver(connection: PeerConnection): void;
  /**
   * Sends a message that is confirmed under an id in its payload.
   *
   * @param accept Gets the confirmation's payload, borrowed, before the promise resolves.
   */
  confirmed(
    name: string,
    to: InstanceId,
    payload: (id: ResponseId) => Uint8Array,
    wait: WaitOptions,
    accept?: (answer: Outcome) => void,
  ): Promise<void>;
  /** Calls back before each call is sent, until disposed. */
  beforeCalls(run: () => void): Disposable;
  /**
   * Calls a system contract that a peer serves.
   *
   * @throws {ZeromeshError} `RESULT_INVALID` for an invalid answer; a declared error as the handler threw it, with
   * `ran: "yes"`; the errors of every call.
   */
  call<C extends UnaryContract>(
    contract: C,
    to: InstanceId,
    input: CallInput<C>,
    wait: WaitOptions,
  ): Promise<CallOutput<C>>;
  /** Calls a system handler by name; resolves to its answer as bytes, or as `accept` converts it. */
  call<T = Uint8Array>(
    name: string,
    to: InstanceId,
    payload: Uint8Array,
    wait: FeatureCall<T>,
  ): Promise<T>;
  /**
   * Sends a message without an answer to a system handler with the admission of a user's. Like `amSend` it waits for
   * room and credit, within `overflow` and `wait`, and resolves when the peer's queue holds it. Towards a peer without
   * feature `admission` it needs no credit.
   *
   * @param payload Not changed by the caller any more.
   */
  amSend(name: string, to: InstanceId, payload: Uint8Array, wait: WaitOptions): Promise<void>;
  /** Sends to a system contract that a peer serves; resolves when the peer's queue holds the message. */
  tell<C extends AmContract>(
    contract: C,
    to: InstanceId,
    input: CallInput<C>,
    wait: WaitOptions,
  ): Promise<void>;
  /** Calls a system handler without an answer; resolves when it has run. */
  sync(
    name: string,
    to: InstanceId,
    payload: Uint8Array,
    wait: Omit<FeatureCall<void>, "accept">,
  ): Promise<void>;
  /**
   * Answers a message whose handler has returned {@link answeredLater}. Once for each, with this or {@link refuse}.
   *
   * @param answer Bytes, or the result of a handler with a contract.
   */
  answer(message: SystemMessage, answer: unknown): void;
  /** Fails such a message. */
  refuse(message: SystemMessage, error: unknown): void;
  /** Confirms a message under the id in its payload; `failure` refuses it. `payload` is borrowed. */
  confirm(message: SystemMessage, id: ResponseId, failure: Failure | null, payload?: Uint8Array): void;
  /** Adds a watcher until disposed. */
  watch(watcher: PeerWatcher): Disposable;
  /** Keeps the process alive until disposed. */
  hold(): Disposable;
}
