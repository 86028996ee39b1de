import { ZeromeshError } from "../src/core/mod.ts";
import type { Handle } from "./backend.ts";
import { Errno, type ErrnoTable } from "./constants.ts";

/** Meanings of the common errors in libzmq. */
const texts: { readonly [Name in keyof ErrnoTable]?: string } = {
  EPERM: "not permitted",
  ENOENT: "no such file, or nothing is bound there",
  EINTR: "interrupted by a signal",
  EAGAIN: "not possible right now",
  ENOMEM: "out of memory",
  EACCES: "permission denied",
  EFAULT: "not a valid handle",
  EBUSY: "in use",
  ENODEV: "no such network interface",
  EINVAL: "not valid",
  ENFILE: "the system has no file descriptors left",
  EMFILE: "no file descriptors or sockets left",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the path is too long",
  ENOTSOCK: "the socket is closed",
  EMSGSIZE: "the message is too large",
  EPROTONOSUPPORT: "the protocol is not known to this libzmq",
  ENOTSUP: "not supported by this socket type or this libzmq",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "no interface of this host has the address",
  EHOSTUNREACH: "the peer cannot be reached",
  EFSM: "not possible in the socket's present state",
  ENOCOMPATPROTO: "the protocol does not fit the socket type",
  ETERM: "the context was terminated",
  EMTHREAD: "there is no I/O thread",
};

let names: ReadonlyMap<number, keyof ErrnoTable> | undefined;

function nameTable(): ReadonlyMap<number, keyof ErrnoTable> {
  names ??= new Map((Object.keys(Errno) as (keyof ErrnoTable)[]).map((name) => [Errno[name], name]));
  return names;
}

/**
 * The name of an error number.
 *
 * @param errno A positive error number of this platform.
 * @returns A name such as `"EAGAIN"`, or `"errno 7"` for one that is not in {@link Errno}.
 * @see man zmq_errno(3)
 */
export function errnoName(errno: number): string {
  return nameTable().get(errno) ?? `errno ${errno}`;
}

/**
 * A short text for an error number, without calling the library.
 *
 * @param errno A positive error number of this platform.
 * @returns A text such as `"the address is in use"`; the name if there is none.
 */
export function errnoText(errno: number): string {
  const name = nameTable().get(errno);
  return (name === undefined ? undefined : texts[name]) ?? errnoName(errno);
}

/**
 * Whether a result of the backend is a negated error number, and not a handle.
 *
 * `typeof` does not distinguish them, since a handle may be a positive number.
 *
 * @param result The result of a call of the backend.
 * @returns True for an error.
 */
export function isFailure(result: Handle | number): result is number {
  return typeof result === "number" && result < 0;
}

/** The `details` of {@link zmqError}. */
export interface ZmqErrorDetails {
  /** The name of the error, such as `"EADDRINUSE"`, which is the same on every platform. */
  readonly errno: string;
  /** The positive error number, which is not. */
  readonly number: number;
  /** The failed C function. */
  readonly syscall: string;
  /** The endpoint of the call. */
  readonly endpoint: string | undefined;
}

/** Errors for a limit of this process, of the system, or of the context. */
const limitErrors: readonly number[] = [Errno.EMFILE, Errno.ENFILE];

/** Errors for an unusable endpoint. */
const endpointErrors: readonly number[] = [
  Errno.EINVAL,
  Errno.EPROTONOSUPPORT,
  Errno.ENOCOMPATPROTO,
  Errno.ENODEV,
  Errno.EADDRNOTAVAIL,
  Errno.ENAMETOOLONG,
  Errno.ENOENT,
  Errno.ENOTDIR,
];

/**
 * The error for a failed call.
 *
 * @param result The negated error number that the backend returned.
 * @param syscall The C function, such as `"zmq_bind"`.
 * @param endpoint The endpoint of the call, if any.
 * @returns A `ZeromeshError` with code `ADDRESS_IN_USE`, `ENDPOINT_INVALID`, `LIMIT_REACHED`, `CLOSED` or
 * `ZMQ_ERROR`, whose `details` are {@link ZmqErrorDetails}.
 * @see man zmq_bind(3), zmq_connect(3)
 */
export function zmqError(result: number, syscall: string, endpoint?: string): ZeromeshError {
  const errno = Math.abs(result);
  const name = errnoName(errno);
  const details: ZmqErrorDetails = { errno: name, number: errno, syscall, endpoint };
  const at = endpoint === undefined ? "" : ` '${endpoint}'`;
  if (errno === Errno.ETERM) {
    return new ZeromeshError("CLOSED", `Cannot call ${syscall}${at}: its context was terminated`, {
      details,
    });
  }
  const attaching = syscall === "zmq_bind" || syscall === "zmq_connect";
  if (attaching && errno === Errno.EADDRINUSE) {
    return new ZeromeshError("ADDRESS_IN_USE", addressInUse(endpoint ?? "this endpoint"), { details });
  }
  if (attaching && endpointErrors.includes(errno)) {
    const verb = syscall === "zmq_bind" ? "bind" : "connect to";
    return new ZeromeshError(
      "ENDPOINT_INVALID",
      `Cannot ${verb}${at}: ${errnoText(errno)} (${name}); ${endpointHint(errno)}`,
      { details },
    );
  }
  const code = limitErrors.includes(errno) ? "LIMIT_REACHED" : "ZMQ_ERROR";
  return new ZeromeshError(code, `Cannot call ${syscall}${at}: ${errnoText(errno)} (${name})`, { details });
}

function addressInUse(endpoint: string): string {
  const port = /^(?:tcp|ws|wss):\/\/.*:(\d+)/.exec(endpoint)?.[1];
  if (port !== undefined) {
    return `Cannot bind '${endpoint}': port ${port} is in use; ` +
      `stop the program that listens there, or bind port 0 to get a free one`;
  }
  return `Cannot bind '${endpoint}': the address is in use; stop the program that listens there, or choose another`;
}

function endpointHint(errno: number): string {
  switch (errno) {
    case Errno.ENAMETOOLONG:
      return "shorten it to at most 107 bytes";
    case Errno.ENODEV:
    case Errno.EADDRNOTAVAIL:
      return "name an address or an interface that this host has";
    case Errno.ENOENT:
    case Errno.ENOTDIR:
      return "make its folder first";
    case Errno.EPROTONOSUPPORT:
    case Errno.ENOCOMPATPROTO:
      return "use tcp://, ipc:// or inproc://";
    default:
      return "write it as tcp://host:port, ipc:///path or inproc://name";
  }
}
