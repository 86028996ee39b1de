import { decodeUtf8, encodeUtf8, MsgpackCursor } from "../../wire/mod.ts";

/**
 * Frames of Velo, in MessagePack: a unit variant is its name, another one a map of the name to the value.
 *
 * | frame | bytes | |
 * |---|---|---|
 * | item | `81 a4 "Item"`, the value | |
 * | senderError | `81 ab "SenderError"`, a string | an error, after which the stream goes on |
 * | transportError | `81 ae "TransportError"`, a string | terminal |
 * | dropped, detached, finalized | `a7 "Dropped"`, `a8 "Detached"`, `a9 "Finalized"` | terminal |
 * | heartbeat | `a9 "Heartbeat"` | says only that the writer lives |
 */
export type FrameKind =
  | "item"
  | "senderError"
  | "transportError"
  | "dropped"
  | "detached"
  | "finalized"
  | "heartbeat";

/** Why a frame was refused: it is none of {@link FrameKind}, or its text is not a string alone. */
export type FrameRefusal = "frameKind" | "frameText";

const units = new Map<string, FrameKind>([
  ["Dropped", "dropped"],
  ["Detached", "detached"],
  ["Finalized", "finalized"],
  ["Heartbeat", "heartbeat"],
]);

const pairs = new Map<string, FrameKind>([
  ["Item", "item"],
  ["SenderError", "senderError"],
  ["TransportError", "transportError"],
]);

/** The bytes in front of an item's value. */
export const itemPrefix: Uint8Array = Uint8Array.of(0x81, 0xa4, 0x49, 0x74, 0x65, 0x6d);

/**
 * The last frames of a stream that has no more to say.
 *
 * @ignore
 */
export const terminalFrames: Readonly<Record<"dropped" | "detached" | "finalized", Uint8Array>> = {
  dropped: unit("Dropped"),
  detached: unit("Detached"),
  finalized: unit("Finalized"),
};

/** The frame of a writer that has nothing to send. */
export const heartbeatFrame: Uint8Array = unit("Heartbeat");

/** The frame of an item, given its value in MessagePack. */
export function itemFrame(value: Uint8Array): Uint8Array {
  return joined(itemPrefix, value);
}

/** The frame of an error after which the stream goes on. */
export function senderErrorFrame(text: string): Uint8Array {
  return pair("SenderError", text);
}

/**
 * The last frame of a stream that failed.
 *
 * @ignore
 */
export function transportErrorFrame(text: string): Uint8Array {
  return pair("TransportError", text);
}

/** Reads frames. One object serves all. */
export class FrameReader {
  /** What the last frame is. */
  kind: FrameKind = "heartbeat";
  /** Where the value of an item begins; it ends with the frame. */
  valueStart = 0;
  /** The text of an error. */
  text = "";

  /** Reads the frame `bytes[start..end)`. Returns why it is refused, or null. */
  read(bytes: Uint8Array, start: number, end: number): FrameRefusal | null {
    const cursor = new MsgpackCursor(bytes, start, end);
    const isPair = bytes[start] === 0x81;
    if (isPair) cursor.readMapSize();
    const nameAt = cursor.readString();
    const name = nameAt < 0 ? null : decodeUtf8(bytes, nameAt, cursor.at);
    const kind = name === null ? undefined : (isPair ? pairs : units).get(name);
    if (kind === undefined) return "frameKind";
    this.kind = kind;
    this.text = "";
    this.valueStart = cursor.at;
    if (!isPair) return cursor.at === end ? null : "frameKind";
    if (kind === "item") return cursor.at < end ? null : "frameText";
    const textAt = cursor.readString();
    const text = textAt < 0 || cursor.at !== end ? null : decodeUtf8(bytes, textAt, end);
    if (text === null) return "frameText";
    this.text = text;
    return null;
  }
}

function unit(name: string): Uint8Array {
  const bytes = encodeUtf8(name);
  return joined(Uint8Array.of(0xa0 + bytes.length), bytes);
}

function pair(name: string, text: string): Uint8Array {
  const bytes = encodeUtf8(text);
  const { length } = bytes;
  const token = length < 32
    ? [0xa0 + length]
    : length < 256
    ? [0xd9, length]
    : length < 65_536
    ? [0xda, length >>> 8, length & 0xff]
    : [0xdb, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
  return joined(Uint8Array.of(0x81), unit(name), Uint8Array.from(token), bytes);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
