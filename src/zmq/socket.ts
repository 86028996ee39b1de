import process from "node:process";
import { Errno, type Handle, PollEvent, SocketOption } from "../libzmq/mod.ts";
import { attachError, checkPort } from "./addresses.ts";
import {
  checkAddress,
  checkBoolean,
  checkCount,
  checkIdentifier,
  checkNumber,
  checkOptions,
} from "./arguments.ts";
import { Context, context as defaultContext, contextCore } from "./context.ts";
import { errnoError } from "./errors.ts";
import { capability } from "./library.ts";
import { readOption, type Storage, writeOption } from "./native_options.ts";
import { assignOptions, defineOptions, optionName } from "./option_table.ts";
import { Observer } from "./observer.ts";
import { cores, SocketCore } from "./socket_core.ts";
import { socketOptions, type SocketSettings } from "./socket_settings.ts";

let coreOfSocket: (socket: Socket) => SocketCore;

let warned = false;

/** Closes sockets whose objects were collected, on the thread that made them. */
const collected = new FinalizationRegistry<SocketCore>((core) => {
  if (core.closed) return;
  core.close();
  if (warned) return;
  warned = true;
  process.emitWarning("A ZeroMQ socket was collected that was never closed. It is closed now; call close().");
});

/**
 * What all sockets have in common. A program uses the classes of the socket types, such as `Dealer`.
 *
 * Settings are given to the constructor, or set as properties later. Most take effect for addresses that are bound or
 * connected afterwards; a warning tells when it is too late.
 *
 * A socket is used by the thread that made it.
 */
export abstract class Socket {
  readonly #core: SocketCore;
  readonly #context: Context;
  #events: Observer | null = null;

