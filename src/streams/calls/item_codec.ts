import { Buffer } from "node:buffer";
import { type Encoding, ZeromeshError } from "../../core/mod.ts";
import {
  borrowPayload,
  copyBytes,
  type DecodedPayload,
  decodeJson,
  decodeLatin1,
  decodePayload,
  decodeUtf8,
  stringifyJson,
} from "../../wire/mod.ts";
import type { ByteReader, ByteWriter } from "../byte_stream.ts";

/**
 * The first byte of an item's frame, which no frame of Velo begins with. A text and bytes, which most streams consist
 * of, are what they are, since quotes and lengths cost more than the rest of a large item.
 */
const Tag = {
  /** A value in the contract's encoding; nothing for `undefined`. */
  value: 0,
  /** A text of which each byte is a character: Latin-1. Written where all are below 0x80, as the encoder tells. */
  latin1: 1,
  /** A text in UTF-8. */
  utf8: 2,
  /** A byte array, of contracts in MessagePack. */
  bytes: 3,
} as const;

// Up to here a loop over ASCII is faster than a view and the runtime's encoder.
const longestLoop = 96;
// Longer texts that are not ASCII get no more room than they need.
const longestRoomy = 64 * 1024;
const encoder = new TextEncoder();

/**
 * An item that is sent later: its frame, or a text.
 *
 * @ignore
 */
export type Kept = Uint8Array | string;

/**
 * Where frames of items are written.
 *
 * @ignore
 */
export type FrameSink = Pick<ByteWriter, "open" | "maxFrameBytes" | "write" | "reserve" | "commit">;

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
   * Sends an item, which is encoded in place if it can be.
   *
   * @returns False, with nothing sent, without credit.
   * @throws {ZeromeshError} `ENCODING_FAILED`; `PAYLOAD_TOO_LARGE` if the peer does not take it.
   */
  write(writer: FrameSink, value: unknown): boolean {
    if (typeof value === "string") {
      const taken = value.length <= longestLoop ? writeShort(writer, value, Tag.latin1) : null;
      if (taken !== null) return taken;
      if (value.isWellFormed()) return writeText(writer, value, Tag.latin1, Tag.utf8);
    }
    if (lacksCredit(writer)) return false;
    if (this.#isBytes(value)) return put(writer, Tag.bytes, value);
    if (this.#encoding !== "json" || value === undefined) return put(writer, Tag.value, this.#payload(value));
    let text: string;
    try {
      text = stringifyJson(value);
    } catch {
      return put(writer, Tag.value, this.#payload(value)); // throws the error for it
    }
    const taken = text.length <= longestLoop ? writeShort(writer, text, Tag.value) : null;
    return taken ?? writeText(writer, text, Tag.value, Tag.value);
  }

  /** An item for later, which its owner may change until then. @throws {ZeromeshError} `ENCODING_FAILED`. */
  keep(value: unknown): Kept {
    if (typeof value === "string" && value.isWellFormed()) return value;
    return this.#isBytes(value) ? framed(Tag.bytes, value) : framed(Tag.value, this.#payload(value));
  }

  /** Sends what {@link keep} has made, as {@link write} does. */
  writeKept(writer: FrameSink, kept: Kept): boolean {
    if (typeof kept === "string") return this.write(writer, kept);
    checkFrame(writer, kept.length);
    return writer.write(kept);
  }

  /** Whether an item is sent as its bytes. */
  #isBytes(value: unknown): value is Uint8Array {
    return this.#encoding !== "json" && value instanceof Uint8Array;
  }

  /** The payload of an item, in memory that the next one is written to. */
  #payload(value: unknown): Uint8Array {
    const encoding = this.#encoding;
    return encoding === "bytes" ? value as Uint8Array : borrowPayload(value, encoding);
  }

  /** Reads the frame of an item, to which a reader has advanced. Never throws. */
  decode({ bytes, start, end }: Pick<ByteReader, "bytes" | "start" | "end">): DecodedPayload {
    const decoded = this.decodePlain(bytes, start, end);
    if (decoded !== null) return decoded;
    const from = start + 1;
    const encoding = this.#encoding;
    if (start >= end || bytes[start] !== Tag.value || encoding === "bytes") {
      return { error: "it is no item of a contract" };
    }
    if (from === end) return { value: undefined };
    return encoding === "json"
      ? decodeJson(bytes, from, end)
      : decodePayload(bytes.subarray(from, end), encoding);
  }

  /** The same for a frame of a text or of bytes, which take no more memory than the frame; null for other frames. */
  decodePlain(bytes: Uint8Array, start: number, end: number): DecodedPayload | null {
    const from = start + 1;
    switch (start < end ? bytes[start] : Tag.value) {
      case Tag.latin1:
        return { value: decodeLatin1(bytes, from, end) };
      case Tag.utf8: {
        const text = decodeUtf8(bytes, from, end);
        return text === null ? { error: "not valid UTF-8" } : { value: text };
      }
      case Tag.bytes:
        return { value: partOf(bytes, from, end) };
    }
    return null;
  }
}

