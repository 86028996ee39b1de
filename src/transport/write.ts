import { Errno, type Handle, SendFlag } from "../libzmq/mod.ts";
import type { LinkShared } from "./link_shared.ts";

/** The result of a write to libzmq. */
export const WriteOutcome = { sent: 0, blocked: 1, lost: 2 } as const;
/** A value of {@link WriteOutcome}. */
export type WriteOutcome = (typeof WriteOutcome)[keyof typeof WriteOutcome];

const wouldBlock = -Errno.EAGAIN;
const dontWait = SendFlag.DONTWAIT;
const dontWaitMore = SendFlag.DONTWAIT | SendFlag.SNDMORE;

/**
 * Writes type, header and payload to a socket, perhaps after an id frame.
 *
 * Only the first part of a message can be refused completely. When a later one fails, the rest is still sent, because
 * libzmq drops it; stopping would join the next message to this one.
 */
export function writeFromRegion(
  shared: LinkShared,
  socket: Handle,
  type: number,
  headerLength: number,
  payload: Uint8Array,
): WriteOutcome {
  const backend = shared.backend;
  const first = backend.sendRegion(socket, shared.types, type, 1, dontWaitMore);
  if (first < 0) return first === wouldBlock ? WriteOutcome.blocked : WriteOutcome.lost;
  const second = backend.sendRegion(socket, shared.header, 0, headerLength, dontWaitMore);
  const third = backend.send(socket, payload, dontWait);
  return second < 0 || third < 0 ? WriteOutcome.lost : WriteOutcome.sent;
}

/** The same with the header from a view. */
export function writeFromViews(
  shared: LinkShared,
  socket: Handle,
  type: number,
  header: Uint8Array,
  payload: Uint8Array,
): WriteOutcome {
  const backend = shared.backend;
  const first = backend.sendRegion(socket, shared.types, type, 1, dontWaitMore);
  if (first < 0) return first === wouldBlock ? WriteOutcome.blocked : WriteOutcome.lost;
  const second = backend.send(socket, header, dontWaitMore);
  const third = backend.send(socket, payload, dontWait);
  return second < 0 || third < 0 ? WriteOutcome.lost : WriteOutcome.sent;
}
