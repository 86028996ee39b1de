// Not from "msgpackr" itself: its entry for servers opens a native addon and reads a variable at import.
import { Packr } from "msgpackr/pack";
import { errorText, ZeromeshError } from "../core/mod.ts";
import { scanMsgpack } from "./msgpack_scan.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** How a typed payload becomes bytes: JSON unless a contract asks for MessagePack (feature `msgpack`). */
export type PayloadEncoding = "json" | "msgpack";

/** The outcome of {@link decodePayload}. */
export type DecodedPayload =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly error: string; readonly value?: undefined };

const packrOptions = {
  useRecords: false,
  variableMapSize: true,
  moreTypes: false,
  copyBuffers: true,
  encodeUndefinedAsNil: true,
  skipValues: [undefined],
  int64AsType: "auto",
  writeFunction: (): never => {
    throw new TypeError("a function cannot be encoded");
  },
};

const packr = new Packr(packrOptions as ConstructorParameters<typeof Packr>[0]);

/**
 * Encodes a typed payload.
 *
 * - `json`: UTF-8 of `JSON.stringify`, its rules included; `undefined` gives `null`.
 * - `msgpack`: `Uint8Array` is a binary, `Date` the standard timestamp, `bigint` a 64-bit integer, `undefined`
 *   nil; properties that are `undefined` are left out, as in JSON.
 *
 * @returns Bytes of the caller's own.
 * @throws {ZeromeshError} `ENCODING_FAILED` for what the encoding cannot say: a function or symbol, a cycle, in
 * JSON a `bigint`, in MessagePack one beyond 64 bits, or whatever {@link decodePayload} would refuse. JSON leaves
 * out functions and symbols inside objects, as ever. `cause` has the engine's own error.
 */
export function encodePayload(value: unknown, encoding: PayloadEncoding): Uint8Array {
  try {
    if (encoding === "msgpack") return encodeMsgpack(value);
    if (value === undefined) return encodeUtf8("null");
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`a ${typeof value} cannot be encoded`);
    return encodeUtf8(text);
  } catch (cause) {
    const name = encoding === "msgpack" ? "MessagePack" : "JSON";
    throw new ZeromeshError("ENCODING_FAILED", `Cannot encode the payload as ${name}: ${errorText(cause)}`, {
      cause,
    });
  }
}

function encodeMsgpack(value: unknown): Uint8Array {
  const bytes = new Uint8Array(packr.pack(value)); // a copy: the encoder returns a view of its own buffer
  const fault = scanMsgpack(bytes);
  if (fault !== null) throw new RangeError(fault);
  return bytes;
}

/**
 * Decodes a typed payload. Never throws; the text of `error` is for people and for the wire.
 *
 * An empty payload is `null`, as in Velo. In MessagePack, binaries are copies, 64-bit integers are `number` where
 * that is exact and else `bigint`, timestamps are `Date`; what is refused beforehand is at {@link scanMsgpack}.
 */
export function decodePayload(bytes: Uint8Array, encoding: PayloadEncoding): DecodedPayload {
  if (bytes.length === 0) return { value: null };
  try {
    if (encoding === "msgpack") {
      const fault = scanMsgpack(bytes);
      if (fault !== null) return { error: `not a MessagePack value: ${fault}` };
      // A view of its own: the decoder leaves a property on the array it reads.
      return {
        value: packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as unknown,
      };
    }
    const text = decodeUtf8(bytes, 0, bytes.length);
    return text === null ? { error: "not valid UTF-8" } : { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { error: errorText(error) };
  }
}
