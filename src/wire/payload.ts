import { errorText, ZeromeshError } from "../core/mod.ts";
import { nestsDeeper } from "./json_depth.ts";
import { stringifyJson } from "./json_value.ts";
import { decodeMsgpack, MalformedMsgpack } from "./msgpack_decode.ts";
import { encodeMsgpack } from "./msgpack_encode.ts";
import { maxPayloadDepth, nestsTooDeep, Unencodable } from "./unencodable.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** How a typed payload becomes bytes: JSON unless a contract asks for MessagePack (feature `msgpack`). */
export type PayloadEncoding = "json" | "msgpack";

/** The outcome of {@link decodePayload}. */
export type DecodedPayload =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly error: string; readonly value?: undefined };

const nothing = new Uint8Array(new ArrayBuffer(0));

/**
 * Encodes a typed payload, so that {@link decodePayload} gives the same value back; `undefined` is an empty payload.
 *
 * - `json`: UTF-8 of `JSON.stringify`. A `Date`, and whatever else has `toJSON`, is what that makes of it; −0 is 0.
 * - `msgpack`: besides what JSON has, bytes, `Date`, `Map`, `Set`, `bigint`, typed arrays, NaN, infinities and −0.
 *
 * In both, properties that are `undefined`, named by symbols or not enumerable are left out.
 *
 * @returns Bytes of the caller's own.
 * @throws {ZeromeshError} `ENCODING_FAILED` for everything else that the encoding cannot carry, with its place in
 * the message and in `details.path`. `cause` has the engine's own error.
 */
export function encodePayload(value: unknown, encoding: PayloadEncoding): Uint8Array {
  if (value === undefined) return nothing;
  try {
    return encoding === "msgpack" ? encodeMsgpack(value) : encodeUtf8(stringifyJson(value));
  } catch (cause) {
    const name = encoding === "msgpack" ? "MessagePack" : "JSON";
    throw new ZeromeshError("ENCODING_FAILED", `Cannot encode the payload as ${name}: ${errorText(cause)}`, {
      cause,
      details: cause instanceof Unencodable ? { path: cause.path } : undefined,
    });
  }
}

/**
 * Decodes a typed payload. Never throws; the text of `error` is for people and for the wire.
 *
 * An empty payload is `undefined`. In MessagePack, bytes are copies, and 64-bit integers, which other programs write,
 * are `number` where that is exact and else `bigint`; what is refused is at {@link decodeMsgpack}. Neither encoding may
 * nest deeper than {@link maxPayloadDepth}, which is found before JSON is parsed.
 */
export function decodePayload(bytes: Uint8Array, encoding: PayloadEncoding): DecodedPayload {
  if (bytes.length === 0) return { value: undefined };
  try {
    if (encoding === "msgpack") return { value: decodeMsgpack(bytes) };
    if (nestsDeeper(bytes, maxPayloadDepth)) return { error: `not a JSON value: ${nestsTooDeep}` };
    const text = decodeUtf8(bytes, 0, bytes.length);
    return text === null ? { error: "not valid UTF-8" } : { value: JSON.parse(text) as unknown };
  } catch (error) {
    return {
      error: error instanceof MalformedMsgpack
        ? `not a MessagePack value: ${error.message}`
        : errorText(error),
    };
  }
}
