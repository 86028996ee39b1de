import type { Clock, Logger } from "../core/mod.ts";

/** Counters of a reactor since its start. */
export interface ReactorStats {
  /** Kind of the waiter. */
  readonly waiter: "loop" | "worker";
  /** Messages read. */
  readonly messages: number;
  /** Waits that ended. */
  readonly wakes: number;
  /** Wakes without work. */
  readonly idleWakes: number;
  /** Waits that began. */
  readonly parks: number;
  /** Short waits on this thread under dense traffic. */
  readonly slices: number;
}

/** Options of a {@link Reactor}. */
export interface ReactorOptions {
  /** Clock. */
  clock: Clock;
  /** Logger. */
  logger: Logger;
  /** The kind of waiter. @default {"auto"} */
  waiter?: "auto" | "loop" | "worker" | undefined;
}
