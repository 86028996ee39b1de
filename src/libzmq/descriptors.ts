import { type Backend, Errno } from "../../ffi/mod.ts";
import { ZeromeshError } from "../core/mod.ts";

/** What a context and its waiter open, without libzmq's threads: measured, and a few for what others open meanwhile. */
export const contextDescriptors = 8;
/** A socket and the hidden one that reports its events. */
export const socketDescriptors = 2;
/** The reader of all monitors, and the socket that probes it with its hidden one. */
export const monitorReaderDescriptors = 3;
/** A connection. */
export const connectDescriptors = 1;
/** A listener, and what the C library opens to list the interfaces of this host. */
export const bindDescriptors = 3;

/** What libzmq's threads open when the first socket starts them: the reaper and the I/O threads, two for each. */
export function threadDescriptors(ioThreads: number): number {
  return 2 * (1 + ioThreads);
}

/**
 * Makes sure that libzmq can open what it is about to: where a descriptor is short it ends the process.
 *
 * @param count How many.
 * @param purpose What cannot be done without, such as `"open a ROUTER socket"`.
 * @throws {ZeromeshError} `LIMIT_REACHED`.
 */
export function requireDescriptors(backend: Backend, count: number, purpose: string): void {
  const spare = backend.spareDescriptors(count);
  if (spare >= count) return;
  const all = backend.descriptors();
  throw new ZeromeshError(
    "LIMIT_REACHED",
    `Cannot ${purpose}: that takes ${count} descriptors, and this process can open ` +
      `${spare === 0 ? "none" : `only ${spare}`}${all === null ? "" : ` more of its ${all.limit}`}; ` +
      "close what is not used, or raise the limit (ulimit -n)",
    { details: { errno: Errno.EMFILE, name: "EMFILE", syscall: "open", needed: count, spare } },
  );
}
