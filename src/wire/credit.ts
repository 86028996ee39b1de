import type { Credit } from "../core/mod.ts";
import { viewOf } from "./bytes.ts";

/**
 * Handler name of feature `credit`: a fire-and-forget system message by which a receiver grants totals of unanswered
 * messages, and of their payload bytes, that the sender may send over this connection since it began.
 */
export const creditHandler = "_credit";

/** Bytes of the payload of a credit message. */
export const creditSize = 16;

const word = 2 ** 32;

/**
 * The payload of a credit message: u64 messages, u64 bytes, little-endian, both totals since the connection began.
 *
 * @param total Both numbers are integers from 0 to 2^53 - 1.
 */
export function encodeCredit(total: Credit): Uint8Array {
  const bytes = new Uint8Array(creditSize);
  const view = viewOf(bytes);
  writeInteger(view, 0, total.count);
  writeInteger(view, 8, total.bytes);
  return bytes;
}

/** Decodes the payload of a credit message; `null` unless it is 16 bytes with numbers up to 2^53 - 1. Never throws. */
export function decodeCredit(bytes: Uint8Array): Credit | null {
  if (bytes.length !== creditSize) return null;
  const view = viewOf(bytes);
  const credit = { count: readInteger(view, 0), bytes: readInteger(view, 8) };
  return Number.isSafeInteger(credit.count) && Number.isSafeInteger(credit.bytes) ? credit : null;
}

function writeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % word, true);
  view.setUint32(at + 4, Math.floor(value / word), true);
}

function readInteger(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * word;
}