  /**
   * Opens a socket. Called by the classes of the socket types.
   *
   * @param type Number of the type.
   * @param options Settings, and the context.
   * @throws {TypeError} If a setting does not exist or has the wrong type.
   */
  protected constructor(type: number, options?: object) {
    if (typeof type !== "number") throw new TypeError("Socket type must be a number");
    checkOptions(options);
    checkCount(arguments, 2);
    const { context = defaultContext, ...settings } = (options ?? {}) as { context?: Context };
    if (!(context instanceof Context)) {
      throw errnoError(Errno.EINVAL, { detail: "The option context must be a Context of this module" });
    }
    this.#context = context;
    this.#core = new SocketCore(contextCore(context), type);
    cores.set(this, this.#core);
    collected.register(this, this.#core, this.#core);
    // A misspelt setting is an error.
    Object.seal(this);
    try {
      assignOptions(this, settings);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  static {
    coreOfSocket = (socket) => socket.#core;
  }

  /** The context that it belongs to. */
  get context(): Context {
    return this.#context;
  }

  /** What happens to it and to its connections, from the first access on. @throws {ErrnoError} `EBADF` after `close`. */
  get events(): Observer {
    return this.#events ??= new Observer(this);
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#core.closed;
  }

  /** Whether a message waits: the next `receive` has it at once. */
  get readable(): boolean {
    return this.#core.has(PollEvent.POLLIN);
  }

  /** Whether there is room for a message: the next `send` takes it at once. */
  get writable(): boolean {
    return this.#core.has(PollEvent.POLLOUT);
  }

  /**
   * Closes the socket. What it has sent leaves in the background, as long as {@link Socket.linger} lets it. Operations
   * that wait fail with `EAGAIN`. A second call does nothing. During `bind` and `unbind` it takes effect at their end.
   *
   * A socket that was forgotten is closed when it is collected.
   */
  close(): void {
    checkCount(arguments, 0);
    this.#core.close();
    if (this.#core.closed) collected.unregister(this.#core);
  }

  /**
   * Binds to an address, such as `tcp://127.0.0.1:5555`. A `*` for the host means all interfaces, and one for the port
   * a free one, which {@link Socket.lastEndpoint} tells. Until the promise resolves the socket cannot be used.
   *
   * @throws {ErrnoError} Such as `EADDRINUSE` or `EINVAL`, with the `address`.
   */
  async bind(address: string): Promise<void> {
    checkAddress(address);
    checkCount(arguments, 1);
    const { handle } = this.#core;
    await this.#core.block(() => this.#attach("bind", handle, address, 1));
  }

  /** {@link bind} without a promise. */
  bindSync(address: string): void {
    checkAddress(address);
    checkCount(arguments, 1);
    this.#attach("bind", this.#core.handle, address, 1);
  }

  /** Stops listening at an address. Until the promise resolves the socket cannot be used. @throws {ErrnoError} `ENOENT`. */
  async unbind(address: string): Promise<void> {
    checkAddress(address);
    checkCount(arguments, 1);
    const { handle } = this.#core;
    await this.#core.block(() => this.#attach("unbind", handle, address, -1));
  }

  /** {@link unbind} without a promise. */
  unbindSync(address: string): void {
    checkAddress(address);
    checkCount(arguments, 1);
    this.#attach("unbind", this.#core.handle, address, -1);
  }

  /**
   * Connects to an address. It returns at once; the connection is made in the background, and again when it is lost.
   *
   * @throws {ErrnoError} Such as `EINVAL`, with the `address`.
   */
  connect(address: string): void {
    checkAddress(address);
    checkCount(arguments, 1);
    this.#attach("connect", this.#core.handle, address, 1);
  }

  /** Ends the connection to an address. @throws {ErrnoError} `ENOENT` if there is none. */
  disconnect(address: string): void {
    checkAddress(address);
    checkCount(arguments, 1);
    this.#attach("disconnect", this.#core.handle, address, -1);
  }

  /** {@link close} for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** {@link close} for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Reads an option that is 0 or 1. */
  protected getBoolOption(option: number): boolean {
    return this.#get(arguments, option, "Int32") !== 0;
  }

  /** Sets an option that is 0 or 1. */
  protected setBoolOption(option: number, value: boolean): void {
    checkIdentifier(option);
    checkBoolean(value);
    checkCount(arguments, 2);
    this.#set(option, "Int32", value ? 1 : 0);
  }

  /** Reads an option of 32 bits. */
  protected getInt32Option(option: number): number {
    return this.#get(arguments, option, "Int32") as number;
  }

  /** Sets an option of 32 bits. */
  protected setInt32Option(option: number, value: number): void {
    this.#setNumber(arguments, option, "Int32", value);
  }

  /** Reads an option of 32 bits without sign. */
  protected getUint32Option(option: number): number {
    return this.#get(arguments, option, "Uint32") as number;
  }

  /** Sets an option of 32 bits without sign. */
  protected setUint32Option(option: number, value: number): void {
    this.#setNumber(arguments, option, "Uint32", value);
  }

  /** Reads an option of 64 bits. */
  protected getInt64Option(option: number): number {
    return this.#get(arguments, option, "Int64") as number;
  }

  /** Sets an option of 64 bits. */
  protected setInt64Option(option: number, value: number): void {
    this.#setNumber(arguments, option, "Int64", value);
  }

  /** Reads an option of 64 bits without sign. */
  protected getUint64Option(option: number): number {
    return this.#get(arguments, option, "Uint64") as number;
  }

  /** Sets an option of 64 bits without sign. */
  protected setUint64Option(option: number, value: number): void {
    this.#setNumber(arguments, option, "Uint64", value);
  }

  /** Reads an option that is a text; null when it is empty. */
  protected getStringOption(option: number): string | null {
    return this.#get(arguments, option, "String") as string | null;
  }

  /** Sets an option that is a text or bytes; null removes it. */
  protected setStringOption(option: number, value: string | Uint8Array | null): void {
    checkIdentifier(option);
    if (value !== null && typeof value !== "string" && !ArrayBuffer.isView(value)) {
      throw new TypeError("Option value must be a string or buffer");
    }
    checkCount(arguments, 2);
    this.#set(option, "String", value);
  }

  #get(given: ArrayLike<unknown>, option: number, type: Storage): unknown {
    checkIdentifier(option);
    checkCount(given, 1);
    return readOption(this.#core, option, type, optionName(this, option));
  }

  #setNumber(
    given: ArrayLike<unknown>,
    option: number,
    type: Storage,
    value: number,
  ): void {
    checkIdentifier(option);
    checkNumber(value);
    checkCount(given, 2);
    this.#set(option, type, value);
    if (option === SocketOption.SNDTIMEO) this.#core.sendTimeout = value | 0;
    if (option === SocketOption.RCVTIMEO) this.#core.receiveTimeout = value | 0;
  }

  #set(
    option: number,
    type: Storage,
    value: number | string | ArrayBufferView | null,
  ): void {
    if (this.#core.endpoints > 0 && !immediate.has(option)) {
      process.emitWarning("Socket option will not take effect until next connect/bind.");
    }
    writeOption(this.#core, option, type, value, optionName(this, option));
  }

  #attach(
    call: "bind" | "unbind" | "connect" | "disconnect",
    handle: Handle,
    address: string,
    change: number,
  ): void {
    checkPort(this.#core.name, call, address);
    this.#core.rules?.attaching?.(handle, call, address);
    const result = this.#core.backend[call](handle, address);
    // libzmq handles all that has come in such a call, and its signal with it.
    this.#core.touch();
    if (result < 0) throw attachError(-result, this.#core.name, call, address);
    this.#core.endpoints += change;
  }
}

/** The settings, as properties. */
export interface Socket extends SocketSettings {}

/** Options that take effect at once. */
const immediate: ReadonlySet<number> = new Set([
  SocketOption.SUBSCRIBE,
  SocketOption.UNSUBSCRIBE,
  SocketOption.LINGER,
  SocketOption.ROUTER_MANDATORY,
  SocketOption.PROBE_ROUTER,
  SocketOption.XPUB_VERBOSE,
  SocketOption.REQ_CORRELATE,
  SocketOption.REQ_RELAXED,
  SocketOption.ROUTER_HANDOVER,
  SocketOption.XPUB_VERBOSER,
  SocketOption.SNDHWM,
  SocketOption.RCVHWM,
  SocketOption.SNDTIMEO,
  SocketOption.RCVTIMEO,
]);

defineOptions(Socket.prototype, socketOptions);
for (const mechanism of ["curve", "gssapi"] as const) {
  // As in the package, a program that sets what this libzmq does not have fails with a TypeError.
  if (capability[mechanism] !== false) continue;
  for (const name of Object.keys(socketOptions)) {
    if (name.startsWith(mechanism)) Reflect.deleteProperty(Socket.prototype, name);
  }
}

/** The native part of a socket. */
export function socketCore(socket: Socket): SocketCore {
  return coreOfSocket(socket);
}
