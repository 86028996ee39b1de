import { errorText, ZeromeshError } from "../../core/mod.ts";
import { decodePayload, encodePayload } from "../../wire/mod.ts";
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
    const { cause, details } = error as ZeromeshError;
    const message = `A value of "${name}" cannot be encoded: ${errorText(cause)}`;
    throw new ZeromeshError("ENCODING_FAILED", message, { handler: name, details, cause });
  }
}

/**
 * Decodes a JSON or MessagePack value.
 *
 * @param code The code of the error for bytes that are none.
 */
export function decodeValue(
  name: string,
  bytes: Uint8Array,
  encoding: "json" | "msgpack",
  code: "PAYLOAD_INVALID" | "RESULT_INVALID",
): unknown {
  const decoded = decodePayload(bytes, encoding);
  if (decoded.error === undefined) return decoded.value;
  const what = code === "PAYLOAD_INVALID" ? "Payload" : "Result";
  throw new ZeromeshError(code, `${what} of "${name}" is invalid: ${decoded.error}`, {
    handler: name,
    ran: code === "PAYLOAD_INVALID" ? "no" : "yes",
  });
}
