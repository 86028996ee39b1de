import type { Clock, Logger } from "../core/mod.ts";

/** Counters of a reactor, all since its start. */
export interface ReactorStats {
  /** Which kind of wait is in use. */
  readonly waiter: "loop" | "worker";
  /** Messages read. */
  readonly messages: number;
  /** Times that a wait ended. */
  readonly wakes: number;
  /** Wakes that found nothing to do. */
  readonly idleWakes: number;
  /** Waits that were started. */
  readonly parks: number;
  /** Short waits on this thread under dense traffic. */
  readonly slices: number;
}

/** What a reactor is made of. */
export interface ReactorOptions {
  /** Where time comes from. */
  clock: Clock;
  /** Where trouble is reported. */
  logger: Logger;
  /** Which waiter to use. @default {"auto"} */
  waiter?: "auto" | "loop" | "worker" | undefined;
}
