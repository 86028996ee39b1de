import { type Filled, option, type OptionTable } from "../../core/mod.ts";
import { type ModuleLimits, moduleLimitTable } from "./module_limits.ts";

/** When an update is undone by itself. */
export interface Probation {
  /** Failed handlers that undo it. @default {1} */
  failures?: number | undefined;
  /** The time in which they must fail, from the swap on, in milliseconds. @default {60_000} */
  withinMs?: number | undefined;
}

/** The options of an update. */
export interface UpdateOptions extends ModuleLimits {
  /** Time for loading, and until the running handler has ended, in milliseconds. @default {30_000} */
  timeoutMs?: number | undefined;
  /**
   * Time for `migrate`, the check of the state and `migrateBack` where they return promises, in milliseconds; messages
   * wait for them.
   *
   * @default {5_000}
   */
  migrateTimeoutMs?: number | undefined;
  /** Undoes the update if handlers fail soon after it. Until it is over, a failed handler has no other consequence. */
  probation?: Probation | undefined;
  /**
   * Members of a pool that are updated first, and on probation before the others are; no meaning for another actor.
   * @default {1}
   */
  canary?: number | undefined;
  /** Gives up before the swap. */
  signal?: AbortSignal | undefined;
}

/** The options of {@link Probation}. */
export const probationOptionTable = {
  failures: option.whole(1, 2 ** 31).or(1),
  withinMs: option.timeout.or(60_000),
} satisfies OptionTable<Probation>;

/** The options of an update. */
export const updateOptionTable = {
  ...moduleLimitTable,
  timeoutMs: option.timeout.or(30_000),
  migrateTimeoutMs: option.timeout.or(5_000),
  probation: option.options(probationOptionTable),
  canary: option.whole(1, 65_536).or(1),
  signal: option.signal,
} satisfies OptionTable<UpdateOptions>;

/** The options of an update with their defaults. */
export type ResolvedUpdateOptions = Filled<UpdateOptions, typeof updateOptionTable>;
