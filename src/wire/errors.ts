import type { ErrorCode, Ran } from "../core/mod.ts";
import { maxHeaderValueBytes } from "./headers.ts";
import { stringifyJson } from "./json_value.ts";
import { encodeUtf8 } from "./utf8.ts";

/** Header of feature `errors`, on a response with outcome 1: the code of the error. */
export const codeHeader = "_code";

/** Header of feature `errors`, beside {@link codeHeader}: the error's data as JSON text, at most 1024 bytes. */
export const dataHeader = "_data";

/**
 * Header of feature `errors`, beside {@link codeHeader}: whether the handler ran (`yes`, `no` or `maybe`), if this
 * differs from {@link ranByCode}.
 */
export const ranHeader = "_ran";

/** Header of feature `msgpack`: the payload's encoding, when it is not JSON. The only value is `msgpack`. */
export const encodingHeader = "_enc";

/** The error texts of plain Velo; see {@link veloText}. */
export interface VeloTexts {
  /** No handler has that name. */
  readonly handlerNotFound: (name: string) => string;
  /** The payload does not fit the typed handler's input. */
  readonly inputInvalid: (why: string) => string;
  /** The typed handler's result cannot be encoded. */
  readonly outputInvalid: (why: string) => string;
  /** A unary call reached an am handler, which ran, and may have failed with `why`. */
  readonly unaryToAm: (name: string, why?: string | undefined) => string;
  /** The handler could not finish. */
  readonly handlerFailed: (why: string) => string;
  /** The lane of an ordered handler is full. */
  readonly laneFull: string;
  /** The handler panicked, in the wording of Rust. */
  readonly handlerPanicked: string;
  /** The request's payload was staged at its sender and could not be fetched. */
  readonly unresolved: (why: string) => string;
  /** The peer is shutting down. */
  readonly draining: string;
}

/**
 * The error texts of plain Velo, word for word, since a Rust caller may compare them.
 *
 * Frames: an unknown handler is always a nack (message type 2), even for a unary call; `Handler failed: ` for a full
 * lane or a panic is a nack, too; the others are a response with outcome 1 to a unary call, and a nack to an
 * acknowledged one. `draining` is the text for a Rust caller whose request comes back as message type 4.
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

/** Prefix of the text for a forbidden call, for callers that take no codes. */
export const forbiddenPrefix = "Request forbidden: ";

/** The meaning of an error text of a plain Velo peer. */
export interface VeloTextMeaning {
  /** The code to report. */
  readonly code: ErrorCode;
  /** Whether the handler ran. */
  readonly ran: Ran;
}

/** Facts that the receiver knows besides the text. */
export interface VeloTextContext {
  /** The frame with the text: message type 1, or 2. */
  reply?: "response" | "ack" | undefined;
  /** Whether the caller awaits a result. */
  unary?: boolean | undefined;
  /** The called name. */
  handler?: string | undefined;
}

const remoteError: VeloTextMeaning = Object.freeze({ code: "REMOTE_ERROR", ran: "yes" });

// The texts of Velo, and one of zeromesh. Without `ran` the handler did not run.
const meanings: readonly (readonly [prefix: string, code: ErrorCode, ran?: "yes" | "maybe"])[] = [
  [veloText.laneFull, "OVERLOADED"],
  [veloText.handlerFailed(""), "HANDLER_FAILED", "yes"],
  [forbiddenPrefix, "FORBIDDEN"],
  // A response carries this text, as it carries a handler's own.
  [veloText.inputInvalid(""), "PAYLOAD_INVALID", "maybe"],
  [veloText.outputInvalid(""), "RESULT_INVALID", "yes"],
  // A draining peer returns requests as message type 4, so this text comes from a handler.
  [veloText.draining, "REMOTE_ERROR", "maybe"],
  // Velo's rendezvous fails before the dispatch.
  [veloText.unresolved(""), "REMOTE_ERROR"],
  ["Rendezvous resolver not configured on receiver", "REMOTE_ERROR"],
];

/**
 * The code of an error text of a plain Velo peer, by its prefix; `REMOTE_ERROR` for other texts.
 *
 * A text is weak evidence: a handler may pass on the text of a third instance, and then it did run. Only a nack to a
 * unary call is certainly Velo's own, since a unary handler's errors come in a response. Otherwise the result is
 * "maybe", and "not found" counts only in a nack that names the called handler.
 */
export function codeOfVeloText(text: string, context: VeloTextContext = {}): VeloTextMeaning {
  const refused = context.reply === "ack" && context.unary === true ? "no" : "maybe";
  if (text.startsWith("Handler '")) {
    return isNotFound(text, context) ? { code: "HANDLER_NOT_FOUND", ran: refused } : remoteError;
  }
  for (const [prefix, code, ran = refused] of meanings) {
    if (text.startsWith(prefix)) return { code, ran };
  }
  return remoteError;
}

function isNotFound(text: string, { reply, handler }: VeloTextContext): boolean {
  if (reply === "response") return false;
  return handler === undefined
    ? text.includes("' not found")
    : text.startsWith(veloText.handlerNotFound(handler));
}

const notRunCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "HANDLER_NOT_FOUND",
  "PAYLOAD_INVALID",
  "OVERLOADED",
  "PEER_DRAINING",
  "IDENTITY_MISMATCH",
  "FORBIDDEN",
  "CANCELLED",
]);

/** Whether the handler ran, for an error with only a code. */
export function ranByCode(code: ErrorCode): "no" | "yes" {
  return notRunCodes.has(code) ? "no" : "yes";
}

/**
 * The headers of a failed response to a peer with feature `errors`.
 *
 * @param code The stable code.
 * @param data Structured facts. Omitted if it is `undefined`, not a JSON value, or longer than 1024 bytes as JSON, so
 * that code and message always arrive.
 * @param ran Whether the handler ran. Sent only if it differs from {@link ranByCode}.
 */
export function errorHeaders(
  code: ErrorCode,
  data?: unknown,
  ran: Ran = ranByCode(code),
): Record<string, string> {
  const headers: Record<string, string> = { [codeHeader]: code };
  if (ran !== ranByCode(code)) headers[ranHeader] = ran;
  const text = jsonText(data);
  if (text !== undefined) headers[dataHeader] = text;
  return headers;
}

function jsonText(data: unknown): string | undefined {
  if (data === undefined) return undefined;
  try {
    const text = stringifyJson(data);
    if (text.length > maxHeaderValueBytes) return undefined;
    return encodeUtf8(text).length <= maxHeaderValueBytes ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Code and data of a failed response, from its headers. */
export interface RemoteErrorFacts {
  /** The code, which may be one this version does not know. */
  readonly code: ErrorCode;
  /** The data; `undefined` when there is none or it is not JSON. */
  readonly data: unknown;
  /** Whether the handler ran. */
  readonly ran: Ran;
}

/**
 * Reads {@link errorHeaders}; `null` when there is no usable code (1 to 128 characters). Never throws.
 */
export function errorFromHeaders(headers: Readonly<Record<string, string>>): RemoteErrorFacts | null {
  const code = headers[codeHeader];
  if (code === undefined || code.length === 0 || code.length > 128) return null;
  const said = headers[ranHeader];
  const ran = said === "no" || said === "maybe" || said === "yes" ? said : ranByCode(code);
  const text = headers[dataHeader];
  if (text === undefined) return { code, data: undefined, ran };
  try {
    return { code, data: JSON.parse(text) as unknown, ran };
  } catch {
    return { code, data: undefined, ran };
  }
}
