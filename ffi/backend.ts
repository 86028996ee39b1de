import type { TcpConnections } from "./connection.ts";
import type { Capability } from "./constants.ts";
import type { Handle, Region } from "./memory.ts";

export type { Handle, Region } from "./memory.ts";

/** What was loaded and what it can do. */
export interface LibraryInfo {
  /** The path or name that was opened. */
  readonly path: string;
  /** How it was found. */
  readonly origin: "option" | "environment" | "embedded" | "system" | "bundled";
  /** libzmq's version, such as `"4.3.5"`. */
  readonly version: string;
  /** What `zmq_has` confirmed. */
  readonly capabilities: readonly Capability[];
}

/**
 * One wait over many descriptors, without a thread per socket and without blocking JavaScript.
 *
 * Level-triggered and for reading only. Used from the thread that made it.
 */
export interface Waiter {
  /** How this waiter waits: the runtime's own loop, or a worker thread where the probe failed. */
  readonly kind: "loop" | "worker";
  /** Whether `setImmediate` alone gives other I/O of the process its turn (so on Bun, not on Deno). */
  readonly fairImmediate: boolean;
  /** Starts watching a descriptor; `token` (a non-negative 31-bit number) names it in {@link fired}. */
  add(fd: number, token: number): void;
  /** Stops watching. To be called before the socket behind the descriptor is closed. */
  remove(fd: number): void;
  /** Writes the tokens that are readable now into `out` and returns how many; clears the bell. */
  fired(out: Int32Array): number;
  /** Starts the one wait; a no-op while one is outstanding. `onWake` is called once when it ends. */
  arm(): void;
  /** Ends the wait from this thread. Safe while nothing waits. */
  ring(): void;
  /**
   * Waits at most `us` microseconds on this thread for our descriptors or the runtime's own loop, for dense
   * traffic. Absent where the runtime's loop could not be found.
   *
   * @param us The longest sleep, in microseconds.
   * @param spinUs How long to look again and again before that, yielding the core between looks, in microseconds.
   * @returns Bit 0: ours are readable. Bit 1: the runtime's loop has work. 0: neither.
   */
  readonly slice?: ((us: number, spinUs: number) => number) | undefined;
  /** Lets an outstanding wait keep the process alive (the default), or not. */
  ref(): void;
  /** See {@link ref}. */
  unref(): void;
  /** Ends the wait, waits for its end, and closes every descriptor. Idempotent. */
  close(): Promise<void>;
  /**
   * Frees the descriptors before it returns. Only for the end of the program, which on Deno need not be the end of the
   * process: `deno run --watch` starts the next program in the same one.
   */
  closeNow(): void;
}

/** How to make a {@link Waiter}. */
export interface WaiterOptions {
  /** Called once per {@link Waiter.arm}, from the event loop, when a descriptor became readable. */
  onWake: () => void;
  /** Called when the wait itself broke and nothing will wake any more; the reason is for people. */
  onFailure: (reason: string) => void;
  /** Which kind to make; `"auto"` probes the loop and falls back to a worker. @default {"auto"} */
  kind?: "auto" | "loop" | "worker" | undefined;
}

/**
 * libzmq as one runtime calls it. Both adapters implement this; shared code never asks which.
 *
 * Every call that returns `number` returns a non-negative result, or the negated errno of the failed call,
 * read right after it. `EINTR` is retried inside where that is safe. Calls marked *hot* allocate nothing.
 */
export interface Backend {
  /** Which runtime this is. */
  readonly runtime: "bun" | "deno";
  /** What was loaded. */
  readonly library: LibraryInfo;

  /** Memory with a fixed address. */
  region(size: number): Region;
  /** libzmq's text for an errno. */
  errorText(errno: number): string;
  /** A new CURVE key pair as Z85 text (40 characters each), or null when this libzmq has no CURVE. */
  curveKeyPair(): { publicKey: string; secretKey: string } | null;
  /** The public key of a secret key, both as Z85 text, or null when this libzmq cannot derive it. */
  curvePublicKey(secretKey: string): string | null;

