import { errorText } from "../src/core/mod.ts";
import type { BunGlobal, BunSocket } from "./bun_types.ts";
import { findLoopDescriptor } from "./loop_descriptor.ts";
import type { LoopWait } from "./loop_waiter.ts";
import type { System } from "./symbols.ts";
import { type Park, type ParkEvents, probePark } from "./waiter.ts";

const { Bun: bun } = globalThis as unknown as { Bun: BunGlobal };

const F_DUPFD_CLOEXEC = 1030;
const F_DUPFD_CLOEXEC_DARWIN = 67;
/** Pause before a wait is retried when the process has no free descriptor. */
const noDescriptorMs = 5;

/**
 * Waits in Bun's own event loop: `Bun.connect` gets a duplicate of the set.
 *
 * When the set becomes readable, Bun reads from the duplicate, finds that it is no socket, closes it and reports that,
 * which is the wake. Bun owns the duplicate, and its number has no meaning afterwards.
 */
class BunPark implements Park {
  readonly kind = "loop";
  readonly #fd: number;
  readonly #calls: System["calls"];
  readonly #duplicate: number;
  readonly #events: ParkEvents;
  readonly #handlers: Parameters<BunGlobal["connect"]>[0]["socket"];
  readonly #rejected: (error: unknown) => void;
  #socket: BunSocket | undefined;
  #referenced = true;
  #failed = false;
  /** The duplicate of the current wait. */
  parked = -1;

  constructor(fd: number, system: System, events: ParkEvents) {
    this.#fd = fd;
    this.#calls = system.calls;
    this.#duplicate = system.platform === "darwin" ? F_DUPFD_CLOEXEC_DARWIN : F_DUPFD_CLOEXEC;
    this.#events = events;
    this.#rejected = (error) => this.#fail(error);
    this.#handlers = {
      open: (socket) => {
        this.#socket = socket;
        if (!this.#referenced) socket.unref();
      },
      data() {},
      close: () => {
        this.#socket = undefined;
        this.parked = -1;
        if (!this.#failed) this.#events.woken();
      },
      error() {},
      connectError: (_socket, error) => this.#fail(error),
    };
  }

  start(): void {
    const fd = this.#calls.fcntl(this.#fd, this.#duplicate, 0);
    if (fd < 0) {
      // Nothing is lost: each wake reads the set and waits again.
      setTimeout(() => this.#events.woken(), noDescriptorMs);
      return;
    }
    this.parked = fd;
    bun.connect({ fd, socket: this.#handlers }).catch(this.#rejected);
  }

  reference(referenced: boolean): void {
    this.#referenced = referenced;
    if (referenced) this.#socket?.ref();
    else this.#socket?.unref();
  }

  close(): Promise<void> {
    this.#failed = true;
    this.#socket?.terminate();
    return Promise.resolve();
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#events.failed(`Bun did not take the descriptor: ${errorText(error)}`);
  }
}

/** Prelude of the worker in `worker_waiter.ts`: opens C functions on Bun. */
const workerPrelude = `
const { dlopen } = require("bun:ffi");
const types = { handle: "ptr", address: "ptr", size: "u64", int: "i32" };
function open(path, name, parameters) {
  return dlopen(path, { [name]: { args: parameters.map((kind) => types[kind]), returns: "i32" } }).symbols[name];
}
function addressOf(view) {
  return require("bun:ffi").ptr(view);
}
const size = (number) => number;
`;

/** The wait on Bun. */
export function bunWait(system: System): LoopWait {
  return {
    fairImmediate: true,
    prelude: workerPrelude,
    park: (fd, events) => new BunPark(fd, system, events),
    probe(set, found) {
      let park: BunPark | undefined;
      return probePark(set, (fd, events) => park = new BunPark(fd, system, events), () => {
        if (system.platform !== "linux" || park === undefined) return;
        found(findLoopDescriptor(system, { watched: park.parked, except: [set.fd] }));
      });
    },
  };
}
