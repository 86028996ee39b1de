import { Errno } from "../libzmq/mod.ts";
import { type ErrnoError, errnoError } from "./errors.ts";

// Some builds of libzmq end subscriptions by recursion, a level for each byte: 65 535 bytes can end the process at their
// `unsubscribe` in a Worker, whose stack has 2 MiB, and 200 000 when the socket is closed.
const mostPrefixBytes = 16_384;
const subscribes = 1;

/** Refuses a prefix that libzmq may not be able to end. @throws {ErrnoError} `EINVAL`. */
export function checkPrefix(socket: string, prefix: Uint8Array): void {
  if (prefix.length > mostPrefixBytes) throw tooLong(socket, prefix.length);
}

/** {@link checkPrefix} of what an XSubscriber sends, each part of which may be a subscription. @throws {ErrnoError} `EINVAL`. */
export function checkSubscriptions(socket: string, parts: readonly Uint8Array[]): void {
  for (const part of parts) if (isTooLong(part.length, part[0])) throw tooLong(socket, part.length - 1);
}

/** Whether a part to an XSubscriber is a subscription that {@link checkPrefix} refuses. */
export function isTooLong(bytes: number, first: number | undefined): boolean {
  return bytes - 1 > mostPrefixBytes && first === subscribes;
}

/** Whether a part of so many bytes may be one. */
export function mayBeTooLong(bytes: number): boolean {
  return isTooLong(bytes, subscribes);
}

function tooLong(socket: string, bytes: number): ErrnoError {
  const reason =
    `the ${socket} cannot subscribe to a prefix of ${bytes} bytes; the most is ${mostPrefixBytes}, since libzmq may end ` +
    "the process when it ends a longer one";
  return errnoError(Errno.EINVAL, { reason });
}
