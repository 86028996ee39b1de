/** Every code of {@link KnownErrorCode}. */
export const knownErrorCodes = [
  "LIBZMQ_NOT_FOUND",
  "ZMQ_ERROR",
  "FEATURE_UNAVAILABLE",
  "ENDPOINT_INVALID",
  "ADDRESS_IN_USE",
  "PEER_UNKNOWN",
  "PEER_UNREACHABLE",
  "PEER_DISCONNECTED",
  "PEER_REPLACED",
  "PEER_DRAINING",
  "PEER_LACKS_FEATURE",
  "IDENTITY_MISMATCH",
  "FORBIDDEN",
  "TIMEOUT",
  "CANCELLED",
  "HANDLER_NOT_FOUND",
  "HANDLER_EXISTS",
  "LIMIT_REACHED",
  "HANDLER_FAILED",
  "PAYLOAD_INVALID",
  "RESULT_INVALID",
  "ENCODING_FAILED",
  "PAYLOAD_TOO_LARGE",
  "HEADERS_TOO_LARGE",
  "NAME_INVALID",
  "QUEUE_FULL",
  "OVERLOADED",
  "REMOTE_ERROR",
  "CLOSED",
  "ACK_EXISTS",
  "EVENT_POISONED",
  "EVENT_OWNER_LOST",
  "EVENT_COMPLETED",
  "EVENT_UNKNOWN",
  "STREAM_UNKNOWN",
  "STREAM_TAKEN",
  "STREAM_SENDER_ERROR",
  "STREAM_DROPPED",
  "STREAM_FAILED",
  "COHORT_FULL",
  "COHORT_ENDED",
  "COHORT_WORKER_LOST",
  "COHORT_ITEMS_FAILED",
  "RANK_TAKEN",
  "RANK_INVALID",
  "RANK_REQUIRED",
  "RANK_UNEXPECTED",
  "RANK_UNKNOWN",
  "ACTOR_NOT_FOUND",
  "ACTOR_EXISTS",
  "ACTOR_STOPPED",
  "ACTOR_NOT_PAUSED",
  "ACTOR_MAILBOX_FULL",
  "ACTOR_ASK_CYCLE",
  "ACTOR_CHANNEL_REJECTED",
  "ACTOR_CHANNEL_CLOSED",
  "ACTOR_NOT_A_PARTICIPANT",
  "ACTOR_UPDATE_FAILED",
] as const;

