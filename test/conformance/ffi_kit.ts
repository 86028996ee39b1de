import assert from "node:assert/strict";
import {
  type Backend,
  Errno,
  type Handle,
  isFailure,
  openBackend,
  SocketOption,
  SocketType,
  type Waiter,
  type WaiterOptions,
  zmqError,
} from "../../ffi/mod.ts";

/** Not waiting, for `send` and `receive`. */
export const dontWait = 1;
/** Not waiting, and more to come. */
export const more = 1 | 2;

/** An int option's bytes. */
export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

/** A backend, a context and the sockets made of it, all of which end with the test. */
export class Kit implements AsyncDisposable {
  readonly backend: Backend;
  readonly context: Handle;
  readonly #sockets = new Set<Handle>();
  readonly #waiters = new Set<Waiter>();

  constructor(backend: Backend) {
    this.backend = backend;
    this.context = backend.contextNew();
  }

  static async open(): Promise<Kit> {
    return new Kit(await openBackend());
  }

  /** A socket with linger 0. */
  socket(type: SocketType): Handle {
    const socket = this.backend.socket(this.context, type);
    if (isFailure(socket)) throw zmqError(socket, "zmq_socket");
    this.#sockets.add(socket);
    assert.equal(this.backend.setOption(socket, SocketOption.LINGER, int32(0)), 0);
    return socket;
  }

  /** Binds and returns the endpoint that came of it. */
  bind(socket: Handle, endpoint: string): string {
    const result = this.backend.bind(socket, endpoint);
    if (result < 0) throw zmqError(result, "zmq_bind", endpoint);
    const bytes = new Uint8Array(256);
    const length = this.backend.getOption(socket, SocketOption.LAST_ENDPOINT, bytes);
    return new TextDecoder().decode(bytes.subarray(0, length - 1));
  }

  /** Two PAIR sockets that are connected. */
  pair(endpoint: string): { left: Handle; right: Handle } {
    const left = this.socket(SocketType.PAIR);
    const right = this.socket(SocketType.PAIR);
    assert.equal(this.backend.connect(right, this.bind(left, endpoint)), 0);
    return { left, right };
  }

  /** The socket's descriptor. */
  fd(socket: Handle): number {
    const bytes = new Uint8Array(4);
    assert.equal(this.backend.getOption(socket, SocketOption.FD, bytes), 4);
    return new DataView(bytes.buffer).getInt32(0, true);
  }

  /** Calls until the answer is not `EAGAIN`; for messages that travel through an I/O thread. */
  async settled(call: () => number): Promise<number> {
    const again = -Errno.EAGAIN;
    for (;;) {
      const result = call();
      if (result !== again) return result;
      await turn();
    }
  }

  closeSocket(socket: Handle): void {
    if (this.#sockets.delete(socket)) assert.equal(this.backend.closeSocket(socket), 0);
  }

  async waiter(options: Partial<WaiterOptions> = {}): Promise<WakingWaiter> {
    const waking = await WakingWaiter.open(this.backend, options);
    this.#waiters.add(waking.waiter);
    return waking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const waiter of this.#waiters) await waiter.close();
    for (const socket of this.#sockets) this.closeSocket(socket);
    assert.equal(await this.backend.contextTerm(this.context), 0);
  }
}

/** A waiter whose wakes can be awaited. */
export class WakingWaiter {
  wakes = 0;
  failure: string | undefined;
  #waiter: Waiter | undefined;
  #wake: (() => void) | undefined;

  static async open(backend: Backend, options: Partial<WaiterOptions>): Promise<WakingWaiter> {
    const waking = new WakingWaiter();
    waking.#waiter = await backend.waiter({
      onWake: () => {
        waking.wakes++;
        waking.#wake?.();
      },
      onFailure: (reason) => {
        waking.failure = reason;
        waking.#wake?.();
      },
      ...options,
    });
    return waking;
  }

  get waiter(): Waiter {
    assert.ok(this.#waiter !== undefined);
    return this.#waiter;
  }

  /** Arms the waiter and resolves at the wake; `then` runs while it is parked. */
  park(then?: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.waiter.arm();
      then?.();
    });
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
