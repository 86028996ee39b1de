import { errorText, ZeromeshError } from "../../core/mod.ts";
import { borrowPayload, decodeJson, decodePayload, encodePayload, payloadText } from "../../wire/mod.ts";
import { type ActorContract, isBytes } from "./contract.ts";

/** The encodings of values, by their numbers on the wire. */
export const valueEncodings = ["json", "msgpack", "bytes"] as const;
/** How the value of a message is encoded: as its contract says, or bytes for actors without a contract. */
export type ValueEncoding = (typeof valueEncodings)[number];

/** How the values of a contract are encoded. */
export function encodingOf(contract: ActorContract): ValueEncoding {
  return isBytes(contract) ? "bytes" : contract.encoding;
}

/**
 * Encodes a value that its schema has accepted.
 *
 * @throws {ZeromeshError} `ENCODING_FAILED`.
 */
export function encodeValue(name: string, value: unknown, encoding: ValueEncoding): Uint8Array {
  // The schema of bytes takes nothing else.
  if (encoding === "bytes") return value as Uint8Array;
  try {
    return encodePayload(value, encoding);
  } catch (error) {
    throw cannotEncode(name, error as ZeromeshError);
  }
}

/** The same in memory that is written again by the next payload. @throws {ZeromeshError} `ENCODING_FAILED`. */
export function borrowValue(name: string, value: unknown, encoding: ValueEncoding): Uint8Array {
  if (encoding === "bytes") return value as Uint8Array;
  try {
    return borrowPayload(value, encoding);
  } catch (error) {
    throw cannotEncode(name, error as ZeromeshError);
  }
}

/** The same as text if it is JSON, for memory of the caller's. @throws {ZeromeshError} `ENCODING_FAILED`. */
export function textOrBytesOf(name: string, value: unknown, encoding: ValueEncoding): string | Uint8Array {
  if (encoding !== "json" || value === undefined) return borrowValue(name, value, encoding);
  try {
    return payloadText(value);
  } catch (error) {
    throw cannotEncode(name, error as ZeromeshError);
  }
}

function cannotEncode(name: string, { cause, details }: ZeromeshError): ZeromeshError {
  const message = `A value of "${name}" cannot be encoded: ${errorText(cause)}`;
  return new ZeromeshError("ENCODING_FAILED", message, { handler: name, details, cause });
}

/**
 * Decodes a JSON or MessagePack value.
 *
 * @param code The code of the error for bytes that are none.
 * @param start Where the value begins; it ends at `end`.
 */
export function decodeValue(
  name: string,
  bytes: Uint8Array,
  encoding: "json" | "msgpack",
  code: "PAYLOAD_INVALID" | "RESULT_INVALID",
  start = 0,
  end: number = bytes.length,
): unknown {
  // A view costs as much as the rest of a short value.
  const decoded = encoding === "json" && end > start
    ? decodeJson(bytes, start, end)
    : decodePayload(bytes.subarray(start, end), encoding);
  if (decoded.error === undefined) return decoded.value;
  const what = code === "PAYLOAD_INVALID" ? "Payload" : "Result";
  throw new ZeromeshError(code, `${what} of "${name}" is invalid: ${decoded.error}`, {
    handler: name,
    ran: code === "PAYLOAD_INVALID" ? "no" : "yes",
  });
}
