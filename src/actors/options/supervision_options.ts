import { type Filled, option, type OptionTable, withDefaults } from "../../core/mod.ts";

/** What meets a failed handler; see {@link SupervisionOptions}. */
export type FailurePolicy = "resume" | "stop" | "restart";

/** Which children are restarted with one that is. */
export type RestartStrategy = "oneForOne" | "oneForAll" | "restForOne";

/** Growth of the time before a restart. */
export interface RestartBackoff {
  /** Time before the first restart, in milliseconds. @default {50} */
  firstMs?: number | undefined;
  /** It doubles with each restart within `withinMs`, up to this time. @default {5_000} */
  maxMs?: number | undefined;
}

/** What happens when a handler of an actor fails, or a child of it is restarted. */
export interface SupervisionOptions {
  /**
   * What meets a failed handler of this actor, whose sender has the error in each case.
   *
   * - `resume`: the failure is logged, and the actor goes on with its state.
   * - `stop`: the actor stops, and its parent is told.
   * - `restart`: the actor goes on with a new state from `init`. It keeps its id, name, mailbox, parent and watchers; its
   *   children stop, `onStop` runs, its timers and watches end, and its deferred replies fail with `ACTOR_STOPPED`.
   *
   * @default {"resume"}
   */
  onFailure?: FailurePolicy | undefined;
  /**
   * Which children of this actor are restarted when one of them is: that one, all, or that one and those started after
   * it. @default {"oneForOne"}
   */
  strategy?: RestartStrategy | undefined;
  /**
   * Restarts of this actor within `withinMs`. With one failure more it stops, and that counts as a failure of its
   * parent, which is met by the parent's `onFailure`. @default {5}
   */
  maxRestarts?: number | undefined;
  /** The time in which restarts are counted, in milliseconds. @default {30_000} */
  withinMs?: number | undefined;
  /** The time between a failure and the restart. */
  backoff?: RestartBackoff | undefined;
}

/** The options of a growing time. */
export const backoffTable = {
  firstMs: option.duration.or(50),
  maxMs: option.duration.or(5_000),
} satisfies OptionTable<RestartBackoff>;

/** The options of supervision. */
export const supervisionOptionTable = {
  onFailure: option.oneOf("resume", "stop", "restart").or("resume"),
  strategy: option.oneOf("oneForOne", "oneForAll", "restForOne").or("oneForOne"),
  maxRestarts: option.whole(0, Number.MAX_SAFE_INTEGER).or(5),
  withinMs: option.duration.or(30_000),
  backoff: option.options(backoffTable),
} satisfies OptionTable<SupervisionOptions>;

/** Supervision with its defaults. */
export interface Supervision extends Filled<SupervisionOptions, typeof supervisionOptionTable> {
  readonly backoff: Filled<RestartBackoff, typeof backoffTable>;
}

/** What holds for an actor: what its start names, then what its definition does, then the defaults. */
export function supervisionOf(
  defined: SupervisionOptions | undefined,
  spawned: SupervisionOptions | undefined,
): Supervision {
  const filled = withDefaults({ ...given(defined), ...given(spawned) }, supervisionOptionTable);
  return { ...filled, backoff: withDefaults(filled.backoff ?? {}, backoffTable) };
}

/** The options that are given: one that is `undefined` does not hide that of the definition. */
function given(options: SupervisionOptions = {}): SupervisionOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