/**
 * The codes of {@link ZeromeshError}: one closed list for the whole library. Codes are stable and meant for `switch`.
 *
 * - `LIBZMQ_NOT_FOUND`: no usable libzmq; the message lists every candidate and why it was refused.
 * - `ZMQ_ERROR`: a libzmq call failed; `details` holds `errno` (a name such as `"EACCES"`), `number`, `syscall` and
 *   `endpoint`.
 * - `FEATURE_UNAVAILABLE`: this libzmq was built without the feature.
 * - `ENDPOINT_INVALID`, `ADDRESS_IN_USE`: an endpoint cannot be parsed or bound.
 * - `PEER_UNKNOWN`: this instance does not know that peer.
 * - `PEER_UNREACHABLE`: dialling ended without an answered handshake.
 * - `PEER_DISCONNECTED`: the connection was lost while something waited on it.
 * - `PEER_REPLACED`: another instance answers where the peer used to be.
 * - `PEER_DRAINING`: the peer is shutting down and takes no new requests; or it was closed before its handler finished,
 *   and then `ran` is `"maybe"`, or `"yes"` if it had accepted a call with a stream.
 * - `PEER_LACKS_FEATURE`: the peer does not speak what the call needs.
 * - `IDENTITY_MISMATCH`: a connection claims an instance id that is not its own, or that belongs to another process.
 * - `FORBIDDEN`: the peer refused our key, or does not let us call that handler (`authorize`).
 * - `TIMEOUT`, `CANCELLED`: the deadline passed; the caller or the handler's owner cancelled.
 * - `HANDLER_NOT_FOUND`, `HANDLER_EXISTS`, `HANDLER_FAILED`: the handler is missing, registered already, or threw.
 * - `LIMIT_REACHED`: an option's limit of handlers, peers, events, subscriptions or barriers is reached, or this
 *   process may open no more descriptors or sockets; then `details` names the failed call.
 * - `PAYLOAD_INVALID`, `RESULT_INVALID`: a value fails its schema; the message names the field.
 * - `ENCODING_FAILED`: a value cannot be encoded; `details.path` says where.
 * - `PAYLOAD_TOO_LARGE`, `HEADERS_TOO_LARGE`, `NAME_INVALID`: limits of the wire or of the options.
 * - `QUEUE_FULL`: a limit of waiting messages, sends or calls of this instance is reached; retry soon.
 * - `OVERLOADED`: the receiver has too much to do.
 * - `REMOTE_ERROR`: a plain Velo peer reported an error as text.
 * - `CLOSED`: this instance is closed or closing.
 * - `ACK_EXISTS`: an ACK with that id is awaited already.
 * - `EVENT_POISONED`: the event was poisoned; the message and `details.reason` say why.
 * - `EVENT_OWNER_LOST`: the instance that owns the event is gone, so the event never completes.
 * - `EVENT_COMPLETED`: the event was triggered before, so it cannot be poisoned.
 * - `EVENT_UNKNOWN`: the owner never made an event with that handle.
 * - `STREAM_UNKNOWN`: the instance has no anchor with that handle, or not any more.
 * - `STREAM_TAKEN`: the anchor has its one sender.
 * - `STREAM_SENDER_ERROR`: a sender reports an error (`sendError`) and goes on; the message is its text.
 * - `STREAM_DROPPED`: a sender ended without `finalize` or `detach`, or gave no sign of life.
 * - `STREAM_FAILED`: a stream broke, or its reader refuses a sender; the message says why.
 * - `COHORT_FULL`, `COHORT_ENDED`: a cohort takes no more workers, or has ended; the message says why.
 * - `COHORT_WORKER_LOST`: a worker of the cohort is gone, and its rank is vacant.
 * - `COHORT_ITEMS_FAILED`: items of a distribution failed finally; the message and `details.failed` say which and why.
 * - `RANK_TAKEN`, `RANK_INVALID`, `RANK_REQUIRED`, `RANK_UNEXPECTED`: a worker cannot join with the rank that it
 *   claims, or without one.
 * - `RANK_UNKNOWN`: no worker has that rank.
 * - `ACTOR_NOT_FOUND`, `ACTOR_EXISTS`: no actor has that id or name; another actor has the name or the id.
 * - `ACTOR_STOPPED`: the actor stops or has stopped, and takes and answers nothing any more.
 * - `ACTOR_NOT_PAUSED`: the actor is not paused, so that it cannot be resumed.
 * - `ACTOR_MAILBOX_FULL`: the actor's mailbox has no room, or as many senders as may wait for room wait already.
 * - `ACTOR_ASK_CYCLE`: the actors of a ring would wait for each other's answers; the message names them.
 * - `ACTOR_CHANNEL_REJECTED`, `ACTOR_CHANNEL_CLOSED`: the actor refused a channel, with its reason in the message; the
 *   channel has ended.
 * - `ACTOR_NOT_A_PARTICIPANT`: the channel belongs to two others.
 * - `ACTOR_UPDATE_FAILED`: an actor keeps its old code and state; `cause` and the message say why.
 */
export type KnownErrorCode = (typeof knownErrorCodes)[number];

/** A known code, or one of a newer peer or of a contract's own `errors`. */
export type ErrorCode = KnownErrorCode | (string & Record<never, never>);

/**
 * Whether the remote handler can have run when a call fails.
 *
 * `"no"`: certainly not, so repeating is safe. `"maybe"`: the request was sent and no answer came.
 * `"yes"`: the handler ran and this is its answer, or it had accepted the call, which has a stream.
 */
