import { Socket } from "node:net";
import { errorText } from "../src/core/mod.ts";
import { deno } from "./deno_library.ts";
import type { DenoInternal } from "./deno_types.ts";
import { findLoopDescriptor } from "./loop_descriptor.ts";
import type { LoopWait } from "./loop_waiter.ts";
import type { Handle, Size } from "./memory.ts";
import type { AwayCalls, awaySymbols, LinuxSystem, System } from "./symbols.ts";
import { type Park, type ParkEvents, type ParkFactory, probePark } from "./waiter.ts";

type PollAway = AwayCalls<typeof awaySymbols>["poll"];

const POLLIN = 1;
/** How long the program's end waits for the polling thread; it takes microseconds. */
const settleTriesMs = 100;

/** The two private functions that set whether a pending call keeps the process alive; null without them. */
function opReferences():
  | { ref(promise: Promise<unknown>): void; unref(promise: Promise<unknown>): void }
  | null {
  if (deno.internal === undefined) return null;
  const internal = (deno as unknown as Record<symbol, DenoInternal | undefined>)[deno.internal];
  const { refOpPromise, unrefOpPromise } = internal?.core ?? {};
  if (typeof refOpPromise !== "function" || typeof unrefOpPromise !== "function") return null;
  return { ref: refOpPromise, unref: unrefOpPromise };
}

/** Waits in `poll` on a thread of Deno's pool; the return of the call is the wake. Each wait takes one thread. */
class DenoPark implements Park {
  readonly kind = "loop";
  readonly #system: System;
  readonly #poll: PollAway;
  readonly #events: ParkEvents;
  /** One `pollfd` in C's memory: the wait of a terminated Worker continues, and writes here when it ends. */
  readonly #memory: Handle;
  /** A view of it: the descriptor, and the events. */
  readonly #words: Int32Array;
  readonly #one: Size;
  readonly #references: ReturnType<typeof opReferences>;
  readonly #woken: () => void;
  readonly #rejected: (error: unknown) => void;
  #wait: Promise<unknown> | undefined;
  #referenced = true;

  constructor(fd: number, system: System, poll: PollAway, events: ParkEvents) {
    const { calls, memory } = system;
    this.#system = system;
    this.#poll = poll;
    this.#events = events;
    this.#one = memory.size(1);
    const block = calls.calloc(this.#one, memory.size(8));
    if (block === null) throw new Error("there is no memory for a wait");
    this.#memory = block;
    this.#words = new Int32Array(memory.view(block, 8).buffer);
    this.#words[0] = fd;
    this.#references = opReferences();
    this.#woken = () => {
      this.#wait = undefined;
      this.#events.woken();
    };
    this.#rejected = (error) => {
      this.#wait = undefined;
      this.#events.failed(errorText(error));
    };
  }

  start(): void {
    this.#words[1] = POLLIN;
    // Without timeout: an idle process must not wake up only to look. A wake by a signal does no harm.
    const wait = this.#poll(this.#memory, this.#one, -1);
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
    // The other half of the word is the result of `poll`, written at its end. If the descriptor were closed before, the
    // thread would sleep for ever.
    const { calls, memory } = this.#system;
    for (let tries = 0; tries < settleTriesMs && this.#words[1]! >>> 16 === 0; tries++) {
      calls.poll(null, memory.size(0), 1);
    }
  }

  close(): Promise<void> {
    // A wait that has not ended still writes to it.
    if (this.#wait === undefined) this.#system.calls.free(this.#memory);
    return Promise.resolve();
  }
}

/** Prelude of the worker in `worker_waiter.ts`: opens C functions on Deno. */
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

/** Finds the loop's descriptor: lets the loop watch one end of a socket pair, and looks which epoll has it. */
async function loopDescriptor(system: LinuxSystem): Promise<number> {
  const { calls, memory } = system;
  const AF_UNIX = 1;
  const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
  const ends = memory.region(8);
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

/** The wait on Deno; `poll` runs on another thread. */
export function denoWait(system: System, poll: PollAway): LoopWait {
  const park: ParkFactory = (fd, events) => new DenoPark(fd, system, poll, events);
  return {
    fairImmediate: false,
    prelude: workerPrelude,
    park,
    async probe(set, found) {
      if (system.platform === "linux") found(await loopDescriptor(system));
      return opReferences() === null ? "this Deno cannot unref a pending call" : await probePark(set, park);
    },
  };
}
