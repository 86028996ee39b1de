import { Buffer } from "node:buffer";
import { type Encoding, ZeromeshError } from "../../core/mod.ts";
import { type DecodedPayload, decodePayload, encodePayload, stringifyJson } from "../../wire/mod.ts";
import type { ByteReader, ByteWriter } from "../byte_stream.ts";

/** The first byte of an item's frame, which no frame of Velo begins with. */
const itemTag = 0;

// Longer texts are encoded into memory of their own: in place they would need room for three bytes a character.
const longestInPlace = 4_096;
// Up to here a loop over ASCII is faster than a view and the runtime's encoder.
const longestLoop = 96;
// Up to here a look at each byte costs less than the runtime's decoder: on Deno 0.12 instead of 0.75 µs for 64 bytes.
const longestLook = 512;
const quote = 0x22;
const backslash = 0x5c;
const encoder = new TextEncoder();

/** Makes texts of bytes below 0x80. The types of Bun do not name the method, which both runtimes have. */
interface Latin1 {
  latin1Slice(start: number, end: number): string;
}

// A view of each memory that items come in would cost as much as an item on Bun, and 1.5 µs on Deno.
const plain = Buffer.alloc(longestLook) as Buffer & Latin1;

/**
 * An item that is sent later: its frame, or a short text.
 *
 * @ignore
 */
export type Kept = Uint8Array | string;

/**
 * Frames of items in a contract's encoding, or of bytes.
 *
 * @ignore
 */
export class ItemCodec {
  readonly #encoding: Encoding | "bytes";

  /** @param encoding The contract's; `bytes` for items that are bytes. */
  constructor(encoding: Encoding | "bytes") {
    this.#encoding = encoding;
  }

  /**
   * Sends an item, encoded in place if it is a short JSON text.
   *
   * @returns False, with nothing sent, without credit.
   * @throws {ZeromeshError} `ENCODING_FAILED`; `PAYLOAD_TOO_LARGE` if the peer does not take it.
   */
  write(writer: ByteWriter, value: unknown): boolean {
    if (this.#encoding !== "json" || value === undefined) return this.#sent(writer, this.#encode(value));
    if (typeof value === "string" && value.length <= longestLoop) {
      const taken = writeText(writer, value);
      if (taken !== null) return taken;
    }
    let text: string;
    try {
      text = stringifyJson(value);
    } catch {
      return this.#sent(writer, this.#encode(value)); // throws the error for it
    }
    const { length } = text;
    if (length > longestInPlace) return this.#sent(writer, framed(encoder.encode(text)));
    const space = writer.reserve(1 + 3 * length);
    if (space === null) return false;
    const { bytes, at } = space;
    bytes[at] = itemTag;
    const { written } = encoder.encodeInto(text, bytes.subarray(at + 1, at + 1 + 3 * length));
    if (1 + written > writer.maxFrameBytes) return this.#sent(writer, this.#encode(value));
    writer.commit(1 + written);
    return true;
  }

  #sent(writer: ByteWriter, frame: Uint8Array): boolean {
    checkFrame(writer, frame);
    return writer.write(frame);
  }

  /** An item for later, which its owner may change until then. @throws {ZeromeshError} `ENCODING_FAILED`. */
  keep(value: unknown): Kept {
    const unchanging = typeof value === "string" && value.length <= longestLoop && this.#encoding === "json";
    return unchanging ? value : this.#encode(value);
  }

  /** Sends what {@link keep} has made, as {@link write} does. */
  writeKept(writer: ByteWriter, kept: Kept): boolean {
    return typeof kept === "string" ? this.write(writer, kept) : this.#sent(writer, kept);
  }

  #encode(value: unknown): Uint8Array {
    const encoding = this.#encoding;
    return framed(encoding === "bytes" ? value as Uint8Array : encodePayload(value, encoding));
  }

  /** Reads the frame of an item, to which a reader has advanced. Never throws. */
  decode({ bytes, start, end }: ByteReader): DecodedPayload {
    if (start >= end || bytes[start] !== itemTag) return { error: "it is no item of a contract" };
    const from = start + 1;
    if (this.#encoding === "json") {
      const text = plainText(bytes, from, end);
      if (text !== null) return { value: text };
    }
    if (this.#encoding === "bytes") return { value: bytes.slice(from, end) };
    return decodePayload(bytes.subarray(from, end), this.#encoding);
  }
}

/** A short JSON string of ASCII without escapes, whose text is what is between its quotes; null for other JSON. */
function plainText(bytes: Uint8Array, start: number, end: number): string | null {
  const length = end - start - 2;
  if (length < 0 || length > longestLook || bytes[start] !== quote || bytes[end - 1] !== quote) return null;
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + 1 + i]!;
    if (isSpecial(byte)) return null;
    plain[i] = byte;
  }
  return plain.latin1Slice(0, length);
}

/** Writes a text of ASCII without escapes. Returns whether there was credit; null for another text. */
function writeText(writer: ByteWriter, text: string): boolean | null {
  const { length } = text;
  if (length + 3 > writer.maxFrameBytes) return null;
  const space = writer.reserve(length + 3);
  if (space === null) return false;
  const { bytes } = space;
  let { at } = space;
  bytes[at++] = itemTag;
  bytes[at++] = quote;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (isSpecial(code)) return null;
    bytes[at++] = code;
  }
  bytes[at] = quote;
  writer.commit(length + 3);
  return true;
}

/** Whether JSON may write a character otherwise than as a byte of its own. */
function isSpecial(code: number): boolean {
  return code < 0x20 || code > 0x7e || code === quote || code === backslash;
}

function checkFrame({ maxFrameBytes }: ByteWriter, { length }: Uint8Array): void {
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
