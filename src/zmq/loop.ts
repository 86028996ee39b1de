import { silentLogger, systemClock } from "../core/mod.ts";
import { type Backend, Reactor } from "../libzmq/mod.ts";
import { onProgramEnd } from "../runtime/mod.ts";
import { library } from "./library.ts";

/** What the end of the program closes. */
export interface Ending {
  /** Closes it on this thread, complete when it returns. */
  endNow(): void;
}

// So many operations, or as many bytes, complete without the event loop; then timers and other I/O get a turn.
const mostOperations = 256;
const bytesPerOperation = 4_096;

/** What all sockets of a JavaScript thread share: the wait, the turns of the event loop, and the end of the program. */
export class Loop {
  /** libzmq. */
  readonly backend: Backend;
  /** Waits for the sockets. */
  readonly reactor: Reactor;
  readonly #sockets = new Set<Ending>();
  readonly #contexts = new Set<Ending>();
  #spent = 0;
  #turn: Promise<void> | null = null;
  #programEnd: Disposable | null = null;
  #deadThreads: AsyncDisposable | null = null;

  constructor(backend: Backend) {
    this.backend = backend;
    this.reactor = Reactor.open(backend, { clock: systemClock, logger: silentLogger });
  }

  /** Whether the event loop is due for a turn. */
  get due(): boolean {
    return this.#spent >= mostOperations;
  }

  /** Counts an operation that completed at once. */
  spend(bytes: number): void {
    this.#spent += 1 + bytes / bytesPerOperation;
  }

  /** Notes that the event loop had a turn. */
  turned(): void {
    this.#spent = 0;
  }

  /** Resolves after a turn of the event loop, in which all that wait for one get it. */
  turn(): Promise<void> {
    return this.#turn ??= new Promise((resolve) =>
      this.soon(() => {
        this.#turn = null;
        resolve();
      })
    );
  }

  /** Calls back after a turn of the event loop. */
  soon(callback: () => void): void {
    this.reactor.soon(() => {
      this.#spent = 0;
      callback();
    });
  }

  /** Adds an open socket. */
  addSocket(socket: Ending): void {
    if (this.#sockets.size === 0) this.#deadThreads = this.backend.endDeadThreads();
    this.#sockets.add(socket);
  }

  /** Removes a closed socket. */
  removeSocket(socket: Ending): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size > 0) return;
    void this.#deadThreads?.[Symbol.asyncDispose]();
    this.#deadThreads = null;
  }

  /** Adds a native context. */
  addContext(context: Ending): void {
    this.#contexts.add(context);
    this.#programEnd ??= onProgramEnd(() => this.#end());
  }

  /** Removes an ended context. */
  removeContext(context: Ending): void {
    this.#contexts.delete(context);
  }

  #end(): void {
    for (const socket of [...this.#sockets]) socket.endNow();
    this.reactor.closeNow();
    for (const context of [...this.#contexts]) context.endNow();
  }
}

let loop: Loop | undefined;

/** The loop of this JavaScript thread, made at first use. */
export function threadLoop(): Loop {
  return loop ??= new Loop(library());
}
