import type { TcpConnections } from "./connection.ts";
import type { Capability } from "./constants.ts";
import type { Drafts } from "./drafts.ts";
import type { Handle, Region } from "./memory.ts";

export type { Drafts, SocketPoller } from "./drafts.ts";
export type { Handle, Region } from "./memory.ts";

/** The loaded library and its capabilities. */
export interface LibraryInfo {
  /** The opened path or name. */
  readonly path: string;
  /** How it was found. */
  readonly origin: "option" | "environment" | "embedded" | "system" | "bundled";
  /** libzmq's version, such as `"4.3.5"`. */
  readonly version: string;
  /** The capabilities that `zmq_has` confirms. */
  readonly capabilities: readonly Capability[];
}

/**
 * One wait over many descriptors, without a thread per socket and without blocking JavaScript.
 *
 * Level-triggered and for reading only. Used by the thread that made it.
 */
export interface Waiter {
  /** The runtime's own loop, or a worker thread if the probe failed. */
  readonly kind: "loop" | "worker";
  /** Whether `setImmediate` alone lets other I/O of the process run (on Bun, not on Deno). */
  readonly fairImmediate: boolean;
  /** Starts watching a descriptor; {@link fired} returns its `token`, a non-negative 31-bit number. */
  add(fd: number, token: number): void;
  /** Stops watching. To be called before the socket behind the descriptor is closed. */
  remove(fd: number): void;
  /** Writes the tokens of readable descriptors into `out` and returns their number; clears the bell. */
  fired(out: Int32Array): number;
  /** Starts the wait; does nothing while one is under way. `onWake` is called once when it ends. */
  arm(): void;
  /** Ends the wait from this thread; does nothing without one. */
  ring(): void;
  /**
   * Waits on this thread for the watched descriptors or the runtime's own loop, for dense traffic. Absent if the
   * runtime's loop was not found.
   *
   * @param us The longest sleep, in microseconds.
   * @param spinUs Time of polling before the sleep, yielding the core in between, in microseconds.
   * @returns Bit 0: watched descriptors are readable. Bit 1: the runtime's loop has work.
   */
  readonly slice?: ((us: number, spinUs: number) => number) | undefined;
  /** Lets a wait keep the process alive, which is the default. */
  ref(): void;
  /** Undoes {@link ref}. */
  unref(): void;
  /** Ends the wait and closes all descriptors. Idempotent. */
  close(): Promise<void>;
  /**
   * Frees the descriptors synchronously. Only for the end of the program, which on Deno need not end the process:
   * `deno run --watch` starts the next program in it.
   */
  closeNow(): void;
}

/** Options of a {@link Waiter}. */
export interface WaiterOptions {
  /** Called once per {@link Waiter.arm}, from the event loop, when a descriptor became readable. */
  onWake: () => void;
  /** Called when the wait failed for good; the reason is for people. */
  onFailure: (reason: string) => void;
  /** The kind; `"auto"` probes the loop and falls back to a worker. @default {"auto"} */
  kind?: "auto" | "loop" | "worker" | undefined;
}

/**
 * libzmq as a runtime calls it. Both adapters implement this, and shared code does not depend on the runtime.
 *
 * A call that returns `number` returns a non-negative result, or the negated errno of the failed call, read right after
 * it. `EINTR` is retried inside where that is safe. Calls marked *hot* allocate nothing.
 */
export interface Backend {
  /** The runtime. */
  readonly runtime: "bun" | "deno";
  /** The loaded library. */
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
  /** The context of all threads of this process, made for the first one. One of this thread's own where that fails. */
  sharedContext(): Handle;
  /** Leaves it. Returns whether no living thread uses it any more: the caller has to end it then. */
  leaveSharedContext(): boolean;
  /** `zmq_ctx_set`. */
  contextSet(context: Handle, option: number, value: number): number;
  /** `zmq_ctx_get`. */
  contextGet(context: Handle, option: number): number;
  /** `zmq_ctx_shutdown`. */
  contextShutdown(context: Handle): number;
  /** `zmq_ctx_term` on another thread, so that timers run during a linger. */
  contextTerm(context: Handle): Promise<number>;
  /**
   * `zmq_ctx_term`, which this thread waits for; only for the exit hook.
   *
   * @param slow Called when it takes longer than `slowMs`, where the runtime can (Bun).
   */
  contextTermNow(context: Handle, slow?: { readonly slowMs: number; readonly slow: () => void }): number;

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
  /** `zmq_setsockopt`; null is a `NULL` of length 0. */
  setOption(socket: Handle, option: number, value: Uint8Array | null): number;
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
  /** *Hot.* `zmq_recv` into a region: the frame's full size, even if it was cut to `capacity`. */
  receive(socket: Handle, region: Region, offset: number, capacity: number, flags: number): number;
  /** *Hot.* `ZMQ_RCVMORE`: 1 or 0. */
  receiveMore(socket: Handle): number;
  /** *Hot.* `zmq_msg_recv` into this backend's kept message: its size. */
  receiveMessage(socket: Handle, flags: number): number;
  /** *Hot.* `zmq_msg_send` of the kept message, which is empty afterwards unless the call failed: its size. */
  sendMessage(socket: Handle, flags: number): number;
  /** *Hot.* Whether another part follows the kept message. */
  messageMore(): boolean;
  /** *Hot.* Copies the first `size` bytes of the kept message into a region. */
  messageToRegion(region: Region, offset: number, size: number): void;
  /** *Hot.* Copies the first `size` bytes of the kept message into a view with a buffer of its own. */
  messageToBytes(target: Uint8Array, size: number): void;
  /** `zmq_msg_get` of the kept message (`ZMQ_SRCFD` is 2): the value or −1. */
  messageProperty(property: number): number;
  /** `zmq_msg_gets` of the kept message, such as `"User-Id"`: the text or null. */
  messageText(name: string): string | null;

  /** What draft sockets need; null where this libzmq was built without them, or is older than 4.3.2. */
  readonly drafts: Drafts | null;

  /** Makes a waiter for this thread. */
  waiter(options: WaiterOptions): Promise<Waiter>;
  /** Frees the resources of terminated Workers, until the result is disposed. Null on macOS. */
  endDeadThreads(): AsyncDisposable | null;
  /**
   * Returns free memory to the system, on another thread: it takes tens of milliseconds. Null if the C library cannot.
   */
  returnMemory(): Promise<void> | null;
  /** The soft limit of open descriptors of this process, and how many are open; null where unknown. */
  descriptors(): { limit: number; open: number } | null;
  /** Opens `count` descriptors and closes them: how many succeeded. */
  spareDescriptors(count: number): number;
  /** Reads TCP connections by descriptor; null if the platform cannot. */
  readonly tcpConnections: TcpConnections | null;
  /** The user id of this process; null where there is none. */
  userId(): number | null;
  /**
   * Closes the runtime's handles of the library, once it is unused; the backend must not be used afterwards. The code
   * stays loaded until the process ends.
   *
   * @returns Whether it did; without handles to close the backend remains usable.
   */
  release(): boolean;
}
