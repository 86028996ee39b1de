import { Errno, type Handle, SendFlag } from "../libzmq/mod.ts";
import type { LinkShared } from "./link_shared.ts";

/** The result of a write to libzmq. */
export const WriteOutcome = { sent: 0, blocked: 1, lost: 2 } as const;
/** A value of {@link WriteOutcome}. */
export type WriteOutcome = (typeof WriteOutcome)[keyof typeof WriteOutcome];

const wouldBlock = -Errno.EAGAIN;
const dontWait = SendFlag.DONTWAIT;
const dontWaitMore = SendFlag.DONTWAIT | SendFlag.SNDMORE;

/** A header: a view of it, or its length when it lies at the start of the shared header memory. */
export type Header = Uint8Array | number;

/**
 * Writes type, header and payload to a socket, perhaps after an id frame.
 *
 * Only the first part of a message can be refused completely. When a later one fails, the rest is still sent, because
 * libzmq drops it; stopping would join the next message to this one.
 */
export function writeMessage(
  { backend, types, header: region }: LinkShared,
  socket: Handle,
  type: number,
  header: Header,
  payload: Uint8Array,
): WriteOutcome {
  const first = backend.sendRegion(socket, types, type, 1, dontWaitMore);
  if (first < 0) return first === wouldBlock ? WriteOutcome.blocked : WriteOutcome.lost;
  const second = typeof header === "number"
    ? backend.sendRegion(socket, region, 0, header, dontWaitMore)
    : backend.send(socket, header, dontWaitMore);
  const third = backend.send(socket, payload, dontWait);
  return second < 0 || third < 0 ? WriteOutcome.lost : WriteOutcome.sent;
}
