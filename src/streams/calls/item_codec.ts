import { type DecodedPayload, decodePayload, encodePayload, stringifyJson } from "../../wire/mod.ts";
import { type Encoding, ZeromeshError } from "../../core/mod.ts";
import type { ByteWriter } from "../byte_stream.ts";

/** The first byte of an item's frame, which no frame of Velo begins with. */
const itemTag = 0;

// Longer texts are encoded into memory of their own: in place they would need room for three bytes a character.
const longestInPlace = 4_096;
// Up to here a loop over ASCII is faster than a view and the runtime's encoder.
const longestLoop = 96;
const encoder = new TextEncoder();

/** Frames of items in a contract's encoding. */
export class ItemCodec {
  readonly #encoding: Encoding;

  /** @param encoding The contract's. */
  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  /**
   * Sends an item, encoded in place if it is a short JSON text.
   *
   * @returns False, with nothing sent, without credit.
   * @throws {ZeromeshError} `ENCODING_FAILED`; `PAYLOAD_TOO_LARGE` if the peer does not take it.
   */
  write(writer: ByteWriter, value: unknown): boolean {
    if (this.#encoding !== "json" || value === undefined) return this.#sent(writer, this.encode(value));
    let text: string;
    try {
      text = stringifyJson(value);
    } catch {
      return this.#sent(writer, this.encode(value)); // throws the error for it
    }
    const { length } = text;
    if (length > longestInPlace) return this.#sent(writer, framed(encoder.encode(text)));
    const space = writer.reserve(1 + 3 * length);
    if (space === null) return false;
    const { bytes, at } = space;
    bytes[at] = itemTag;
    let written = 0;
    if (length <= longestLoop) {
      for (; written < length; written++) {
        const code = text.charCodeAt(written);
        if (code >= 0x80) break;
        bytes[at + 1 + written] = code;
      }
    }
    if (written < length) {
      written = encoder.encodeInto(text, bytes.subarray(at + 1, at + 1 + 3 * length)).written;
    }
    if (1 + written > writer.maxFrameBytes) return this.#sent(writer, this.encode(value));
    writer.commit(1 + written);
    return true;
  }

  #sent(writer: ByteWriter, frame: Uint8Array): boolean {
    checkFrame(writer, frame);
    return writer.write(frame);
  }

  /** The frame of an item. @throws {ZeromeshError} `ENCODING_FAILED`. */
  encode(value: unknown): Uint8Array {
    return framed(encodePayload(value, this.#encoding));
  }

  /** Reads an item's frame, `bytes[start..end)`. Never throws. */
  decode(bytes: Uint8Array, start: number, end: number): DecodedPayload {
    if (start >= end || bytes[start] !== itemTag) return { error: "it is no item of a contract" };
    return decodePayload(bytes.subarray(start + 1, end), this.#encoding);
  }
}

/** Refuses a frame that the other end does not take. @throws {ZeromeshError} `PAYLOAD_TOO_LARGE`. */
export function checkFrame({ maxFrameBytes }: ByteWriter, { length }: Uint8Array): void {
  if (length <= maxFrameBytes) return;
  const why =
    `it has ${length} bytes, more than the other end takes (${maxFrameBytes}, by its maxPayloadBytes)`;
  throw new ZeromeshError("PAYLOAD_TOO_LARGE", why, {
    ran: "no",
    details: { bytes: length, limit: maxFrameBytes },
  });
}

function framed(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(payload.length + 1);
  frame[0] = itemTag;
  frame.set(payload, 1);
  return frame;
}
