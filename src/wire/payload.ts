import { errorText, ZeromeshError } from "../core/mod.ts";
import { nestsDeeper } from "./json_depth.ts";
import { stringifyJson } from "./json_value.ts";
import { decodeMsgpack, MalformedMsgpack } from "./msgpack_decode.ts";
import { borrowMsgpack, encodeMsgpack } from "./msgpack_encode.ts";
import { maxPayloadDepth, nestsTooDeep, Unencodable } from "./unencodable.ts";
import { borrowUtf8, decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Encoding of a typed payload: JSON unless a contract requests MessagePack (feature `msgpack`). */
export type PayloadEncoding = "json" | "msgpack";

/** The result of {@link decodePayload}. */
export type DecodedPayload =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly error: string; readonly value?: undefined };

const nothing = new Uint8Array(new ArrayBuffer(0));

/**
 * Encodes a typed payload, so that {@link decodePayload} gives the same value back; `undefined` is an empty payload.
 *
 * - `json`: UTF-8 of `JSON.stringify`. A `Date`, or another value with `toJSON`, becomes its result; −0 becomes 0.
 * - `msgpack`: the values of JSON, and bytes, `Date`, `Map`, `Set`, `bigint`, typed arrays, NaN, infinities and −0.
 *
 * Both omit properties that are `undefined`, named by symbols or not enumerable.
 *
 * @returns New bytes.
 * @throws {ZeromeshError} `ENCODING_FAILED` for every other value, with its path in the message and in `details.path`.
 * `cause` is the engine's own error.
 */
export function encodePayload(value: unknown, encoding: PayloadEncoding): Uint8Array {
  if (value === undefined) return nothing;
  try {
    return encoding === "msgpack" ? encodeMsgpack(value) : encodeUtf8(stringifyJson(value));
  } catch (cause) {
    throw cannotEncode("the payload", encoding === "msgpack" ? "MessagePack" : "JSON", cause);
  }
}

/**
 * The same in memory that the next call of this function, or of another one here, writes again. Memory of its own costs
 * several times as much as a copy of 64 KiB.
 *
 * @throws {ZeromeshError} Like {@link encodePayload}.
 */
export function borrowPayload(value: unknown, encoding: PayloadEncoding): Uint8Array {
  if (value === undefined) return nothing;
  try {
    return encoding === "msgpack" ? borrowMsgpack(value) : borrowUtf8(stringifyJson(value));
  } catch (cause) {
    throw cannotEncode("the payload", encoding === "msgpack" ? "MessagePack" : "JSON", cause);
  }
}

/**
 * The text that {@link encodePayload} encodes as JSON, for memory of the caller's.
 *
 * @param value Not `undefined`.
 * @throws {ZeromeshError} Like {@link encodePayload}.
 */
export function payloadText(value: unknown): string {
  try {
    return stringifyJson(value);
  } catch (cause) {
    throw cannotEncode("the payload", "JSON", cause);
  }
}

/**
 * Encodes an item of a stream as MessagePack; `undefined` is a value, too.
 *
 * @param standard Whether it is for programs that do not know the extensions of this library.
 * @throws {ZeromeshError} `ENCODING_FAILED`.
 */
export function encodeItem(value: unknown, standard: boolean): Uint8Array {
  try {
    return encodeMsgpack(value, standard);
  } catch (cause) {
    throw cannotEncode("the item", "MessagePack", cause);
  }
}

function cannotEncode(what: string, name: string, cause: unknown): ZeromeshError {
  return new ZeromeshError("ENCODING_FAILED", `Cannot encode ${what} as ${name}: ${errorText(cause)}`, {
    cause,
    details: cause instanceof Unencodable ? { path: cause.path } : undefined,
  });
}

/**
 * Decodes a typed payload. Never throws; `error` is a text for people and for the wire.
 *
 * An empty payload is `undefined`. From MessagePack, bytes are copies, and 64-bit integers, which other programs write,
 * are `number` if exact and otherwise `bigint`; refused bytes are listed at {@link decodeMsgpack}. Neither encoding may
 * nest deeper than {@link maxPayloadDepth}, which is checked before JSON is parsed.
 */
export function decodePayload(bytes: Uint8Array, encoding: PayloadEncoding): DecodedPayload {
  if (bytes.length === 0) return { value: undefined };
  if (encoding === "json") return decodeJson(bytes, 0, bytes.length);
  try {
    return { value: decodeMsgpack(bytes) };
  } catch (error) {
    return {
      error: error instanceof MalformedMsgpack
        ? `not a MessagePack value: ${error.message}`
        : errorText(error),
    };
  }
}

/** Decodes the JSON in `bytes[start..end)`, which is not empty, like {@link decodePayload}. */
export function decodeJson(bytes: Uint8Array, start: number, end: number): DecodedPayload {
  try {
    // A text of this size has no room for as many brackets.
    const deep = end - start > 2 * maxPayloadDepth &&
      nestsDeeper(bytes.subarray(start, end), maxPayloadDepth);
    if (deep) return { error: `not a JSON value: ${nestsTooDeep}` };
    const text = decodeUtf8(bytes, start, end);
    return text === null ? { error: "not valid UTF-8" } : { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { error: errorText(error) };
  }
}
