import { Buffer } from "node:buffer";
import { type Encoding, ZeromeshError } from "../../core/mod.ts";
import {
  borrowPayload,
  borrowUtf8,
  copyBytes,
  type DecodedPayload,
  decodePayload,
  stringifyJson,
} from "../../wire/mod.ts";
import type { ByteReader, ByteWriter } from "../byte_stream.ts";

/** The first byte of an item's frame, which no frame of Velo begins with. */
const itemTag = 0;
const bare = Uint8Array.of(itemTag);
// From here on the bytes of a binary are not copied by its encoder first.
const largeBinary = 4_096;

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
    if (this.#encoding !== "json" || value === undefined) return this.#writePayload(writer, value);
    if (typeof value === "string" && value.length <= longestLoop) {
      const taken = writeText(writer, value);
      if (taken !== null) return taken;
    }
    if (lacksCredit(writer)) return false;
    let text: string;
    try {
      text = stringifyJson(value);
    } catch {
      return this.#writePayload(writer, value); // throws the error for it
    }
    const { length } = text;
    if (length > longestInPlace) return put(writer, borrowUtf8(text));
    const space = writer.reserve(1 + 3 * length);
    if (space === null) return false;
    const { bytes, at } = space;
    bytes[at] = itemTag;
    const { written } = encoder.encodeInto(text, bytes.subarray(at + 1, at + 1 + 3 * length));
    checkFrame(writer, 1 + written);
    writer.commit(1 + written);
    return true;
  }

  #writePayload(writer: ByteWriter, value: unknown): boolean {
    if (lacksCredit(writer)) return false;
    const head = this.#encoding === "msgpack" ? binaryHead(value) : bare;
    return put(writer, head === bare ? this.#payload(value) : value as Uint8Array, head);
  }

  /** An item for later, which its owner may change until then. @throws {ZeromeshError} `ENCODING_FAILED`. */
  keep(value: unknown): Kept {
    const unchanging = typeof value === "string" && value.length <= longestLoop && this.#encoding === "json";
    if (unchanging) return value;
    const head = this.#encoding === "msgpack" ? binaryHead(value) : bare;
    return framed(head === bare ? this.#payload(value) : value as Uint8Array, head);
  }

  /** Sends what {@link keep} has made, as {@link write} does. */
  writeKept(writer: ByteWriter, kept: Kept): boolean {
    if (typeof kept === "string") return this.write(writer, kept);
    checkFrame(writer, kept.length);
    return writer.write(kept);
  }

  /** The payload of an item, in memory that the next one is written to. */
  #payload(value: unknown): Uint8Array {
    const encoding = this.#encoding;
    return encoding === "bytes" ? value as Uint8Array : borrowPayload(value, encoding);
  }

  /** Reads the frame of an item, to which a reader has advanced. Never throws. */
  decode({ bytes, start, end }: Pick<ByteReader, "bytes" | "start" | "end">): DecodedPayload {
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

/** Whether there is no credit, so that nothing need be encoded. The writer notes that some is wanted. */
function lacksCredit(writer: ByteWriter): boolean {
  return !writer.open && writer.reserve(0) === null;
}

/** Sends the frame of a payload, which is copied once: new memory for 64 KiB costs more than writing it. */
function put(writer: ByteWriter, payload: Uint8Array, head: Uint8Array = bare): boolean {
  const length = head.length + payload.length;
  checkFrame(writer, length);
  const space = writer.reserve(length);
  if (space === null) return false;
  const { bytes, at } = space;
  bytes.set(head, at);
  copyBytes(bytes, at + head.length, payload, payload.length);
  writer.commit(length);
  return true;
}

/** What precedes the bytes of a large binary in MessagePack, with the tag; {@link bare} for other values. */
function binaryHead(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length < largeBinary) return bare;
  const { length } = value;
  return length < 0x10000 ? Uint8Array.of(itemTag, 0xc5, length >>> 8, length & 0xff) : Uint8Array.of(
    itemTag,
    0xc6,
    length >>> 24,
    (length >>> 16) & 0xff,
    (length >>> 8) & 0xff,
    length & 0xff,
  );
}

function checkFrame({ maxFrameBytes }: ByteWriter, length: number): void {
  if (length <= maxFrameBytes) return;
  const why =
    `it has ${length} bytes, more than the other end takes (${maxFrameBytes}, by its maxPayloadBytes)`;
  throw new ZeromeshError("PAYLOAD_TOO_LARGE", why, {
    ran: "no",
    details: { bytes: length, limit: maxFrameBytes },
  });
}

function framed(payload: Uint8Array, head: Uint8Array): Uint8Array {
  const frame = new Uint8Array(head.length + payload.length);
  frame.set(head);
  frame.set(payload, head.length);
  return frame;
}
