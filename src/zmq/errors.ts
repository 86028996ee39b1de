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
}

/** Clearer than what libzmq says. */
const messages: ReadonlyMap<number, string> = new Map([
  [Errno.EFAULT, "Context is closed"],
  [Errno.EAGAIN, "Operation was not possible or timed out"],
  [Errno.EMFILE, "Too many open file descriptors"],
  [Errno.ENOENT, "No such endpoint"],
  [Errno.EBUSY, "Socket is busy"],
  [Errno.EBADF, "Socket is closed"],
  [Errno.EADDRINUSE, "Address already in use"],
]);

let names: ReadonlyMap<number, string> | undefined;

function codeOf(errno: number): string {
  const known = errnoName(errno);
  if (known.startsWith("E")) return known;
  names ??= new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
  return names.get(errno) ?? known;
}

/** The error of a call that failed with a positive error number. */
export function errnoError(errno: number, { message, address }: {
  readonly message?: string;
  readonly address?: string | undefined;
} = {}): ErrnoError {
  const text = message ?? messages.get(errno) ?? library().errorText(errno);
  const error = new Error(text) as ErrnoError;
  error.errno = errno;
  error.code = codeOf(errno);
  if (address !== undefined) error.address = address;
  return error;
}

/** The error of an operation of a kind that is under way. */
export function busyError(kind: string): ErrnoError {
  return errnoError(Errno.EBUSY, {
    message: `Socket is busy ${kind} operation may be in progress at any time`,
  });
}

/** Whether a refused operation can succeed later: there is no message or no room, or it is not the socket's turn. */
export function isNotYet(result: unknown): boolean {
  return result === -Errno.EAGAIN || result === -Errno.EFSM;
}