  /** `zmq_ctx_new`. Throws a `ZeromeshError` `ZMQ_ERROR` when there is no memory. */
  contextNew(): Handle;
  /** `zmq_ctx_set`. */
  contextSet(context: Handle, option: number, value: number): number;
  /** `zmq_ctx_get`. */
  contextGet(context: Handle, option: number): number;
  /** `zmq_ctx_shutdown`. */
  contextShutdown(context: Handle): number;
  /** `zmq_ctx_term` away from this thread, so that timers run during a linger. */
  contextTerm(context: Handle): Promise<number>;
  /** `zmq_ctx_term` on this thread; only for the exit hook. */
  contextTermNow(context: Handle): number;

  /** `zmq_socket`: the socket, or the negated errno. */
  socket(context: Handle, type: number): Handle | number;
  /** `zmq_close`. */
  closeSocket(socket: Handle): number;
  /** `zmq_bind`. */
  bind(socket: Handle, endpoint: string): number;
  /** `zmq_unbind`. */
  unbind(socket: Handle, endpoint: string): number;
  /** `zmq_connect`. */
  connect(socket: Handle, endpoint: string): number;
  /** `zmq_disconnect`. */
  disconnect(socket: Handle, endpoint: string): number;
  /** `zmq_setsockopt`. */
  setOption(socket: Handle, option: number, value: Uint8Array): number;
  /** `zmq_getsockopt` into `into`: the length that was written. */
  getOption(socket: Handle, option: number, into: Uint8Array): number;
  /** `zmq_socket_monitor` (version 1 events); a null endpoint ends it. */
  monitor(socket: Handle, endpoint: string | null, events: number): number;

  /** *Hot.* `ZMQ_EVENTS`: the mask. Processes the socket's pending commands. */
  events(socket: Handle): number;
  /** *Hot.* `zmq_send` of a whole view; libzmq has copied it when this returns. */
  send(socket: Handle, bytes: Uint8Array, flags: number): number;
  /** *Hot.* `zmq_send` from a region. */
  sendRegion(socket: Handle, region: Region, offset: number, length: number, flags: number): number;
  /** *Hot.* `zmq_recv` into a region: the frame's full size, also when it was cut to `capacity`. */
  receive(socket: Handle, region: Region, offset: number, capacity: number, flags: number): number;
  /** *Hot.* `ZMQ_RCVMORE`: 1 or 0. */
  receiveMore(socket: Handle): number;
  /** *Hot.* `zmq_msg_recv` into this backend's one kept message: its size. */
  receiveMessage(socket: Handle, flags: number): number;
  /** *Hot.* Whether another part follows the kept message. */
  messageMore(): boolean;
  /** *Hot.* Copies the first `size` bytes of the kept message into a region. */
  messageToRegion(region: Region, offset: number, size: number): void;
  /** *Hot.* Copies the first `size` bytes of the kept message into a view, which lies over its own buffer. */
  messageToBytes(target: Uint8Array, size: number): void;
  /** `zmq_msg_get` of the kept message (`ZMQ_SRCFD` is 2): the value or −1. */
  messageProperty(property: number): number;
  /** `zmq_msg_gets` of the kept message, such as `"User-Id"`: the text or null. */
  messageText(name: string): string | null;

  /** Makes a waiter for this thread. */
  waiter(options: WaiterOptions): Promise<Waiter>;
  /** Ends what terminated Workers hold of this library, as long as the result is not disposed of. Null on macOS. */
  endDeadThreads(): AsyncDisposable | null;
  /**
   * Gives memory that is free back to the system, on another thread: it takes tens of milliseconds. Null where the C
   * library cannot be asked to.
   */
  returnMemory(): Promise<void> | null;
  /** The soft limit of open descriptors of this process, and how many are open; null where unknown. */
  descriptors(): { limit: number; open: number } | null;
  /** Takes `count` descriptors and gives them back: how many there were, at most `count`. */
  spareDescriptors(count: number): number;
  /** Looks at TCP connections by descriptor; null where the platform does not tell. */
  readonly tcpConnections: TcpConnections | null;
  /** The user id of this process; null where there is none. */
  userId(): number | null;
  /**
   * Gives the runtime's handles of the library back, when nothing of it is in use any more; nobody may use the backend
   * after that. Its code stays loaded until the process ends.
   *
   * @returns Whether it did; where there is nothing to give back the backend goes on.
   */
  release(): boolean;
}
