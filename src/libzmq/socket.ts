import {
  type Backend,
  Errno,
  type Handle,
  isFailure,
  MonitorEvent,
  optionKind,
  PollEvent,
  SendFlag,
  SocketOption,
  SocketType,
  zmqError,
} from "../../ffi/mod.ts";
import { ZeromeshError } from "../core/mod.ts";
import { bindDescriptors, connectDescriptors, requireDescriptors } from "./descriptors.ts";
import type { MonitorHub, MonitorListener, StopMonitor } from "./monitor.ts";
import type { Reactor } from "./reactor.ts";
import type { Registration, Source } from "./source.ts";

/** Name of a socket type in libzmq's spelling. */
export type SocketTypeName = keyof typeof SocketType;
/** Name of a socket option in libzmq's spelling, without `ZMQ_`. */
export type SocketOptionName = keyof typeof SocketOption;
/** A value of a socket option, of the option's type. */
export type SocketOptionValue = number | bigint | string | Uint8Array;

const wouldBlock = -Errno.EAGAIN;
const dontWait = SendFlag.DONTWAIT;
const dontWaitMore = SendFlag.DONTWAIT | SendFlag.SNDMORE;
const encoder = new TextEncoder();

/** The context of a socket. */
export interface SocketHost {
  /** libzmq. */
  readonly backend: Backend;
  /** The native context. */
  readonly handle: Handle;
  /** Reads attached sockets. */
  readonly reactor: Reactor;
  /** Reads their monitors. */
  readonly monitors: MonitorHub;
  /** Open sockets. */
  readonly openSockets: number;
  /** The most open sockets. */
  readonly maxSockets: number;
  /** Removes a closed socket. */
  forget(socket: Socket): void;
}

/**
 * A libzmq socket that never blocks, used by the thread that made it.
 *
 * Closing is idempotent, allowed during a wait on the socket, and returns at once; libzmq frees the rest in the
 * background.
 */
export class Socket {
  /** Its type. */
  readonly type: SocketTypeName;
  readonly #host: SocketHost;
  readonly #backend: Backend;
  #handle: Handle | null;
  #registration: Registration | null = null;
  #stopMonitor: StopMonitor | null = null;

  /** Use `Context.socket`. */
  constructor(host: SocketHost, type: SocketTypeName) {
    this.#host = host;
    this.type = type;
    this.#backend = host.backend;
    const handle = this.#backend.socket(host.handle, SocketType[type]);
    if (isFailure(handle)) {
      if (-handle === Errno.EMFILE) throw tooManySockets(host);
      throw zmqError(handle, "zmq_socket");
    }
    this.#handle = handle;
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#handle === null;
  }

  /** The native socket, for the hot paths of the transport. */
  get handle(): Handle {
    if (this.#handle === null) {
      throw new ZeromeshError("CLOSED", `Cannot use the ${this.type} socket: it is closed`);
    }
    return this.#handle;
  }

  /**
   * Sets an option.
   *
   * @param name libzmq's name without `ZMQ_`.
   * @param value A number for `int` options, a bigint or number for 64-bit ones, text or bytes otherwise.
   * @throws {TypeError} If the value's type does not fit the option.
   * @throws {RangeError} If the number does not fit into the option.
   * @throws {ZeromeshError} `ZMQ_ERROR` If libzmq refuses the value.
   */
  set(name: SocketOptionName, value: SocketOptionValue): this {
    const result = this.#backend.setOption(this.handle, SocketOption[name], encodeOption(name, value));
    if (result < 0) throw zmqError(result, `zmq_setsockopt(${name})`);
    return this;
  }

  /**
   * Reads an option.
   *
   * @returns A number, a bigint for 64-bit options, text without its final NUL, or bytes, by the option's kind.
   * @throws {ZeromeshError} `ZMQ_ERROR` If libzmq refuses.
   */
  get(name: SocketOptionName): SocketOptionValue {
    const kind = optionKind(name);
    const size = kind === "int" ? 4 : kind === "int64" || kind === "uint64" ? 8 : kind === "key" ? 41 : 1024;
    const into = new Uint8Array(new ArrayBuffer(size));
    const length = this.#backend.getOption(this.handle, SocketOption[name], into);
    if (length < 0) throw zmqError(length, `zmq_getsockopt(${name})`);
    const view = new DataView(into.buffer);
    switch (kind) {
      case "int":
        return view.getInt32(0, true);
      case "int64":
        return view.getBigInt64(0, true);
      case "uint64":
        return view.getBigUint64(0, true);
      case "bytes":
        return into.slice(0, length);
      default:
        return new TextDecoder().decode(into.subarray(0, Math.max(0, length - 1)));
    }
  }

