import { Errno, type Handle } from "../libzmq/mod.ts";
import { errnoError } from "./errors.ts";
import { type Ending, threadLoop } from "./loop.ts";

/** What a context closes at its end. */
export interface Closable {
  /** Closes it. */
  close(): void;
}

/** The native context of a `Context`, made at first use. */
export class ContextCore implements Ending {
  readonly #sockets = new Set<Closable>();
  #handle: Handle | null = null;
  #ended: Promise<void> | null = null;

  /** The native context. @throws {ErrnoError} `EFAULT` after its end. */
  get handle(): Handle {
    if (this.#ended !== null) throw errnoError(Errno.EFAULT);
    if (this.#handle !== null) return this.#handle;
    const loop = threadLoop();
    this.#handle = loop.backend.contextNew();
    loop.addContext(this);
    return this.#handle;
  }

  /** Reads an option. */
  get(option: number): number {
    const value = threadLoop().backend.contextGet(this.handle, option);
    if (value < 0) throw errnoError(-value);
    return value;
  }

  /** Sets an option. */
  set(option: number, value: number): void {
    const result = threadLoop().backend.contextSet(this.handle, option, value | 0);
    if (result < 0) throw errnoError(-result);
  }

  /** Adds a socket, which is closed with the context. */
  add(socket: Closable): void {
    this.#sockets.add(socket);
  }

  /** Removes a closed socket. */
  remove(socket: Closable): void {
    this.#sockets.delete(socket);
  }

  /**
   * Ends the context: pending operations of its sockets fail with `ETERM`, and they are closed. Resolves when libzmq has
   * sent what their `linger` lets it send.
   */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  endNow(): void {
    const handle = this.#handle;
    if (this.#ended !== null || handle === null) return;
    this.#ended = Promise.resolve();
    threadLoop().removeContext(this);
    threadLoop().backend.contextTermNow(handle);
  }

  async #end(): Promise<void> {
    const handle = this.#handle;
    if (handle === null) return;
    const loop = threadLoop();
    loop.backend.contextShutdown(handle);
    for (const socket of [...this.#sockets]) socket.close();
    loop.removeContext(this);
    await loop.backend.contextTerm(handle);
  }
}
