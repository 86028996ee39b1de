import { Errno } from "../libzmq/mod.ts";
import { type ErrnoError, errnoError, socketError } from "./errors.ts";

/** What a socket does with an address. */
export type Attachment = "bind" | "unbind" | "connect" | "disconnect";

const prepositions = { bind: "to", unbind: "from", connect: "to", disconnect: "from" } as const;
const lastPort = 65_535;

/** Refuses a port that there is not: libzmq would take another one. @throws {ErrnoError} `EINVAL`. */
export function checkPort(socket: string, call: Attachment, address: string): void {
  const port = /^(?:tcp|udp|ws|wss):\/\/.*:([+-]?\d+)$/.exec(address)?.[1];
  if (port === undefined || (Number(port) >= 0 && Number(port) <= lastPort)) return;
  throw refusedAddress(Errno.EINVAL, socket, call, address, `a port is from 0 to ${lastPort}`);
}

/** The error of a call that this module refuses. */
export function refusedAddress(
  errno: number,
  socket: string,
  call: Attachment,
  address: string,
  why: string,
): ErrnoError {
  const reason = `the ${socket} cannot ${call} ${prepositions[call]} ${address}; ${why}`;
  return errnoError(errno, { reason, address });
}

/** The error of a call with an address. */
export function attachError(errno: number, socket: string, call: Attachment, address: string): ErrnoError {
  let hint: string | undefined;
  if (errno === Errno.EINVAL) {
    hint = "an address is like tcp://127.0.0.1:5555, ipc:///tmp/name or inproc://name" +
      (call === "connect" ? ", with no * in it" : "");
  }
  return socketError(errno, socket, `${call} ${prepositions[call]} ${address}`, { address, hint });
}