  /**
   * Binds, and returns the bound endpoint (wildcard ports resolved).
   *
   * @throws {ZeromeshError} `ADDRESS_IN_USE`, `ENDPOINT_INVALID`, `LIMIT_REACHED` or `ZMQ_ERROR`.
   */
  bind(endpoint: string): string {
    this.#requireDescriptors(bindDescriptors, endpoint, "bind");
    const result = this.#backend.bind(this.handle, endpoint);
    if (result < 0) throw zmqError(result, "zmq_bind", endpoint);
    return this.get("LAST_ENDPOINT") as string;
  }

  /** Stops listening at an endpoint, which also ends its accepted connections. */
  unbind(endpoint: string): void {
    const result = this.#backend.unbind(this.handle, endpoint);
    if (result < 0) throw zmqError(result, "zmq_unbind", endpoint);
  }

  /**
   * Starts connecting; success is not reported.
   *
   * @throws {ZeromeshError} `ENDPOINT_INVALID`, `LIMIT_REACHED` or `ZMQ_ERROR`.
   */
  connect(endpoint: string): void {
    this.#requireDescriptors(connectDescriptors, endpoint, "connect to");
    const result = this.#backend.connect(this.handle, endpoint);
    if (result < 0) throw zmqError(result, "zmq_connect", endpoint);
  }

  /** Ends the connection to an endpoint. */
  disconnect(endpoint: string): void {
    const result = this.#backend.disconnect(this.handle, endpoint);
    if (result < 0) throw zmqError(result, "zmq_disconnect", endpoint);
  }

  /** `ZMQ_EVENTS`: whether receiving (1) and sending (2) would succeed now. */
  events(): number {
    const events = this.#backend.events(this.handle);
    if (events < 0) throw zmqError(events, "zmq_getsockopt(EVENTS)");
    return events;
  }

  /** Whether a message waits. */
  get readable(): boolean {
    return (this.events() & PollEvent.POLLIN) !== 0;
  }

  /**
   * Sends one message of one or more parts. libzmq has copied them when this returns.
   *
   * @returns False when the socket is at its high-water mark; nothing was sent then.
   * @throws {RangeError} If there are no parts.
   * @throws {ZeromeshError} `ZMQ_ERROR`, also of a mandatory ROUTER without that peer (EHOSTUNREACH); `CLOSED`.
   */
  send(parts: readonly Uint8Array[]): boolean {
    if (parts.length === 0) throw new RangeError("Cannot send a message without parts");
    const handle = this.handle;
    const last = parts.length - 1;
    let failure = 0;
    for (let i = 0; i <= last; i++) {
      const result = this.#backend.send(handle, parts[i]!, i < last ? dontWaitMore : dontWait);
      if (result >= 0) continue;
      // Only the first part can be refused completely. After it libzmq drops the rest of a message whose connection was
      // lost, and an unfinished message would be joined to the next one.
      if (i === 0) {
        // A refused send, too, may consume the signal of a received message.
        this.touch();
        if (result === wouldBlock) return false;
        throw zmqError(result, "zmq_send");
      }
      failure = result;
    }
    this.touch();
    if (failure !== 0) throw zmqError(failure, "zmq_send");
    return true;
  }

