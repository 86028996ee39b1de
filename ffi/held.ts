import type { Handle } from "./memory.ts";

/** Resources of a thread that outlive it. A bell is a descriptor that ends the wait on others. */
export type HeldKind = "context" | "socket" | "bell" | "descriptor" | "poller";

/** The calls of a backend that free the resources of dead threads. */
export interface HeldEnd {
  /** `zmq_socket_monitor`. */
  monitor(socket: Handle, endpoint: string | null, events: number): number;
  /** `zmq_setsockopt`. */
  setOption(socket: Handle, option: number, value: Uint8Array): number;
  /** `zmq_poller_destroy`. */
  closePoller(poller: Handle): void;
  /** `zmq_close`. */
  closeSocket(socket: Handle): number;
  /** `zmq_ctx_term` on another thread. */
  contextTerm(context: Handle): Promise<number>;
}

/** The list of this thread's resources. */
export interface HeldList {
  /** Adds a resource. */
  add(kind: HeldKind, value: bigint): void;
  /** Removes a resource. To be called before it is freed. */
  remove(kind: HeldKind, value: bigint): void;
  /** Frees resources of dead threads, now and every second until the result is disposed, which awaits running calls. */
  watch(end: HeldEnd): AsyncDisposable;
}

/** The context of all threads of a process. */
export interface SharedContexts {
  /** Joins the threads that use it, and makes it for the first one. Null when it cannot be shared. */
  join(make: () => Handle | null): Handle | null;
  /** Leaves them. Returns whether no living thread uses it any more: the caller has to end it then. */
  leave(): boolean;
}
