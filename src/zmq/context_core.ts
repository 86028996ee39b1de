import process from "node:process";
import { systemClock } from "../core/mod.ts";
import { ContextOption, Errno, type Handle, isFailure, sleep } from "../libzmq/mod.ts";
import { errnoError, socketError } from "./errors.ts";
import { type Ending, threadLoop } from "./loop.ts";
import { checkScheduling } from "./scheduling.ts";
import { typeName } from "./type_names.ts";

/** A socket and its hidden monitor socket. */
const descriptorsPerSocket = 2;
// Of an I/O thread, and of the thread that ends sockets.
const descriptorsPerThread = 2;
// It suffices for any machine.
const mostIoThreads = 1_024;
// So long after the last close of a socket there may be closed ones that are not ended.
const endingMs = 500;

/** After this time the end of the program tells that it waits for messages. */
const slowEndMs = 500;

/** What a context closes at its end. */
export interface Closable {
  /** Closes it. @param errno What its operations that wait fail with. */
  close(errno?: number): void;
  /** Frees what is no longer used. */
  tidy?(): void;
  /** Ends its use by a proxy, which could wait for nothing else. */
  readonly endLoan?: (() => void) | null;
}

/** The native context of a `Context`, made at first use. */
export class ContextCore implements Ending {
  readonly #shared: boolean;
  readonly #sockets = new Set<Closable>();
  /** When the last socket was closed. */
  #closedAt = -Infinity;
  #handle: Handle | null = null;
  /** Whether libzmq has made its threads, at the first socket. */
  #started = false;
  readonly #settings = new Map<number, number>();
  #ended: Promise<void> | null = null;

  /** @param shared Whether it is the context of all threads of the process. */
  constructor(shared: boolean) {
    this.#shared = shared;
  }

  /** The native context. @throws {ErrnoError} `EFAULT` after its end. */
  get handle(): Handle {
    if (this.#ended !== null) {
      throw errnoError(Errno.EFAULT, {
        detail: "The context cannot open sockets any more: make another one",
      });
    }
    if (this.#handle !== null) return this.#handle;
    const loop = threadLoop();
    this.#handle = this.#shared ? loop.backend.sharedContext() : loop.backend.contextNew();
    loop.addContext(this);
    return this.#handle;
  }

  /** Reads an option. @param name Its name in errors. */
  get(option: number, name: string): number {
    const value = threadLoop().backend.contextGet(this.handle, option);
    if (value < 0) throw errnoError(-value, { detail: `The context cannot read ${name}` });
    return value;
  }

  /** Sets an option. @param name Its name in errors. */
  set(option: number, value: number, name: string): void {
    const action = `context cannot set ${name} to ${value}`;
    const most = this.#most(option);
    if (!(value >= -(2 ** 31) && value <= most)) {
      throw errnoError(Errno.EINVAL, { reason: `the ${action}; the most is ${most}` });
    }
    const result = threadLoop().backend.contextSet(this.handle, option, value | 0);
    if (result < 0) throw errnoError(-result, { detail: `The ${action}` });
    this.#settings.set(option, value);
  }

  #most(option: number): number {
    // libzmq ends the process when it cannot have memory for so many sockets, or cannot start so many threads.
    if (option === ContextOption.IO_THREADS) return mostIoThreads;
    if (option === ContextOption.MAX_SOCKETS) return this.get(ContextOption.SOCKET_LIMIT, "maxSocketsLimit");
    return 2 ** 31 - 1;
  }

  /** Opens a native socket. @throws {ErrnoError} Such as `EMFILE`. */
  open(type: number): Handle {
    const { backend } = threadLoop();
    const context = this.handle;
    // libzmq ends the process when it has no descriptor left, and when it cannot start a thread as it should.
    let needed = descriptorsPerSocket;
    if (!this.#started) {
      needed += descriptorsPerThread * (this.get(ContextOption.IO_THREADS, "ioThreads") + 1);
      checkScheduling(this.#settings);
    }
    const socket = this.attempt(() =>
      backend.spareDescriptors(needed) < needed ? -Errno.EMFILE : backend.socket(context, type)
    );
    if (isFailure(socket)) throw socketError(-socket, typeName(type), "be opened");
    this.#started = true;
    return socket;
  }

  /**
   * Makes a call that opens a native socket, and makes it again while there are too many: libzmq ends closed ones on a
   * thread of its own, which a program that opens and closes many may outrun.
   */
  attempt<T>(call: () => T | number): T | number {
    let result = call();
    const until = this.#closedAt + endingMs;
    while (result === -Errno.EMFILE && systemClock.now() < until) {
      for (const monitor of this.#sockets) monitor.tidy?.();
      sleep(1);
      result = call();
    }
    return result;
  }

  /** Adds a socket, which is closed with the context. */
  add(socket: Closable): void {
    this.#sockets.add(socket);
  }

  /** Removes a closed socket. */
  remove(socket: Closable): void {
    this.#sockets.delete(socket);
    this.#closedAt = systemClock.now();
  }

  /**
   * Ends the context: pending operations of its sockets fail with `ETERM`, and they are closed. Resolves when libzmq has
   * sent what their `linger` lets it send. A context that other threads use goes on without this one.
   */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  endNow(): void {
    const handle = this.#handle;
    if (this.#ended !== null || handle === null) return;
    this.#ended = Promise.resolve();
    const { backend } = threadLoop();
    threadLoop().removeContext(this);
    if (!this.#isLast()) return;
    // Sockets of a Worker that was terminated would be waited for without end.
    if (this.#shared) backend.endDeadThreads();
    const isBlocky = backend.contextGet(handle, ContextOption.BLOCKY) !== 0;
    backend.contextTermNow(handle, {
      slowMs: slowEndMs,
      slow() {
        const hint = isBlocky ? " Set 'context.blocky = false' to change this behaviour." : "";
        // The program has ended, and warnings are not printed any more.
        process.stderr.write(
          `(node:${process.pid}) WARNING: Waiting for queued ZeroMQ messages to be delivered.${hint}\n`,
        );
      },
    });
  }

  /** Whether no other thread uses it. */
  #isLast(): boolean {
    return !this.#shared || threadLoop().backend.leaveSharedContext();
  }

  async #end(): Promise<void> {
    const handle = this.#handle;
    if (handle === null) return;
    const loop = threadLoop();
    const last = this.#isLast();
    if (last) loop.backend.contextShutdown(handle);
    for (const socket of [...this.#sockets]) {
      socket.endLoan?.();
      socket.close(Errno.ETERM);
    }
    loop.removeContext(this);
    if (last) await loop.backend.contextTerm(handle);
  }
}