  /**
   * Receives one message, of whatever number and size of parts.
   *
   * @returns The parts, each in memory of its own, or null when no message waits.
   * @throws {ZeromeshError} `ZMQ_ERROR` or `CLOSED`.
   */
  receive(): Uint8Array[] | null {
    const handle = this.handle;
    const parts: Uint8Array[] = [];
    for (;;) {
      const size = this.#backend.receiveMessage(handle, dontWait);
      if (size < 0) {
        if (size === wouldBlock) return null;
        throw zmqError(size, "zmq_msg_recv");
      }
      const part = new Uint8Array(new ArrayBuffer(size));
      if (size > 0) this.#backend.messageToBytes(part, size);
      parts.push(part);
      if (!this.#backend.messageMore()) return parts;
    }
  }

  /** Adds the socket to the reactor, which calls `source` when there are messages. */
  attach(source: Source, options: { first?: boolean } = {}): Registration {
    if (this.#registration !== null) throw new TypeError("Cannot attach a socket twice");
    return this.#registration = this.#host.reactor.add(this.handle, source, options);
  }

  /** Notes a send through {@link handle}; {@link send} does it by itself. */
  touch(): void {
    if (this.#registration !== null) this.#host.reactor.touch(this.#registration);
  }

  /** Sets whether sends wait for room; the reactor then retries on every wake. */
  setBlocked(blocked: boolean): void {
    if (this.#registration !== null) this.#host.reactor.setBlocked(this.#registration, blocked);
  }

  /**
   * Monitors the socket's connections. To be called before binding or connecting.
   *
   * @param events A mask of {@link MonitorEvent}.
   */
  monitor(events: number, listener: MonitorListener): void {
    if (this.#stopMonitor !== null) throw new TypeError("Cannot monitor a socket twice");
    this.#stopMonitor = this.#host.monitors.watch(this.handle, events & MonitorEvent.ALL, listener);
  }

  /**
   * Closes the socket.
   *
   * @param options `lingerMs`: how long libzmq may go on sending in the background. Default 0.
   */
  close(options: { lingerMs?: number } = {}): void {
    const handle = this.#handle;
    if (handle === null) return;
    // The order matters: a monitor ended after its socket blocks libzmq's reaper thread for good, and a descriptor
    // still waited for would be reused by the next socket.
    this.#stopMonitor?.();
    this.#stopMonitor = null;
    if (this.#registration !== null) this.#host.reactor.remove(this.#registration);
    this.#registration = null;
    this.#handle = null;
    const linger = new Int32Array([Math.max(0, Math.min(options.lingerMs ?? 0, 2 ** 31 - 1))]);
    this.#backend.setOption(handle, SocketOption.LINGER, new Uint8Array(linger.buffer));
    this.#backend.closeSocket(handle);
    this.#host.forget(this);
  }

  #requireDescriptors(count: number, endpoint: string, verb: string): void {
    if (!endpoint.startsWith("inproc:")) {
      requireDescriptors(this.#backend, count, `${verb} '${endpoint}'`);
    }
  }

  /** Same as {@link close} without linger. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function encodeOption(name: SocketOptionName, value: SocketOptionValue): Uint8Array {
  const kind = optionKind(name);
  if (kind === "int") {
    if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType(name, "an integer", value);
    if (value !== (value | 0)) throw outOfRange(name, "32 bits", value);
    return new Uint8Array(new Int32Array([value]).buffer);
  }
  if (kind === "int64" || kind === "uint64") {
    if (typeof value !== "bigint" && !Number.isInteger(value)) throw wrongType(name, "an integer", value);
    const wide = BigInt(value as bigint | number);
    const kept = kind === "int64" ? BigInt.asIntN(64, wide) : BigInt.asUintN(64, wide);
    if (kept !== wide) throw outOfRange(name, kind === "int64" ? "64 bits" : "64 bits without sign", value);
    return new Uint8Array(new BigUint64Array([BigInt.asUintN(64, wide)]).buffer);
  }
  if (typeof value === "string") return encoder.encode(value);
  if (value instanceof Uint8Array) return value;
  throw wrongType(name, kind === "bytes" ? "bytes or text" : "text", value);
}

function wrongType(name: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`Cannot set socket option ${name}: it takes ${wanted}, got ${typeof value}`);
}

function outOfRange(name: string, size: string, value: unknown): RangeError {
  return new RangeError(`Cannot set socket option ${name}: ${String(value)} does not fit into ${size}`);
}

function tooManySockets(host: SocketHost): ZeromeshError {
  const descriptors = host.backend.descriptors();
  const open = descriptors === null
    ? "unknown"
    : `${descriptors.open} of ${descriptors.limit} descriptors are open`;
  return new ZeromeshError(
    "LIMIT_REACHED",
    `Cannot open another socket: the context holds ${host.openSockets} of at most ${host.maxSockets}` +
      ` sockets; ${open}. Raise maxSockets or the descriptor limit (ulimit -n)`,
    { details: { errno: "EMFILE", number: Errno.EMFILE, syscall: "zmq_socket" } },
  );
}
