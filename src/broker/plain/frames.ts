import { decodeJson, decodeLatin1, decodeUtf8, encodeUtf8 } from "../../wire/mod.ts";
import type { Blake2b } from "./blake2b.ts";

/** The first frame of a control message. */
export const controlMark = 0x43;
/** The most bytes of a message's type. */
export const longestType = 64;
/** The most bytes of a correlation id. */
export const longestCorrelation = 64;

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A control message of a foreign program. */
export interface ControlMessage {
  readonly type: string;
  /** What the answer repeats; null in the older form of three frames, which has none. */
  readonly correlation: Uint8Array | null;
  readonly body: JsonObject;
}

/** Why a message is no control message. */
export type FrameProblem =
  | "frame_count"
  | "frame_type_marker"
  | "msg_type_empty"
  | "msg_type_too_long"
  | "msg_type_not_text"
  | "correlation_too_long"
  | "correlation_missing"
  | "body_too_long"
  | "body_not_json"
  | "body_not_object"
  | "envelope_hash_mismatch";

/** All problems, for counters. */
export const frameProblems: readonly FrameProblem[] = [
  "frame_count",
  "frame_type_marker",
  "msg_type_empty",
  "msg_type_too_long",
  "msg_type_not_text",
  "correlation_too_long",
  "correlation_missing",
  "body_too_long",
  "body_not_json",
  "body_not_object",
  "envelope_hash_mismatch",
];

/** A message that could not be read. */
export interface Malformed {
  readonly problem: FrameProblem;
  /** What an answer needs, where the message has so much. */
  readonly answerable: Pick<ControlMessage, "type" | "correlation"> | null;
}

/** What a reader of control messages needs. */
export interface FrameRules {
  /** The most bytes of a body. */
  readonly maxBodyBytes: number;
  /** For `envelope_hash`. */
  readonly blake2b: Blake2b;
}

/**
 * Reads the frames of a DEALER, behind the frame with its routing id: `'C'`, type, correlation id and a JSON object; or the
 * older form without correlation id. It never throws.
 *
 * A correlation id may be empty only with a type that ends in `_NOTIFY`, since nobody answers those.
 *
 * The body of some programs has an `envelope_hash`: BLAKE2b-256 of routing id, type and correlation id. It has no key and
 * does not cover the body, so it proves nothing that CURVE does not: it may be missing, and is compared where it is there, so
 * that nobody relies on a check that is not made.
 */
export function readControl(
  routingId: Uint8Array,
  frames: readonly Uint8Array[],
  rules: FrameRules,
): ControlMessage | Malformed {
  const [mark, typeBytes, ...rest] = frames;
  if (mark === undefined || typeBytes === undefined || rest.length < 1 || rest.length > 2) {
    return { problem: "frame_count", answerable: null };
  }
  if (mark.length !== 1 || mark[0] !== controlMark) return { problem: "frame_type_marker", answerable: null };
  const bodyBytes = rest[rest.length - 1]!;
  const correlation = rest.length === 2 ? rest[0]! : null;
  if (typeBytes.length === 0) return { problem: "msg_type_empty", answerable: null };
  if (typeBytes.length > longestType) return { problem: "msg_type_too_long", answerable: null };
  if (typeBytes.some((byte) => byte < 0x21 || byte > 0x7e)) {
    return { problem: "msg_type_not_text", answerable: null };
  }
  const type = decodeLatin1(typeBytes, 0, typeBytes.length);
  if (correlation !== null) {
    if (correlation.length > longestCorrelation) return { problem: "correlation_too_long", answerable: null };
    if (correlation.length === 0 && !type.endsWith("_NOTIFY")) {
      return { problem: "correlation_missing", answerable: { type, correlation } };
    }
  }
  const malformed = (problem: FrameProblem): Malformed => ({ problem, answerable: { type, correlation } });
  if (bodyBytes.length > rules.maxBodyBytes) return malformed("body_too_long");
  const body = bodyBytes.length === 0 ? { error: "empty" } : decodeJson(bodyBytes, 0, bodyBytes.length);
  if (!("value" in body)) return malformed("body_not_json");
  if (!isObject(body.value)) return malformed("body_not_object");
  const claimed = body.value["envelope_hash"];
  if (claimed !== undefined) {
    const hash = rules.blake2b(routingId, typeBytes, correlation ?? none).toHex();
    if (claimed !== hash) return malformed("envelope_hash_mismatch");
  }
  return { type, correlation, body: body.value };
}

/** Whether {@link readControl} has refused a message. */
export function isMalformed(message: ControlMessage | Malformed): message is Malformed {
  return "problem" in message;
}

const none = new Uint8Array(0);
const mark = Uint8Array.of(controlMark);

/** The frames for a DEALER, without its routing id; without correlation id in the older form. */
export function controlFrames(
  type: string,
  correlation: Uint8Array | null,
  body: JsonObject,
): Uint8Array[] {
  const json = encodeUtf8(JSON.stringify(body));
  return correlation === null ? [mark, encodeUtf8(type), json] : [mark, encodeUtf8(type), correlation, json];
}

/** Bytes as a text that a person can read: the text that they are, else `#` and their hexadecimal digits. */
export function textOfBytes(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes, 0, bytes.length);
  return text !== null && /^(?!#)[\x21-\x7e]*$/.test(text) ? text : `#${bytes.toHex()}`;
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
