/**
 * libzmq through the foreign function interface, with the same API on Bun and Deno.
 *
 * This is the lowest layer: C functions with errors as negative numbers, memory with a fixed address, and a
 * {@link Waiter} that tells the event loop when sockets are readable. Importing it has no effects; {@link openBackend}
 * finds and opens the library. A socket belongs to the thread that made it.
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
import { openBackend as openOnBun } from "./bun.ts";
import { asksForPermission, openBackend as openOnDeno } from "./deno.ts";
import { defaultSearch, type SearchPlace } from "./library.ts";

export {
  type ErrorCode,
  type KnownErrorCode,
  knownErrorCodes,
  type Ran,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "../src/core/mod.ts";
export type {
  Backend,
  Drafts,
  Handle,
  LibraryInfo,
  Region,
  SocketPoller,
  Waiter,
  WaiterOptions,
} from "./backend.ts";
export type { TcpConnections } from "./connection.ts";
export {
  capabilities,
  type Capability,
  ContextOption,
  Errno,
  type ErrnoTable,
  errnoTables,
  linuxErrno,
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

/** Options of {@link openBackend}. */
export interface OpenBackendOptions {
  /** The only libzmq to try, a path or a name for the loader. */
  library?: string | undefined;
  /**
   * Places to search without `library` and without `ZEROMESH_LIBZMQ`, in order.
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

/** A lease of a backend, until it is disposed. */
export interface BackendLease extends Disposable {
  /** The backend. */
  readonly backend: Backend;
}

interface Opened {
  readonly backend: Backend;
  /** Number of leases; a backend of {@link openBackend} is never released. */
  leases: number;
}

const opened = new Map<string, Opened>();

/**
 * Opens libzmq, once per JavaScript thread and per library; later calls return the same backend.
 *
 * The first usable library is taken: the option, the variable `ZEROMESH_LIBZMQ`, a file registered with
 * {@link embeddedLibrary}, the system's own, and on Linux the one in the npm package `zeromq`. An option or a variable
 * that does not work is an error at once. The library stays loaded until the process ends; {@link leaseBackend} can
 * release it.
 *
 * @param options The choice of the library.
 * @returns The backend; {@link Backend.library} describes the library.
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
 * Opens libzmq as {@link openBackend} does. When the last lease of a thread is disposed, the runtime's handles of the
 * library are closed, as the resource sanitizer of `Deno.test` requires.
 *
 * @param options The choice of the library.
 * @returns The lease; contexts and sockets of the backend must be closed before it is disposed.
 * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, as for {@link openBackend}.
 */
// deno-lint-ignore require-await -- a failure is a rejection.
export async function leaseBackend(given?: OpenBackendOptions): Promise<BackendLease> {
  return leaseBackendNow(given);
}

/**
 * {@link leaseBackend} without a promise, for what must be made in one step.
 *
 * @param options The choice of the library.
 * @returns The lease.
 * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, as for {@link openBackend}.
 */
export function leaseBackendNow(given?: OpenBackendOptions): BackendLease {
  const options = readOptions(given, openOptionTable, "Cannot open libzmq");
  const key = JSON.stringify([options.library, options.search]);
  // A failure is not kept: the next call may find a library.
  const entry: Opened = opened.get(key) ?? { backend: load(options), leases: 0 };
  opened.set(key, entry);
  entry.leases++;
  const { backend } = entry;
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

/**
 * Whether {@link openBackend} would make the runtime ask its user for a permission.
 *
 * @returns True on Deno without `--allow-ffi`.
 */
export function opensWithQuestion(): boolean {
  return !("Bun" in globalThis) && asksForPermission();
}

function load(options: OpenBackendOptions): Backend {
  return "Bun" in globalThis ? openOnBun(options) : openOnDeno(options);
}
