import { Socket } from "node:net";
import type { Waiter, WaiterOptions } from "./backend.ts";
import { deno, type DenoLibrary, makeRegion, type PollMemory } from "./deno_library.ts";
import type { DenoInternal } from "./deno_types.ts";
import { findLoopDescriptor, slicer } from "./loop_descriptor.ts";
import { pollSet } from "./poll_set.ts";
import type { LinuxSystem } from "./symbols.ts";
import {
  type Park,
  type ParkEvents,
  type ParkFactory,
  ParkingWaiter,
  probePark,
  readWaiterOptions,
} from "./waiter.ts";
import { workerPark } from "./worker_waiter.ts";

const POLLIN = 1;
/** How long the end of a program waits for the thread that polls for it; it takes microseconds. */
const settleTriesMs = 100;

/** The two private functions that let a pending call keep the process alive or not; null without them. */
function opReferences():
  | { ref(promise: Promise<unknown>): void; unref(promise: Promise<unknown>): void }
  | null {
  if (deno.internal === undefined) return null;
  const internal = (deno as unknown as Record<symbol, DenoInternal | undefined>)[deno.internal];
  const { refOpPromise, unrefOpPromise } = internal?.core ?? {};
  if (typeof refOpPromise !== "function" || typeof unrefOpPromise !== "function") return null;
  return { ref: refOpPromise, unref: unrefOpPromise };
}

/** Waits in `poll` on a thread of Deno's pool; the end of the call is the wake. One wait takes one thread. */
class DenoPark implements Park {
  readonly kind = "loop";
  readonly #pollAway: DenoLibrary["pollAway"];
  readonly #system: DenoLibrary["system"];
  readonly #events: ParkEvents;
  readonly #memory: PollMemory;
  readonly #references: ReturnType<typeof opReferences>;
  readonly #woken: () => void;
  readonly #rejected: (error: unknown) => void;
  #wait: Promise<unknown> | undefined;
  #referenced = true;

  constructor(fd: number, { pollAway, pollMemory, system }: DenoLibrary, events: ParkEvents) {
    this.#pollAway = pollAway;
    this.#system = system;
    this.#events = events;
    this.#memory = pollMemory();
    this.#memory.words[0] = fd;
    this.#references = opReferences();
    this.#woken = () => {
      this.#wait = undefined;
      this.#events.woken();
    };
    this.#rejected = (error) => {
      this.#wait = undefined;
      this.#events.failed(error instanceof Error ? error.message : String(error));
    };
  }

  start(): void {
    this.#memory.words[1] = POLLIN;
    // Without end: an idle process must not wake up only to look. A signal ends it too, which does no harm.
    const wait = this.#pollAway(this.#memory.address, 1n, -1);
    this.#wait = wait;
    if (!this.#referenced) this.#references?.unref(wait);
    wait.then(this.#woken, this.#rejected);
  }

  reference(referenced: boolean): void {
    if (this.#referenced === referenced) return;
    this.#referenced = referenced;
    if (this.#wait === undefined) return;
    if (referenced) this.#references?.ref(this.#wait);
    else this.#references?.unref(this.#wait);
  }

  settle(): void {
    if (this.#wait === undefined) return;
    // The other half of the word is what `poll` found, written as it ends. A descriptor closed before would leave it
    // asleep for ever.
    for (let tries = 0; tries < settleTriesMs && this.#memory.words[1]! >>> 16 === 0; tries++) {
      this.#system.calls.poll(0n, 0, 1);
    }
  }

  close(): Promise<void> {
    // A wait that did not end writes to it.
    if (this.#wait === undefined) this.#memory.free();
    return Promise.resolve();
  }
}

/** For the worker of `worker_waiter.ts`: how Deno opens C functions there. */
const workerPrelude = `
const types = { handle: "pointer", address: "usize", size: "usize", int: "i32" };
function open(path, name, parameters) {
  const symbol = { parameters: parameters.map((kind) => types[kind]), result: "i32" };
  return Deno.dlopen(path, { [name]: symbol }).symbols[name];
}
function addressOf(view) {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(view));
}
const size = BigInt;
`;

interface LoopProbe {
  /** Null when waiting in the pool works, otherwise why not. */
  readonly refusal: string | null;
  /** The descriptor of this thread's own loop, or −1. */
  readonly descriptor: number;
}

/** What the probe of this thread found, once it ran. */
let probed: Promise<LoopProbe> | undefined;

async function probe(library: DenoLibrary): Promise<LoopProbe> {
  const { system } = library;
  const descriptor = system.platform === "linux" ? await loopDescriptor(system) : -1;
  if (opReferences() === null) return { refusal: "this Deno cannot unref a pending call", descriptor };
  const set = pollSet(system);
  try {
    const make: ParkFactory = (fd, events) => new DenoPark(fd, library, events);
    return { refusal: await probePark(set, make), descriptor };
  } catch (error) {
    return { refusal: error instanceof Error ? error.message : String(error), descriptor };
  } finally {
    set.close();
  }
}

/** Lets the loop watch one end of a socket pair for a moment, and looks who does. */
async function loopDescriptor(system: LinuxSystem): Promise<number> {
  const { calls } = system;
  const AF_UNIX = 1;
  const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
  const ends = makeRegion(8);
  if (calls.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, ends.address) < 0) return -1;
  const [watched, other] = [ends.view.getInt32(0, true), ends.view.getInt32(4, true)];
  let socket: Socket | undefined;
  try {
    socket = new Socket({ fd: watched, readable: true });
    socket.on("error", () => {});
    socket.unref();
    await new Promise<void>((resolve) => setImmediate(resolve));
    return findLoopDescriptor(system, { watched, except: [] });
  } catch {
    return -1;
  } finally {
    if (socket === undefined) calls.close(watched);
    else socket.destroy();
    calls.close(other);
  }
}

/** Makes a waiter, after the one probe of this thread. */
export async function denoWaiter(library: DenoLibrary, given: WaiterOptions): Promise<Waiter> {
  const options = readWaiterOptions(given);
  const { system, path } = library;
  const inWorker = workerPark({ prelude: workerPrelude, library: path });
  const inLoop: ParkFactory = (fd, events) => new DenoPark(fd, library, events);
  const kind = options.kind ?? "auto";
  const { refusal, descriptor } = await (probed ??= probe(library).catch((error: unknown) => {
    // What was short may be there the next time.
    probed = undefined;
    throw error;
  }));
  const set = pollSet(system);
  const slice = system.platform === "linux" && descriptor >= 0
    ? slicer(system, { ours: set.fd, loop: descriptor })
    : undefined;
  const first = kind === "worker" || (kind === "auto" && refusal !== null) ? inWorker : inLoop;
  const fallback = kind === "auto" ? inWorker : undefined;
  return ParkingWaiter.open({ set, slice, fallback, fairImmediate: false }, first, options);
}
