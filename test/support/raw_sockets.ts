/** Bare ZeroMQ sockets for tests: contexts that end with the test, inboxes the reactor fills, senders that retry. */
import {
  Context,
  type ContextOptions,
  type Socket,
  type SocketTypeName,
  type Source,
} from "../../src/libzmq/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { until } from "./until.ts";

/** The kinds of wait that a context can be told to use: what the runtime's loop can do, and the fallback. */
export const waiterKinds = ["auto", "worker"] as const;

/** One of {@link waiterKinds}. */
export type WaiterKind = (typeof waiterKinds)[number];

/** A context that is closed with the fixture. What a test waits for keeps the process alive. */
export async function rawContext(t: LeakCheck, options: ContextOptions = {}): Promise<Context> {
  const context = t.use(await Context.create(options));
  context.reactor.ref();
  return context;
}

/** A message's parts as text. */
export function texts(parts: readonly Uint8Array[]): string[] {
  return parts.map((part) => decoder.decode(part));
}

/** Texts as the parts of a message. */
export function parts(...texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => encoder.encode(text));
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A number as the one part of a message. */
export function numbered(value: number, size = 8): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(size));
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** The number in the last part of a message. */
export function numberIn(message: readonly Uint8Array[]): number {
  const part = message.at(-1)!;
  return new DataView(part.buffer, part.byteOffset, part.length).getUint32(0, true);
}

/** The next message of a socket that no reactor reads. */
export async function nextOf(socket: Socket, timeoutMs = 5_000): Promise<Uint8Array[]> {
  return await until(() => socket.receive(), {
    timeoutMs,
    intervalMs: 1,
    message: `a message at the ${socket.type}`,
  });
}

/** Sends, waiting until the socket has room. */
export async function sendSoon(socket: Socket, message: readonly Uint8Array[]): Promise<void> {
  await until(() => socket.send(message), { intervalMs: 1, message: `room at the ${socket.type}` });
}

/** Two sockets of one context, one bound and one connected to it, over TCP unless another endpoint is given. */
export function linked(
  context: Context,
  bound: SocketTypeName,
  connected: SocketTypeName,
  options: { endpoint?: string; prepare?: (socket: Socket) => void } = {},
): { readonly bound: Socket; readonly connected: Socket; readonly endpoint: string } {
  const first = context.socket(bound);
  const second = context.socket(connected);
  options.prepare?.(first);
  options.prepare?.(second);
  const endpoint = first.bind(options.endpoint ?? "tcp://127.0.0.1:*");
  second.connect(endpoint);
  return { bound: first, connected: second, endpoint };
}

/** Reads a socket through its context's reactor and keeps, or hands on, every message. */
export class Inbox implements Source {
  /** The messages that came, if there is no `take`. */
  readonly messages: Uint8Array[][] = [];
  /** The number of messages that came. */
  count = 0;
  /** The number of calls of the reactor. */
  calls = 0;
  readonly #socket: Socket;
  readonly #take: ((message: Uint8Array[]) => void) | undefined;
  readonly #then: (() => void) | undefined;

  /**
   * Attaches to a socket.
   *
   * @param take Called for each message instead of keeping it.
   * @param then Called at the end of each call of the reactor.
   */
  constructor(socket: Socket, take?: (message: Uint8Array[]) => void, then?: () => void) {
    this.#socket = socket;
    this.#take = take;
    this.#then = then;
    socket.attach(this);
  }

  receive(budget: number): number {
    this.calls++;
    let count = 0;
    while (count < budget && !this.#socket.closed) {
      const message = this.#socket.receive();
      if (message === null) break;
      count++;
      this.count++;
      if (this.#take === undefined) this.messages.push(message);
      else this.#take(message);
    }
    this.#then?.();
    return count;
  }
}

/** Sends numbered messages as fast as the other end takes them, and hands on what comes back. */
export class Outbox implements Source {
  /** The number that is sent next; the first is 0. */
  next = 0;
  /** The number of retries of the reactor that sent nothing. */
  futile = 0;
  /** The number of messages that came back. */
  received = 0;
  readonly #socket: Socket;
  readonly #total: number;
  readonly #message: (value: number) => Uint8Array[];
  readonly #take: (message: Uint8Array[]) => void;

  constructor(
    socket: Socket,
    total: number,
    options: { message?: (value: number) => Uint8Array[]; take?: (message: Uint8Array[]) => void } = {},
  ) {
    this.#socket = socket;
    this.#total = total;
    this.#message = options.message ?? ((value) => [numbered(value)]);
    this.#take = options.take ?? (() => {});
    socket.attach(this);
  }

  get blocked(): boolean {
    return this.next < this.#total && !this.#socket.closed;
  }

  /** Starts. */
  start(): void {
    this.retry();
    this.#socket.setBlocked(this.blocked);
  }

  receive(budget: number): number {
    // A socket that can only send has nothing to read, and libzmq says so with an error.
    if (this.#socket.type === "PUSH" || this.#socket.type === "PUB") return 0;
    let count = 0;
    while (count < budget && !this.#socket.closed) {
      const message = this.#socket.receive();
      if (message === null) break;
      count++;
      this.received++;
      this.#take(message);
    }
    return count;
  }

  retry(): number {
    let count = 0;
    while (count < 256 && this.blocked && this.#socket.send(this.#message(this.next))) {
      this.next++;
      count++;
    }
    if (count === 0) this.futile++;
    return count;
  }
}

const asleep = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread, so that nothing but libzmq's own threads moves. Other files of the run have the processor. */
export function busy(ms: number): void {
  Atomics.wait(asleep, 0, 0, ms);
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
