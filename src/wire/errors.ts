import type { ErrorCode, Ran } from "../core/mod.ts";
import { maxHeaderValueBytes } from "./headers.ts";
import { encodeUtf8 } from "./utf8.ts";

/** Header of feature `errors`, on a response with outcome 1: the code of the error. */
export const codeHeader = "_code";

/** Header of feature `errors`, beside {@link codeHeader}: the error's data as JSON text, at most 1024 bytes. */
export const dataHeader = "_data";

/** Header of feature `msgpack`: how the payload is encoded, when it is not JSON. The only value is `msgpack`. */
export const encodingHeader = "_enc";

/** Header of a message's metadata: JSON. */
export const metadataHeader = "_metadata";

/** The texts by which plain Velo reports a failed request; see {@link veloText}. */
export interface VeloTexts {
  /** Nobody registered that name. */
  readonly handlerNotFound: (name: string) => string;
  /** The payload is not what the typed handler takes. */
  readonly inputInvalid: (why: string) => string;
  /** The typed handler returned what cannot be encoded. */
  readonly outputInvalid: (why: string) => string;
  /** A unary call reached an am handler, which ran, and perhaps failed with `why`. */
  readonly unaryToAm: (name: string, why?: string | undefined) => string;
  /** The handler could not finish. */
  readonly handlerFailed: (why: string) => string;
  /** The lane of an ordered handler holds as many requests as it may. */
  readonly laneFull: string;
  /** The handler panicked, in Rust's words. */
  readonly handlerPanicked: string;
  /** The payload of the request was to be fetched from its sender, and could not be. */
  readonly unresolved: (why: string) => string;
  /** The peer is shutting down. */
  readonly draining: string;
}

/**
 * The texts by which plain Velo reports a failed request, word for word: a Rust caller may look for them.
 *
 * Which frame carries which: an unknown handler is always a nack (message type 2), even to a unary call; what
 * starts with `Handler failed: ` for a full lane or a panic is a nack too; the others are a response with outcome
 * 1 to a unary call and a nack to an acknowledged one. `draining` is what a Rust caller is told when its request
 * comes back as message type 4.
 *
 * @see ARCHITECTURE.md, "Wire"; Velo 0.9.0 and 0.21.0 use the same texts
 */
export const veloText: VeloTexts = Object.freeze({
  handlerNotFound: (name: string) => `Handler '${name}' not found`,
  inputInvalid: (why: string) => `Failed to deserialize input: ${why}`,
  outputInvalid: (why: string) => `Failed to serialize output: ${why}`,
  unaryToAm: (name: string, why?: string | undefined) =>
    `Unary message incorrectly routed to AM handler '${name}'${why === undefined ? "" : `: ${why}`}`,
  handlerFailed: (why: string) => `Handler failed: ${why}`,
  laneFull: "Handler failed: ordered lane queue full",
  handlerPanicked: "Handler failed: handler panicked",
  unresolved: (why: string) => `Failed to resolve large payload: ${why}`,
  draining: "request rejected: peer is shutting down",
});

/** What an error text of a plain Velo peer means. */
export interface VeloTextMeaning {
  /** The code to report. */
  readonly code: ErrorCode;
  /** Whether the handler ran. */
  readonly ran: Ran;
}

/** What the receiver knows besides the text; each makes the mapping stricter. */
export interface VeloTextContext {
  /** The frame that brought the text: message type 1, or 2. */
  reply?: "response" | "ack" | undefined;
  /** The name that was called. */
  handler?: string | undefined;
}

const notRan = (code: ErrorCode): VeloTextMeaning => Object.freeze({ code, ran: "no" as const });
const didRun = (code: ErrorCode): VeloTextMeaning => Object.freeze({ code, ran: "yes" as const });

const handlerNotFound = notRan("HANDLER_NOT_FOUND");
const remoteError = didRun("REMOTE_ERROR");

const meanings: readonly (readonly [prefix: string, meaning: VeloTextMeaning])[] = [
  [veloText.laneFull, notRan("OVERLOADED")],
  [veloText.handlerFailed(""), didRun("HANDLER_FAILED")],
  [veloText.inputInvalid(""), notRan("PAYLOAD_INVALID")],
  [veloText.outputInvalid(""), didRun("RESULT_INVALID")],
  [veloText.draining, notRan("PEER_DRAINING")],
  // Velo's rendezvous gives up before it dispatches.
  [veloText.unresolved(""), notRan("REMOTE_ERROR")],
  ["Rendezvous resolver not configured on receiver", notRan("REMOTE_ERROR")],
];

/**
 * The code of an error text of a plain Velo peer, by its prefix; `REMOTE_ERROR` for what a handler says itself.
 *
 * A text proves little: a handler may pass on what a third node told it, and then it did run. With `context`,
 * "not found" counts only as a nack about the very name that was called.
 */
export function codeOfVeloText(text: string, context: VeloTextContext = {}): VeloTextMeaning {
  if (text.startsWith("Handler '")) return isNotFound(text, context) ? handlerNotFound : remoteError;
  for (const [prefix, meaning] of meanings) {
    if (text.startsWith(prefix)) return meaning;
  }
  return remoteError;
}

function isNotFound(text: string, { reply, handler }: VeloTextContext): boolean {
  if (reply === "response") return false;
  return handler === undefined
    ? text.includes("' not found")
    : text.startsWith(veloText.handlerNotFound(handler));
}

/**
 * The headers of a failed response to a peer with feature `errors`.
 *
 * @param code The stable code.
 * @param data Structured facts. Left out if it is `undefined`, no JSON value, or longer than 1024 bytes as JSON:
 * code and message must arrive in any case.
 */
export function errorHeaders(code: ErrorCode, data?: unknown): Record<string, string> {
  const headers: Record<string, string> = { [codeHeader]: code };
  const text = jsonText(data);
  if (text !== undefined) headers[dataHeader] = text;
  return headers;
}

function jsonText(data: unknown): string | undefined {
  if (data === undefined) return undefined;
  try {
    const text: string | undefined = JSON.stringify(data);
    if (text === undefined || text.length > maxHeaderValueBytes) return undefined;
    return encodeUtf8(text).length <= maxHeaderValueBytes ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Code and data of a failed response, as its headers say them. */
export interface RemoteErrorFacts {
  /** The code, which may be one this version does not know. */
  readonly code: ErrorCode;
  /** The data; `undefined` when there is none or it is no JSON. */
  readonly data: unknown;
}

/**
 * Reads {@link errorHeaders}; `null` when there is no usable code (1 to 128 characters). Never throws.
 */
export function errorFromHeaders(headers: Readonly<Record<string, string>>): RemoteErrorFacts | null {
  const code = headers[codeHeader];
  if (code === undefined || code.length === 0 || code.length > 128) return null;
  const text = headers[dataHeader];
  if (text === undefined) return { code, data: undefined };
  try {
    return { code, data: JSON.parse(text) as unknown };
  } catch {
    return { code, data: undefined };
  }
}
