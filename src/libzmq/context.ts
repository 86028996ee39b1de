import {
  type Backend,
  type BackendLease,
  ContextOption,
  type Handle,
  leaseBackend,
  type LibraryInfo,
  SocketOption,
} from "../../ffi/mod.ts";
import { type Clock, type Logger, silentLogger, systemClock, ZeromeshError } from "../core/mod.ts";
import {
  contextDescriptors,
  monitorReaderDescriptors,
  requireDescriptors,
  socketDescriptors,
  threadDescriptors,
} from "./descriptors.ts";
import { MemoryReturn } from "./memory_return.ts";
import { type MonitorHub, openMonitorHub } from "./monitor.ts";
import { onProgramEnd } from "./program_end.ts";
import { Partings, sleep } from "./partings.ts";
import { Reactor } from "./reactor.ts";
import type { Registration, Source } from "./source.ts";
import { Socket, type SocketTypeName } from "./socket.ts";
import { ZapHandler } from "./zap.ts";

/** How to make a {@link Context}. */
export interface ContextOptions {
  /** Path of a libzmq to load instead of searching for one. */
  library?: string | undefined;
  /** libzmq's I/O threads. @default {1} */
  ioThreads?: number | undefined;
  /** The most sockets the context can hold. A dialled peer takes two. @default {16_384} */
  maxSockets?: number | undefined;
  /**
   * How long sockets may go on sending when the process exits without closing, and how long their other ends may read.
   * @default {1_000}
   */
  exitLingerMs?: number | undefined;
  /** How to wait for sockets; `"auto"` probes. @default {"auto"} */
  waiter?: "auto" | "loop" | "worker" | undefined;
  /** Where time comes from. @default {the real clock} */
  clock?: Clock | undefined;
  /** Where trouble is reported. @default {nowhere} */
  logger?: Logger | undefined;
}

const defaults = Object.freeze({ ioThreads: 1, maxSockets: 16_384, exitLingerMs: 1_000 });
const exitPauseMs = 1;
// What libzmq was given last has a while to leave also when the time went by with waiting for room.
const leastExitLingerMs = 100;

function ioThreadsOf(options: ContextOptions): number {
  return options.ioThreads ?? defaults.ioThreads;
}

/** What is open in this JavaScript thread, for leak checks. */
export interface OpenResources {
  /** Contexts that were not closed. */
  readonly contexts: number;
  /** Sockets that were not closed. */
  readonly sockets: number;
}

const openContexts = new Set<Context>();
let contextCount = 0;

/** What is open in this JavaScript thread. */
export function openResources(): OpenResources {
  let sockets = 0;
  for (const context of openContexts) sockets += context.openSockets;
  return { contexts: openContexts.size, sockets };
}

/**
 * A libzmq context with its reactor and the reader of its monitors. One JavaScript thread uses it.
 *
 * Closing closes its sockets first, ends the context away from this thread, and never hangs longer than
 * the linger it is given.
 */
export class Context {
  /** libzmq. */
  readonly backend: Backend;
  /** The native context. */
  readonly handle: Handle;
  /** The most sockets it can hold. */
  readonly maxSockets: number;
  readonly #library: BackendLease;
  readonly #sockets = new Set<Socket>();
  readonly #exitLingerMs: number;
  readonly #ioThreads: number;
  #started = false;
  readonly #beforeExit = new Set<() => boolean>();
  /** Gives memory back that nobody uses any more. */
  readonly memory: MemoryReturn;
  /** Keeps connections of sockets that are closed until their other ends have read everything. */
  readonly partings: Partings;
  #reactor!: Reactor;
  #monitors: MonitorHub | null = null;
  #zap: ZapHandler | null = null;
  #closing: Promise<void> | null = null;
  #programEnd: Disposable | undefined;
  #deadThreads: AsyncDisposable | null = null;

  private constructor(lease: BackendLease, options: ContextOptions) {
    const { backend } = lease;
    this.#library = lease;
    this.backend = backend;
    this.maxSockets = options.maxSockets ?? defaults.maxSockets;
    this.#exitLingerMs = options.exitLingerMs ?? defaults.exitLingerMs;
    this.handle = backend.contextNew();
    this.memory = new MemoryReturn(backend, options.clock ?? systemClock);
    this.partings = new Partings(backend.tcpConnections);
    this.#ioThreads = ioThreadsOf(options);
    backend.contextSet(this.handle, ContextOption.IO_THREADS, this.#ioThreads);
    // Both count: each socket takes a slot, and so does each hidden monitor socket.
    backend.contextSet(this.handle, ContextOption.MAX_SOCKETS, this.maxSockets);
  }

  /**
   * Loads libzmq if need be and makes a context.
   *
   * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, naming what was tried; `LIMIT_REACHED` without descriptors for it.
   */
  static async create(options: ContextOptions = {}): Promise<Context> {
    const lease = await leaseBackend(options.library === undefined ? {} : { library: options.library });
    const { backend } = lease;
    let context: Context;
    try {
      const needed = contextDescriptors + threadDescriptors(ioThreadsOf(options));
      requireDescriptors(backend, needed, "make a context");
      context = new Context(lease, options);
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
    try {
      context.#reactor = await Reactor.create(backend, {
        clock: options.clock ?? systemClock,
        logger: options.logger ?? silentLogger,
        waiter: options.waiter,
      });
    } catch (error) {
      await backend.contextTerm(context.handle);
      lease[Symbol.dispose]();
      throw error;
    }
    openContexts.add(context);
    context.#deadThreads = backend.endDeadThreads();
    context.#programEnd = onProgramEnd(() => context.#endNow());
    return context;
  }