/** Writes a short text of ASCII. Returns whether there was credit; null for another text. */
function writeShort(writer: FrameSink, text: string, tag: number): boolean | null {
  const { length } = text;
  if (length >= writer.maxFrameBytes) return null;
  const space = writer.reserve(length + 1);
  if (space === null) return false;
  const { bytes } = space;
  let { at } = space;
  bytes[at++] = tag;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return null;
    bytes[at++] = code;
  }
  writer.commit(length + 1);
  return true;
}

/** Writes a text in place, or returns false without credit. @param ascii The tag if it is ASCII. */
function writeText(writer: FrameSink, text: string, ascii: number, utf8: number): boolean {
  const { length } = text;
  const size = Buffer.byteLength(text);
  checkFrame(writer, 1 + size);
  // With room for three bytes a character, Bun's encoder needs 19 instead of 290 µs for 64 KiB that are not ASCII.
  const most = size === length || length > longestRoomy ? size : 3 * length;
  const space = writer.reserve(1 + most);
  if (space === null) return false;
  const { bytes, at } = space;
  bytes[at] = size === length ? ascii : utf8;
  encoder.encodeInto(text, bytes.subarray(at + 1, at + 1 + most));
  writer.commit(1 + size);
  return true;
}

/** Whether there is no credit, so that nothing need be encoded. The writer notes that some is wanted. */
function lacksCredit(writer: FrameSink): boolean {
  return !writer.open && writer.reserve(0) === null;
}

/** Sends a frame of a tag and a payload, which is copied once: new memory for 64 KiB costs more than writing it. */
function put(writer: FrameSink, tag: number, payload: Uint8Array): boolean {
  const length = 1 + payload.length;
  checkFrame(writer, length);
  const space = writer.reserve(length);
  if (space === null) return false;
  const { bytes, at } = space;
  bytes[at] = tag;
  copyBytes(bytes, at + 1, payload, payload.length);
  writer.commit(length);
  return true;
}

/**
 * A copy of a part. New memory costs more than copying: on Deno 11 µs for 64 KiB if it is made by `slice`, which clears
 * it first, and 8 for a copy of a view; on Bun 5 and 6.
 */
const partOf: (bytes: Uint8Array, start: number, end: number) => Uint8Array = "Bun" in globalThis
  ? (bytes, start, end) => bytes.slice(start, end)
  : (bytes, start, end) => new Uint8Array(bytes.subarray(start, end));

function checkFrame({ maxFrameBytes }: FrameSink, length: number): void {
  if (length <= maxFrameBytes) return;
  const why =
    `it has ${length} bytes, more than the other end takes (${maxFrameBytes}, by its maxPayloadBytes)`;
  throw new ZeromeshError("PAYLOAD_TOO_LARGE", why, {
    ran: "no",
    details: { bytes: length, limit: maxFrameBytes },
  });
}

function framed(tag: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + payload.length);
  frame[0] = tag;
  frame.set(payload, 1);
  return frame;
}
