/**
 * libzmq as a foreign library, called the same way on Bun and Deno.
 *
 * This is the lowest layer: C functions with errors as negative numbers, memory with a fixed address, and a
 * {@link Waiter} that tells the event loop when sockets have something to say. Importing it does nothing; the
 * library is looked for and opened by {@link openBackend}. A socket belongs to the thread that made it.
 *
 * @example Usage
 * ```ts ignore
 * import { isFailure, openBackend, SendFlag, SocketType, zmqError } from "zeromesh/ffi";
 *
 * const backend = await openBackend();
 * const context = backend.contextNew();
 * const socket = backend.socket(context, SocketType.PUSH);
 * if (isFailure(socket)) throw zmqError(socket, "zmq_socket");
 * const endpoint = "tcp://127.0.0.1:5555";
 * const connected = backend.connect(socket, endpoint);
 * if (connected < 0) throw zmqError(connected, "zmq_connect", endpoint);
 * backend.send(socket, new TextEncoder().encode("hello"), SendFlag.DONTWAIT);
 * backend.closeSocket(socket);
 * await backend.contextTerm(context);
 * ```
 *
 * @module
 */
import type { Backend } from "./backend.ts";
import type { SearchPlace } from "./library.ts";

export {
  type ErrorCode,
  type KnownErrorCode,
  knownErrorCodes,
  type Ran,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "../src/core/mod.ts";
export type { Backend, Handle, LibraryInfo, Region, Waiter, WaiterOptions } from "./backend.ts";
export type { TcpConnections } from "./connection.ts";
export {
  capabilities,
  type Capability,
  ContextOption,
  Errno,
  type ErrnoTable,
  errnoTables,
  Mechanism,
  MessageProperty,
  MessageText,
  MonitorEvent,
  type OptionKind,
  optionKind,
  PollEvent,
  ProtocolError,
  ReceiveFlag,
  RouterNotify,
  SendFlag,
  SocketOption,
  SocketType,
} from "./constants.ts";
export { errnoName, errnoText, isFailure, zmqError, type ZmqErrorDetails } from "./errno.ts";
export { embeddedLibrary, libraryVariable, type RefusedCandidate, type SearchPlace } from "./library.ts";

/** What {@link openBackend} can be told. */
export interface OpenBackendOptions {
  /** The libzmq to use, a path or a name for the loader; nothing else is tried then. */
  library?: string | undefined;
  /**
   * Where to look without `library` and without `ZEROMESH_LIBZMQ`, in this order.
   *
   * @default {["embedded", "system", "bundled"]}
   */
  search?: readonly SearchPlace[] | undefined;
}

const opened = new Map<string, Promise<Backend>>();

/**
 * Opens libzmq, once per JavaScript thread and per library; later calls get the same backend.
 *
 * The first that loads and has every function that is needed wins: the option, the variable
 * `ZEROMESH_LIBZMQ`, a file registered with {@link embeddedLibrary}, the system's own, and on Linux the one in
 * the npm package `zeromq`. An option or a variable that does not work is an error at once. The library stays
 * loaded until the process ends.
 *
 * @param options Which library, where it matters.
 * @returns The backend; {@link Backend.library} says what was found.
 * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`: no candidate was usable; the message lists them all, and
 * `details.candidates` has them as {@link RefusedCandidate}s.
 *
 * @example Usage
 * ```ts ignore
 * import { openBackend } from "zeromesh/ffi";
 *
 * const { library } = await openBackend();
 * console.log(`libzmq ${library.version} from ${library.path}, CURVE: ${library.capabilities.includes("curve")}`);
 * ```
 */
export function openBackend(options: OpenBackendOptions = {}): Promise<Backend> {
  const key = JSON.stringify([options.library, options.search]);
  let backend = opened.get(key);
  if (backend === undefined) {
    backend = load(options);
    opened.set(key, backend);
    // What was not found may be there the next time.
    backend.catch(() => opened.delete(key));
  }
  return backend;
}

async function load(options: OpenBackendOptions): Promise<Backend> {
  const { openBackend } = "Bun" in globalThis ? await import("./bun.ts") : await import("./deno.ts");
  return openBackend(options);
}