export type Ran = "no" | "maybe" | "yes";

/** The fields of a {@link ZeromeshError} besides code and message. */
export interface ZeromeshErrorOptions {
  /** The underlying error. It never crosses the wire. */
  cause?: unknown;
  /** The instance id (or endpoint) of the peer concerned. */
  peer?: string | undefined;
  /** The name of the handler concerned. */
  handler?: string | undefined;
  /** Whether the remote handler can have run. @default {"no"} */
  ran?: Ran | undefined;
  /** Structured facts about the failure; over the wire, the data of a contract's own error. */
  details?: unknown;
}

/**
 * The one error class of the library, for failures that types cannot prevent.
 *
 * Wrong options and arguments are `TypeError` or `RangeError` instead, and a caller's own abort rejects
 * with `signal.reason` untouched.
 *
 * @example Usage
 * ```ts ignore
 * try {
 *   await messenger.unary("ping", { to: peer, rawPayload: new Uint8Array() });
 * } catch (error) {
 *   if (error instanceof ZeromeshError && error.ran === "no") retryLater();
 * }
 * ```
 */
export class ZeromeshError extends Error {
  /** The class's name. */
  override readonly name = "ZeromeshError";
  /** The stable code. */
  readonly code: ErrorCode;
  /** The peer concerned, when there is one. */
  readonly peer: string | undefined;
  /** The handler concerned, when there is one. */
  readonly handler: string | undefined;
  /** Whether the remote handler can have run. */
  readonly ran: Ran;
  /** Structured facts about the failure. */
  readonly details: unknown;

  /**
   * Makes an error.
   *
   * @param code The stable code.
   * @param message What happened, to whom, and what to do.
   * @param options Cause, peer, handler, `ran` and details.
   */
  constructor(code: ErrorCode, message: string, options: ZeromeshErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.peer = options.peer ?? undefined;
    this.handler = options.handler ?? undefined;
    this.ran = options.ran ?? "no";
    this.details = options.details;
  }

  /** Whether something is an error of this class, also one of another copy of the package. It never throws. */
  static is(error: unknown): error is ZeromeshError {
    try {
      return typeof error === "object" && error !== null && brand in error;
    } catch {
      return false; // a revoked proxy, for instance
    }
  }

  /** `instanceof ZeromeshError` is {@link ZeromeshError.is}; subclasses keep the ordinary `instanceof`. */
  static override [Symbol.hasInstance](error: unknown): boolean {
    return this === ZeromeshError ? this.is(error) : ZeromeshError.is(error) && isOf(this, error);
  }

  /** The form for `JSON.stringify`: without stack and cause; with details only if JSON can hold them. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, peer, handler, ran } = this;
    return { name, code, message, peer, handler, ran, details: jsonOf(this.details) };
  }
}

// Shared by all copies of the package.
const brand: unique symbol = Symbol.for("zeromesh.ZeromeshError") as never;
Object.defineProperty(ZeromeshError.prototype, brand, { value: true });

function isOf(constructor: { readonly prototype: object }, value: object): boolean {
  return Object.prototype.isPrototypeOf.call(constructor.prototype, value);
}

function jsonOf(details: unknown): unknown {
  try {
    const text: string | undefined = JSON.stringify(details);
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Codes of errors of the call itself: another instance would not accept it either. */
export const codesOfCallers: ReadonlySet<string> = new Set<KnownErrorCode>([
  "PAYLOAD_INVALID",
  "PAYLOAD_TOO_LARGE",
  "HEADERS_TOO_LARGE",
  "NAME_INVALID",
  "ENCODING_FAILED",
  "CANCELLED",
]);

/** The text of a thrown value, for messages and for the wire. */
export function errorText(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message || error.name) : String(error);
  } catch {
    // A thrown value may throw itself when it is converted to text.
    return "an error without a text";
  }
}
