import type { Waiter, WaiterOptions } from "./backend.ts";
import type { BunLibrary } from "./bun_library.ts";
import type { BunGlobal, BunSocket } from "./bun_types.ts";
import { findLoopDescriptor, slicer } from "./loop_descriptor.ts";
import { pollSet } from "./poll_set.ts";
import type { System } from "./symbols.ts";
import {
  type Park,
  type ParkEvents,
  type ParkFactory,
  ParkingWaiter,
  probePark,
  readWaiterOptions,
} from "./waiter.ts";
import { workerPark } from "./worker_waiter.ts";

const { Bun: bun } = globalThis as unknown as { Bun: BunGlobal };

const F_DUPFD_CLOEXEC = 1030;
const F_DUPFD_CLOEXEC_DARWIN = 67;
/** How soon a wait is tried again while the process has no descriptor left for it. */
const noDescriptorMs = 5;

/**
 * Waits in Bun's own event loop: a duplicate of the set is given to `Bun.connect`.
 *
 * When the set becomes readable, Bun reads from the duplicate, learns that it is no socket, closes it and
 * says so; that is the wake. The duplicate is Bun's from the start, and its number means nothing afterwards.
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
  /** The duplicate of the present wait. */
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
      // Nothing is lost: whoever wakes looks at the set, finds what there is, and waits again.
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
    this.#events.failed(
      `Bun did not take the descriptor: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** For the worker of `worker_waiter.ts`: how Bun opens C functions there. */
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

/** What waiters of one backend share. */
export interface WaitingParts {
  readonly library: BunLibrary;
  /** What the probe found, once it ran. */
  loop: Promise<LoopProbe> | undefined;
}

interface LoopProbe {
  /** Null when waiting in the loop works, otherwise why not. */
  readonly refusal: string | null;
  /** The descriptor of this thread's own loop, or −1. */
  readonly descriptor: number;
}

async function probe(parts: WaitingParts): Promise<LoopProbe> {
  const { system } = parts.library;
  const set = pollSet(system);
  let park: BunPark | undefined;
  let descriptor = -1;
  try {
    const refusal = await probePark(set, (fd, events) => park = new BunPark(fd, system, events), () => {
      if (system.platform !== "linux" || park === undefined) return;
      descriptor = findLoopDescriptor(system, { watched: park.parked, except: [set.fd] });
    });
    return { refusal, descriptor };
  } catch (error) {
    return { refusal: error instanceof Error ? error.message : String(error), descriptor };
  } finally {
    set.close();
  }
}

/** Makes a waiter, after the one probe of this thread. */
export async function bunWaiter(parts: WaitingParts, given: WaiterOptions): Promise<Waiter> {
  const options = readWaiterOptions(given);
  const { system, path } = parts.library;
  const inWorker = workerPark({ prelude: workerPrelude, library: path });
  const inLoop: ParkFactory = (fd, events) => new BunPark(fd, system, events);
  const kind = options.kind ?? "auto";
  const { refusal, descriptor } = await (parts.loop ??= probe(parts).catch((error: unknown) => {
    // What was short may be there the next time.
    parts.loop = undefined;
    throw error;
  }));
  const set = pollSet(system);
  const slice = system.platform === "linux" && descriptor >= 0
    ? slicer(system, { ours: set.fd, loop: descriptor })
    : undefined;
  const first = kind === "worker" || (kind === "auto" && refusal !== null) ? inWorker : inLoop;
  const fallback = kind === "auto" ? inWorker : undefined;
  return ParkingWaiter.open({ set, slice, fallback, fairImmediate: true }, first, options);
}
