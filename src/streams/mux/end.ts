import type { StreamEnd } from "../byte_stream.ts";
import { FrameReader, terminalFrames } from "../wire/frame.ts";

const reader = new FrameReader();
const { finalized } = terminalFrames;
const finished: StreamEnd = Object.freeze({ reason: "finalized", text: "" });

/** What a frame means to the multiplexer: an item, a sign of life, or the end. */
export type FrameMeaning = "item" | "heartbeat" | StreamEnd;

/**
 * What the frame `bytes[start..end)` means. Frames other than Velo's are items, whatever they hold, unless they begin
 * like one of Velo's that is not an item.
 */
export function meaningOf(bytes: Uint8Array, start: number, end: number): FrameMeaning {
  if (isFinalized(bytes, start, end)) return finished;
  if (isItem(bytes, start) || reader.read(bytes, start, end) !== null) return "item";
  switch (reader.kind) {
    case "heartbeat":
      return "heartbeat";
    case "transportError":
      return { reason: "failed", text: reader.text };
    case "finalized":
    case "detached":
    case "dropped":
      return { reason: reader.kind, text: "" };
    default:
      return "item";
  }
}

/** Whether a frame is the usual last one, which each stream has. */
function isFinalized(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== finalized.length) return false;
  for (let i = 0; i < finalized.length; i++) if (bytes[start + i] !== finalized[i]) return false;
  return true;
}

/** Whether a frame is an item according to its first bytes, which almost all are. */
export function isItem(bytes: Uint8Array, start: number): boolean {
  const first = bytes[start]!;
  return first === 0x81 ? bytes[start + 1] !== 0xae : first < 0xa7 || first > 0xa9;
}
