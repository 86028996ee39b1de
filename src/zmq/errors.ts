import { constants } from "node:os";
import { Errno, errnoName } from "../libzmq/mod.ts";
import { library } from "./library.ts";

/** An error of a socket or a context, with the error number of the failed call. */
export interface ErrnoError extends Error {
  /** Name of the error, such as `"EAGAIN"`. */
  code: string;
  /** The positive error number, which differs between platforms. */
  errno: number;
  /** The address of the call that failed, if it had one. */
  address?: string;
  /**
   * Which socket could not do what, and the usual reason or what to do. The message is the text of the package, which
   * programs may compare.
   */
  detail?: string;
}

/** What the package says, where libzmq says less. */
const messages: ReadonlyMap<number, string> = new Map([
  [Errno.EFAULT, "Context is closed"],
  [Errno.EAGAIN, "Operation was not possible or timed out"],
  [Errno.EMFILE, "Too many open file descriptors"],
  [Errno.ENOENT, "No such endpoint"],
  [Errno.EBUSY, "Socket is busy"],
  [Errno.EBADF, "Socket is closed"],
  [Errno.EADDRINUSE, "Address already in use"],
]);

/** The usual reason, or what to do. */
const hints: ReadonlyMap<number, string> = new Map([
  [Errno.EADDRINUSE, "another socket or program has it; close that, or bind to another address or to port *"],
  [Errno.EADDRNOTAVAIL, "no network interface of this machine has that address"],
  [Errno.ENODEV, "there is no such network interface or host"],
  [Errno.EPROTONOSUPPORT, "the loaded libzmq does not have this transport"],
  [Errno.ENOCOMPATPROTO, "this transport is for other types of sockets"],
  [Errno.ENOENT, "it does not have this endpoint: give the one of bind or connect, or lastEndpoint"],
  [Errno.EMFILE, "raise maxSockets of its context or the process's limit of descriptors, or close sockets"],
  [Errno.EMTHREAD, "its context has no I/O thread for it: see ioThreads and affinity"],
  [Errno.ETERM, "its context has ended"],
  [Errno.EHOSTUNREACH, "it has no connected peer with the name that the first part is"],
  [
    Errno.EMSGSIZE,
    "a datagram has at most 8192 bytes, which include a group of at most 127 bytes and a byte for its length",
  ],
  [Errno.ENOTSUP, "sockets of its type do not"],
]);

let names: ReadonlyMap<number, string> | undefined;

function codeOf(errno: number): string {
  const known = errnoName(errno);
  if (known.startsWith("E")) return known;
  names ??= new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
  return names.get(errno) ?? known;
}

/** What an {@link ErrnoError} says. */
interface ErrorParts {
  /** Replaces the text of the package. */
  readonly message?: string;
  /** Follows it, for what the package does not refuse. */
  readonly reason?: string;
  /** See {@link ErrnoError.detail}. */
  readonly detail?: string;
  /** The address of the call. */
  readonly address?: string | undefined;
  /** What made it fail. */
  readonly cause?: unknown;
}

/** The error of a call that failed with a positive error number. Its message is that of the package. */
export function errnoError(errno: number, parts: ErrorParts = {}): ErrnoError {
  const { message, reason, detail, address, cause } = parts;
  const text = message ?? messages.get(errno) ?? library().errorText(errno);
  const error = new Error(
    reason === undefined ? text : `${text}: ${reason}`,
    cause === undefined ? undefined : { cause },
  ) as ErrnoError;
  error.errno = errno;
  error.code = codeOf(errno);
  if (address !== undefined) error.address = address;
  if (detail !== undefined) error.detail = detail;
  return error;
}

/**
 * The error of something that a socket, named by its type, could not do.
 *
 * @param action Such as `receive` or `bind to tcp://eth9:5555`.
 * @param options `hint` is the reason, if it is not the usual one.
 */
export function socketError(errno: number, socket: string, action: string, { address, hint }: {
  readonly address?: string | undefined;
  readonly hint?: string | undefined;
} = {}): ErrnoError {
  const reason = hint ?? hints.get(errno);
  const detail = `The ${socket} cannot ${action}${reason === undefined ? "" : `: ${reason}`}`;
  return errnoError(errno, { detail, address });
}

/** Whose turn it is. */
const turns: ReadonlyMap<string, string> = new Map([
  ["Request receive", "it has to send a request first"],
  ["Request send", "it has to receive the reply to its last request first; relaxed lets it give that up"],
  ["Reply receive", "it has to send the reply to the last request first"],
  ["Reply send", "it has to receive a request first"],
]);

const onePart = "its messages have one part";
/** What the messages of draft sockets are. */
const messageForms: ReadonlyMap<string, string> = new Map([
  ["Server", onePart],
  ["Client", onePart],
  ["Radio", onePart],
  ["Scatter", onePart],
  ["Datagram", "its messages have two parts: an address and bytes"],
]);

/** The error of a `receive` or `send`. @param timeoutMs Its time; negative for none. @param closed Whether `close` ended it. */
export function operationError(
  errno: number,
  socket: string,
  operation: "receive" | "send",
  timeoutMs: number,
  closed: boolean,
): ErrnoError {
  let hint: string | undefined;
  if (errno === Errno.EFSM) hint = turns.get(`${socket} ${operation}`);
  if (errno === Errno.EINVAL && operation === "send") hint = messageForms.get(socket);
  if (errno === Errno.EHOSTUNREACH && socket === "Server") {
    hint = "it has no connected client with this routing id";
  }
  if (errno === Errno.EAGAIN) {
    const missing = operation === "receive" ? "no message came" : "no peer had room";
    const time = timeoutMs === 0
      ? `, and ${operation}Timeout is 0`
      : ` within ${operation}Timeout, ${timeoutMs} ms`;
    hint = closed ? "it was closed meanwhile" : missing + (timeoutMs < 0 ? "" : time);
  }
  return socketError(errno, socket, operation, { hint });
}

/** The error of a socket that is closed, or that `bind`, `unbind` or a proxy uses. */
export function unusableError(socket: string, closed: boolean, lent: boolean): ErrnoError {
  if (closed) return errnoError(Errno.EBADF, { detail: `The ${socket} was closed: open another` });
  return errnoError(Errno.EBUSY, {
    message: "Socket is blocked by a bind or unbind operation",
    detail: `The ${socket} can be used again when ${lent ? "a proxy" : "a bind or unbind"} has ended`,
  });
}

/** The error of a `receive` or `send` of a socket that is under way, of which there may be one. */
export function busyError(socket: string, operation: "receive" | "send"): ErrnoError {
  const kind = operation === "receive" ? "reading" : "writing";
  return errnoError(Errno.EBUSY, {
    message: `Socket is busy ${kind}; only one ${operation} operation may be in progress at any time`,
    detail: `The ${socket} cannot ${operation}: wait for its last ${operation} before the next`,
  });
}

/** The error of a message that came, and for a part of which, of `size` bytes, there is no memory. */
export function lostError(socket: string, { size, cause }: { size: number; cause: unknown }): ErrnoError {
  return errnoError(Errno.ENOMEM, {
    reason:
      `the ${socket} dropped a message that came, since there is no memory for a part of ${size} bytes; ` +
      "maxMessageSize limits what peers may send",
    cause,
  });
}

/** Whether a refused operation can succeed later: there is no message or no room, or it is not the socket's turn. */
export function isNotYet(result: unknown): boolean {
  return result === -Errno.EAGAIN || result === -Errno.EFSM;
}
