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
import { option, type OptionTable, readOptions } from "../src/core/mod.ts";
import type { Backend } from "./backend.ts";
import { defaultSearch, type SearchPlace } from "./library.ts";

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

const openOptionTable: OptionTable<OpenBackendOptions> = {
  library: option.text,
  search: option.kind(
    `an array of ${defaultSearch.map((place) => `"${place}"`).join(", ")}`,
    (value) => Array.isArray(value) && value.every((place) => defaultSearch.includes(place)),
  ),
};

/** The right to use a backend until it is disposed of. */
export interface BackendLease extends Disposable {
  /** The backend. */
  readonly backend: Backend;
}

interface Opened {
  readonly backend: Promise<Backend>;
  /** How many use it; one that was handed out by {@link openBackend} is used for ever. */
  leases: number;
}

const opened = new Map<string, Opened>();

/**
 * Opens libzmq, once per JavaScript thread and per library; later calls get the same backend.
 *
 * The first that loads and has every function that is needed wins: the option, the variable
 * `ZEROMESH_LIBZMQ`, a file registered with {@link embeddedLibrary}, the system's own, and on Linux the one in
 * the npm package `zeromq`. An option or a variable that does not work is an error at once. The library stays
 * loaded until the process ends. {@link leaseBackend} is for whoever can say when it is needed no more.
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
export async function openBackend(options?: OpenBackendOptions): Promise<Backend> {
  return (await leaseBackend(options)).backend;
}

/**
 * Opens libzmq as {@link openBackend} does, for a time: when the last lease of a thread is disposed of, the runtime's
 * handles of the library are given back. That is what the resource sanitizer of `Deno.test` looks for.
 *
 * @param options Which library, where it matters.
 * @returns The right to use the backend; nothing made with it may be left when it is disposed of.
 * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, as for {@link openBackend}.
 */
export async function leaseBackend(given?: OpenBackendOptions): Promise<BackendLease> {
  const options = readOptions(given, openOptionTable, "Cannot open libzmq");
  const key = JSON.stringify([options.library, options.search]);
  const entry = opened.get(key) ?? { backend: load(options), leases: 0 };
  opened.set(key, entry);
  entry.leases++;
  let backend: Backend;
  try {
    backend = await entry.backend;
  } catch (error) {
    // What was not found may be there the next time.
    if (opened.get(key) === entry) opened.delete(key);
    throw error;
  }
  let held = true;
  return {
    backend,
    [Symbol.dispose]() {
      if (!held) return;
      held = false;
      if (--entry.leases === 0 && backend.release()) opened.delete(key);
    },
  };
}

async function load(options: OpenBackendOptions): Promise<Backend> {
  const { openBackend } = "Bun" in globalThis ? await import("./bun.ts") : await import("./deno.ts");
  return openBackend(options);
}
