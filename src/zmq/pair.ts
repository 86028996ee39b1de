import { SocketType } from "../libzmq/mod.ts";
import { addReadable, type Readable } from "./readable.ts";
import { Socket } from "./socket.ts";
import type { SocketOptions } from "./socket_options.ts";
import { addWritable, type Writable } from "./writable.ts";

/** A socket with one other `Pair`. It is meant for `inproc://`: it does not connect again by itself. */
export class Pair extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Pair>) {
    super(SocketType.PAIR, options);
  }
}
/** It sends and receives. */
export interface Pair extends Readable, Writable {}

addReadable([Pair]);
addWritable([Pair]);
