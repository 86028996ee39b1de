import { type Backend, Errno } from "../../ffi/mod.ts";
import { ZeromeshError } from "../core/mod.ts";

/** Descriptors of a context and its waiter, without libzmq's threads: measured, with a margin. */
export const contextDescriptors = 8;
/** A socket and its hidden monitor socket. */
export const socketDescriptors = 2;
/** The reader of all monitors, and the socket that probes it with its hidden monitor socket. */
export const monitorReaderDescriptors = 3;
/** A connection. */
export const connectDescriptors = 1;
/** A listener, and the C library's listing of this host's interfaces. */
export const bindDescriptors = 3;

/** The reaper and I/O threads, two for each, which the first socket starts. */
export function threadDescriptors(ioThreads: number): number {
  return 2 * (1 + ioThreads);
}

/**
 * Checks that libzmq can open its descriptors: without one it aborts the process.
 *
 * @param count Number of descriptors.
 * @param purpose The failed action for the error, such as `"open a ROUTER socket"`.
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
      "close unused connections, or raise the limit (ulimit -n)",
    { details: { errno: "EMFILE", number: Errno.EMFILE, syscall: "open", needed: count, spare } },
  );
}
