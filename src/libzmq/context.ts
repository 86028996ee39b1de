import {
  type Backend,
  type BackendLease,
  ContextOption,
  type Handle,
  leaseBackend,
  type LibraryInfo,
} from "../../ffi/mod.ts";
import { type Clock, type Logger, silentLogger, systemClock, ZeromeshError } from "../core/mod.ts";
import { onProgramEnd } from "../runtime/mod.ts";
import {
  contextDescriptors,
  monitorReaderDescriptors,
  requireDescriptors,
  socketDescriptors,
  threadDescriptors,
} from "./descriptors.ts";
import { MemoryReturn } from "./memory_return.ts";
import { type MonitorHub, openMonitorHub } from "./monitor.ts";
import { LingeringConnections, sleep } from "./lingering_connections.ts";
import { Reactor } from "./reactor.ts";
import { Socket, type SocketTypeName } from "./socket.ts";
import { ZapHandler } from "./zap.ts";

/** Options of a {@link Context}. */
export interface ContextOptions {
  /** Path of a libzmq to load instead of searching for one. */
  library?: string | undefined;
  /** libzmq's I/O threads. @default {1} */
  ioThreads?: number | undefined;
  /** The most sockets. A dialled peer needs two. @default {16_384} */
  maxSockets?: number | undefined;
  /**
   * Time for which sockets may go on sending when the process exits without closing, in milliseconds, and for which the
   * other ends may read. @default {1_000}
   */
  exitLingerMs?: number | undefined;
  /** The kind of waiter; `"auto"` probes. @default {"auto"} */
  waiter?: "auto" | "loop" | "worker" | undefined;
  /** Clock. @default {the system's clock} */
  clock?: Clock | undefined;
  /** Logger. @default {none} */
  logger?: Logger | undefined;
}

const defaults = Object.freeze({ ioThreads: 1, maxSockets: 16_384, exitLingerMs: 1_000 });
const exitPauseMs = 1;
// The last messages have this long to leave, even when waiting for room took all the time.
const leastExitLingerMs = 100;

function ioThreadsOf(options: ContextOptions): number {
  return options.ioThreads ?? defaults.ioThreads;
}

/** Open resources of this JavaScript thread, for leak checks. */
export interface OpenResources {
  /** Contexts that are not closed. */
  readonly contexts: number;
  /** Sockets that are not closed. */
  readonly sockets: number;
}

const openContexts = new Set<Context>();
let contextCount = 0;

/** The open resources of this JavaScript thread. */
export function openResources(): OpenResources {
  let sockets = 0;
  for (const context of openContexts) sockets += context.openSockets;
  return { contexts: openContexts.size, sockets };
}

/**
 * A libzmq context with its reactor and the reader of its monitors, used by one JavaScript thread.
 *
 * Closing it closes its sockets first and ends the context on another thread. It takes no longer than the given linger.
 */
export class Context {
  /** libzmq. */
  readonly backend: Backend;
  /** The native context. */
  readonly handle: Handle;
  /** The most sockets. */
  readonly maxSockets: number;
  readonly #library: BackendLease;
  readonly #sockets = new Set<Socket>();
  readonly #exitLingerMs: number;
  readonly #ioThreads: number;
  #started = false;
  readonly #beforeExit = new Set<() => boolean>();
  /** Returns unused memory to the system. */
  readonly memory: MemoryReturn;
  /** Keeps connections of closed sockets until their other ends have read all. */
  readonly lingering: LingeringConnections;
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
    this.lingering = new LingeringConnections(backend.tcpConnections);
    this.#ioThreads = ioThreadsOf(options);
    backend.contextSet(this.handle, ContextOption.IO_THREADS, this.#ioThreads);
    // The limit counts both: each socket takes a slot, and so does its hidden monitor socket.
    backend.contextSet(this.handle, ContextOption.MAX_SOCKETS, this.maxSockets);
  }

  /**
   * Loads libzmq if necessary and makes a context.
   *
   * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, with the candidates; `LIMIT_REACHED` without enough descriptors.
   */
  static async create(options: ContextOptions = {}): Promise<Context> {
    const lease = await leaseBackend(options.library === undefined ? {} : { library: options.library });
    const { backend } = lease;
    let context: Context | undefined;
    try {
      const needed = contextDescriptors + threadDescriptors(ioThreadsOf(options));
      requireDescriptors(backend, needed, "make a context");
      context = new Context(lease, options);
      context.#reactor = await Reactor.create(backend, {
        clock: options.clock ?? systemClock,
        logger: options.logger ?? silentLogger,
        waiter: options.waiter,
      });
    } catch (error) {
      if (context !== undefined) await backend.contextTerm(context.handle);
      lease[Symbol.dispose]();
      throw error;
    }
    openContexts.add(context);
    context.#deadThreads = backend.endDeadThreads();
    context.#programEnd = onProgramEnd(() => context.#endNow());
    return context;
  }

  /** The loaded library. */
  get library(): LibraryInfo {
    return this.backend.library;
  }

  /** The reactor of this context's sockets. */
  get reactor(): Reactor {
    return this.#reactor;
  }

  /** The reader of this context's monitors, made at first use. */
  get monitors(): MonitorHub {
    if (this.#monitors !== null) return this.#monitors;
    this.#require(monitorReaderDescriptors, "monitor a socket");
    this.#monitors = openMonitorHub(this, `zeromesh-${++contextCount}`);
    return this.#monitors;
  }

  /** The ZAP handler, which decides on CURVE keys; made at first use, and closed with the context. */
  get zap(): ZapHandler {
    this.#zap ??= new ZapHandler(this.socket("ROUTER"));
    return this.#zap;
  }

  /** Open sockets. */
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
   * Calls back when the process ends without {@link close}, before sockets are closed, to send a last time. While it
   * returns false, because libzmq has no room, it is called again.
   */
  beforeExit(callback: () => boolean): Disposable {
    this.#beforeExit.add(callback);
    return { [Symbol.dispose]: () => this.#beforeExit.delete(callback) };
  }

  /** Removes a closed socket. Called by the socket. */
  forget(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /**
   * Closes all sockets and ends the context. A second call returns the first promise.
   *
   * @param options `lingerMs`: how long open sockets may go on sending. Default 0.
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
    await this.lingering.finished();
    await this.#deadThreads?.[Symbol.asyncDispose]();
    this.#library[Symbol.dispose]();
  }

  /** Checks for free descriptors, with those of libzmq's threads, which the first socket starts. */
  #require(count: number, purpose: string): void {
    const threads = this.#started ? 0 : threadDescriptors(this.#ioThreads);
    requireDescriptors(this.backend, threads + count, purpose);
    this.#started = true;
  }

  #endNow(): void {
    // The process ends without close(): sent messages get a short time to leave.
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
    this.lingering.finishNow(until);
  }
}

const sharedContexts = new Map<string | undefined, { context: Promise<Context>; leases: number }>();

/** A lease of the thread's context. */
export interface ContextLease {
  /** The context. */
  readonly context: Context;
  /** Releases the lease; the last one ends the context. Idempotent. */
  release(): Promise<void>;
}

/**
 * Leases the context of this JavaScript thread (one per `library` path), made for the first lease and ended after the
 * last.
 *
 * @param options The options of the first lease count.
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