  /** What was loaded. */
  get library(): LibraryInfo {
    return this.backend.library;
  }

  /** The pump of this context's sockets. */
  get reactor(): Reactor {
    return this.#reactor;
  }

  /** The reader of this context's monitors, made at first use. */
  get monitors(): MonitorHub {
    if (this.#monitors !== null) return this.#monitors;
    this.#require(monitorReaderDescriptors, "monitor a socket");
    this.#monitors = openMonitorHub(
      {
        backend: this.backend,
        handle: this.handle,
        attachReader: (socket, source, first) => this.#attachReader(socket, source, first),
        touchReader: (registration) => this.#reactor.touch(registration),
        detachReader: (registration) => this.#reactor.remove(registration),
      },
      `zeromesh-${++contextCount}`,
    );
    return this.#monitors;
  }

  /** The one that decides which CURVE keys may connect, made at first use. It lives as long as the context. */
  get zap(): ZapHandler {
    this.#zap ??= new ZapHandler(this.socket("ROUTER"));
    return this.#zap;
  }

  /** How many sockets are open. */
  get openSockets(): number {
    return this.#sockets.size;
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /**
   * Opens a socket.
   *
   * @throws {ZeromeshError} `CLOSED` after {@link close}; `LIMIT_REACHED` at the limit of sockets or descriptors.
   */
  socket(type: SocketTypeName): Socket {
    if (this.#closing !== null) {
      throw new ZeromeshError("CLOSED", `Cannot open a ${type} socket: the context is closed`);
    }
    this.#require(socketDescriptors, `open a ${type} socket`);
    const socket = new Socket(this, type);
    this.#sockets.add(socket);
    return socket;
  }

  /**
   * Calls back when the process ends without {@link close}, before the sockets are closed: the last chance to send. As
   * long as it returns false, because libzmq has no room yet, it is called again.
   */
  beforeExit(callback: () => boolean): Disposable {
    this.#beforeExit.add(callback);
    return { [Symbol.dispose]: () => this.#beforeExit.delete(callback) };
  }

  /** Called by a socket that was closed. */
  forget(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /**
   * Closes every socket and ends the context. The second call returns the first promise.
   *
   * @param options `lingerMs`: how long sockets still open may go on sending. Default 0.
   */
  close(options: { lingerMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.lingerMs ?? 0);
    return this.#closing;
  }

  /** Same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(lingerMs: number): Promise<void> {
    this.#programEnd?.[Symbol.dispose]();
    openContexts.delete(this);
    for (const socket of [...this.#sockets]) socket.close({ lingerMs });
    this.#monitors?.close();
    await this.memory.close();
    await this.#reactor.close();
    await this.backend.contextTerm(this.handle);
    await this.partings.finished();
    await this.#deadThreads?.[Symbol.asyncDispose]();
    this.#library[Symbol.dispose]();
  }

  /** Makes sure of descriptors, and of those for libzmq's threads, which the first socket starts. */
  #require(count: number, purpose: string): void {
    const threads = this.#started ? 0 : threadDescriptors(this.#ioThreads);
    requireDescriptors(this.backend, threads + count, purpose);
    this.#started = true;
  }

  #attachReader(socket: Handle, source: Source, first: boolean): Registration {
    const cell = new Uint8Array(new ArrayBuffer(4));
    this.backend.getOption(socket, SocketOption.FD, cell);
    const fd = new DataView(cell.buffer).getInt32(0, true);
    return this.#reactor.add(socket, fd, source, { first });
  }

  #endNow(): void {
    // The process is ending without close(): give what was sent a short while to leave.
    const until = systemClock.now() + this.#exitLingerMs;
    const callbacks = new Set(this.#beforeExit);
    for (;;) {
      for (const callback of callbacks) if (callback()) callbacks.delete(callback);
      if (callbacks.size === 0 || systemClock.now() >= until) break;
      sleep(exitPauseMs);
    }
    const lingerMs = Math.max(leastExitLingerMs, Math.ceil(until - systemClock.now()));
    for (const socket of [...this.#sockets]) socket.close({ lingerMs });
    this.#monitors?.close();
    this.#reactor.closeNow();
    this.backend.contextTermNow(this.handle);
    this.partings.finishNow(until);
  }
}

const sharedContexts = new Map<string | undefined, { context: Promise<Context>; leases: number }>();

/** The right to use the thread's context until {@link ContextLease.release}. */
export interface ContextLease {
  /** The context. */
  readonly context: Context;
  /** Gives the right back; the last one ends the context. Idempotent. */
  release(): Promise<void>;
}

/**
 * The one context of this JavaScript thread (one for each `library` that is asked for by path), made at first use
 * and ended when nobody uses it.
 *
 * @param options Those of the first user count.
 */
export async function leaseContext(options: ContextOptions = {}): Promise<ContextLease> {
  const key = options.library;
  const entry = sharedContexts.get(key) ?? { context: Context.create(options), leases: 0 };
  sharedContexts.set(key, entry);
  entry.leases++;
  const forget = () => {
    if (sharedContexts.get(key) === entry) sharedContexts.delete(key);
  };
  let context: Context;
  try {
    context = await entry.context;
  } catch (error) {
    forget();
    throw error;
  }
  let released: Promise<void> | null = null;
  return {
    context,
    release() {
      released ??= (async () => {
        if (--entry.leases > 0) return;
        forget();
        await context.close({ lingerMs: 0 });
      })();
      return released;
    },
  };
}
