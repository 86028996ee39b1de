import { Worker } from "node:worker_threads";
import { once } from "node:events";
import type { Park, ParkEvents, ParkFactory } from "./waiter.ts";

/** The worker's program: it blocks in `poll` whenever its owner asks. */
const body = `
const { parentPort, workerData } = require("node:worker_threads");
const { library, fd, shared } = workerData;
const poll = open(library, "poll", ["address", "size", "int"]);
const state = new Int32Array(shared);
const memory = new Int32Array(new ArrayBuffer(8));
memory[0] = fd;
const address = addressOf(new Uint8Array(memory.buffer));
const one = size(1);
parentPort.postMessage("ready");
for (;;) {
  Atomics.wait(state, 0, 0);
  const wanted = Atomics.load(state, 0);
  if (wanted === 2) break;
  if (wanted !== 1) continue;
  memory[1] = 1;
  // Each return of the call, also by a signal, is a wake; a needless one costs a look at the set.
  poll(address, one, -1);
  Atomics.compareExchange(state, 0, 1, 0);
  parentPort.postMessage("woken");
}
`;

/** Value of the worker's cell; 0 is idle. */
const armed = 1;
const closing = 2;
/** Timeout of a worker's start. */
const startTimeoutMs = 10_000;
/** Timeout of a worker's end; a worker that does not end is abandoned. */
const closeTimeoutMs = 1000;

/** Options of {@link workerPark}. */
export interface WorkerParkOptions {
  /** Source text that opens C functions in the worker. */
  readonly prelude: string;
  /** The library with `poll`. */
  readonly library: string;
}

/** Waits in a worker thread that blocks in `poll`: the fallback, which needs no special features of the runtime. */
class WorkerPark implements Park {
  readonly kind = "worker";
  readonly #worker: Worker;
  readonly #state: Int32Array<SharedArrayBuffer>;
  readonly #exited: Promise<unknown>;
  #referenced = true;
  #waiting = false;

  constructor(worker: Worker, state: Int32Array<SharedArrayBuffer>, events: ParkEvents) {
    this.#worker = worker;
    this.#state = state;
    let closed = false;
    worker.on("message", (message: unknown) => {
      this.#waiting = false;
      this.#keepAlive();
      if (message === "woken") events.woken();
    });
    worker.on("error", (error: unknown) => {
      if (!closed) {
        events.failed(`the waiting thread ended: ${error instanceof Error ? error.message : String(error)}`);
      }
      closed = true;
    });
    this.#exited = once(worker, "exit").catch(() => undefined);
    this.#keepAlive();
  }

  start(): void {
    this.#waiting = true;
    this.#keepAlive();
    Atomics.store(this.#state, 0, armed);
    Atomics.notify(this.#state, 0);
  }

  reference(referenced: boolean): void {
    this.#referenced = referenced;
    this.#keepAlive();
  }

  async close(): Promise<void> {
    Atomics.store(this.#state, 0, closing);
    Atomics.notify(this.#state, 0);
    this.#worker.ref();
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, closeTimeoutMs);
    await Promise.race([this.#exited, limit.promise]);
    clearTimeout(timer);
    this.#worker.unref();
  }

  /** Lets only a waiting worker keep the process alive. */
  #keepAlive(): void {
    if (this.#waiting && this.#referenced) this.#worker.ref();
    else this.#worker.unref();
  }
}

/** Makes the wait in a worker. */
export function workerPark(options: WorkerParkOptions): ParkFactory {
  return async (fd, events) => {
    const shared = new SharedArrayBuffer(4);
    const state = new Int32Array(shared);
    const worker = new Worker(options.prelude + body, {
      eval: true,
      workerData: { library: options.library, fd, shared },
    });
    const limit = AbortSignal.timeout(startTimeoutMs);
    await once(worker, "message", { signal: limit });
    return new WorkerPark(worker, state, events);
  };
}
