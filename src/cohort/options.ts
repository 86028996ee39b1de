import {
  type Clock,
  type Contract,
  type Filled,
  type InstanceId,
  isInstanceId,
  type Logger,
  type Meter,
  option,
  type OptionTable,
  requireOption,
  systemClock,
  withDefaults,
} from "../core/mod.ts";
import {
  type ConnectOptions,
  connectOptionTable,
  type Destination,
  type HealthReport,
  isDestination,
  type MessengerHandle,
  portOf,
  type SendWithAckOptions,
  type WaitOptions,
} from "../messenger/mod.ts";

/** The messenger of a cohort: a `Messenger`. */
export interface CohortMessenger extends MessengerHandle {
  /** Dials an endpoint. */
  connect(endpoint: string, options?: ConnectOptions): Promise<InstanceId>;
  /** Asks a peer for its health. */
  healthCheck(peer: InstanceId, options?: WaitOptions): Promise<HealthReport>;
  /** Sends a message and waits for its ACK. */
  sendWithAck(target: string | Contract, options: SendWithAckOptions): Promise<void>;
  /** Waits until a peer has a handler. */
  waitForHandler(peer: InstanceId, name: string, options?: WaitOptions): Promise<void>;
}

/** Whether a connection to a peer is up, as far as the messenger tells. */
export function isUp(messenger: CohortMessenger, peer: InstanceId): boolean {
  return portOf(messenger)?.isUp(peer) ?? true;
}

/** The clock of a messenger. */
export function clockOf(messenger: CohortMessenger): Clock {
  return portOf(messenger)?.clock ?? systemClock;
}

/**
 * The ranks of a cohort: `assigned`, the leader gives the lowest free one; `claimed`, each worker brings its own (MPI,
 * torch.distributed); `none`; `first`, claimed or none, as the first worker does.
 */
export type RankMode = "assigned" | "claimed" | "none" | "first";

/** The type of a worker's rank. */
export type RankOf<Mode extends RankMode> = Mode extends "none" ? null
  : Mode extends "first" ? number | null
  : number;

/**
 * Policy for a lost worker: `endAll` closes the cohort; `continue` goes on with the rest; `replaceWithinMs` keeps the
 * place for a replacement, or for the same worker, and closes the cohort when none came.
 */
export type FailurePolicy = "endAll" | "continue" | { readonly replaceWithinMs: number };

/**
 * Options of `LeaderWorkerCohort.create`.
 *
 * @typeParam Mode The mode of ranks.
 */
export interface CohortOptions<Mode extends RankMode = RankMode> {
  /** Distinguishes cohorts of one leader. @default {"default"} */
  name?: string | undefined;
  /** Number of workers; without it workers come and go. @default {none} */
  size?: number | undefined;
  /** The most workers of a cohort without a size; all ranks are below it. @default {1_024} */
  maxWorkers?: number | undefined;
  /** The mode of ranks. @default {"assigned"} */
  ranks?: Mode | undefined;
  /**
   * Initial workers, in the order of their ranks, which need not join: their heartbeat is `_health_check` until they
   * do. Until its first answer such a worker is awaited and not lost. More workers can join, up to the size.
   *
   * @default {none}
   */
  workers?: readonly InstanceId[] | undefined;
  /** Policy for a lost worker. @default {"endAll"} */
  failurePolicy?: FailurePolicy | undefined;
  /** Interval of heartbeats between leader and workers, in milliseconds. @default {1_000} */
  heartbeatMs?: number | undefined;
  /** Silence after which the other side is lost, in milliseconds. @default {4_000} */
  lostAfterMs?: number | undefined;
  /** Default deadline of collectives, in milliseconds. @default {30_000} */
  timeoutMs?: number | undefined;
  /** Logger. @default {silent} */
  logger?: Logger | undefined;
  /** Meter of the cohort's counters, until it ends. @default {none} */
  meter?: Meter | undefined;
  /** Closes the cohort when it aborts, as `cohort.close` does. */
  signal?: AbortSignal | undefined;
}

/** Options of `joinCohort`. */
export interface JoinOptions {
  /** The leader: its endpoint, its id if it is known already, or `service(name)` if it offers one. */
  leader: InstanceId | string | Destination;
  /** The CURVE key that the leader's endpoint must own, as for `connect`. */
  serverKey?: string | undefined;
  /** The cohort's name. @default {"default"} */
  name?: string | undefined;
  /** The rank to claim, if workers bring their own. */
  rank?: number | undefined;
  /** Timeout of joining in milliseconds. @default {10_000} */
  timeoutMs?: number | undefined;
  /** Ends joining, and later the membership. */
  signal?: AbortSignal | undefined;
  /**
   * How long the worker tries to rejoin a lost leader, in milliseconds; 0 for not at all. The time counts from the
   * moment at which the leader was silent for the cohort's `lostAfterMs`; after the loss of the connection the worker
   * tries at once. A leader given by endpoint or service may return under another id, one given by id may not.
   *
   * @default {30_000}
   */
  rejoinForMs?: number | undefined;
  /** Called before the worker confirms the end; the leader waits for it for a while. */
  onEnding?: ((reason: string) => unknown) | undefined;
  /** Logger. @default {silent} */
  logger?: Logger | undefined;
}

/** Options of `cohort.addWorker`. */
export interface AddWorkerOptions {
  /** Its rank, if workers bring their own. */
  rank?: number | undefined;
}

/** Options of `cohort.close`. */
export interface CohortCloseOptions {
  /** The reason that workers get. @default {"the leader ends the cohort"} */
  reason?: string | undefined;
  /** How long workers may take to end, in milliseconds. @default {10_000} */
  timeoutMs?: number | undefined;
}

/** Counters of a cohort. */
export interface CohortStats {
  /** Members of the cohort. */
  readonly workers: number;
  /** Lost members that are not replaced. */
  readonly lost: number;
  /** Answered heartbeats. */
  readonly heartbeats: number;
  /** Unanswered heartbeats. */
  readonly missedHeartbeats: number;
  /** Refused requests of workers. */
  readonly refused: number;
}

const replaceTable: OptionTable<{ replaceWithinMs: number }> = { replaceWithinMs: option.duration };

/** A requested rank; the leader decides whether it is valid. */
const rank = option.kind("a number", (value) => typeof value === "number" && !Number.isNaN(value));

/** The options of a cohort. */
export const cohortOptionTable = {
  name: option.text.or("default"),
  size: option.whole(1, 2 ** 31),
  maxWorkers: option.whole(1, 2 ** 31).or(1_024),
  ranks: option.oneOf("assigned", "claimed", "none", "first").or("assigned"),
  workers: option.kind(
    "an array of instance ids",
    (value) => Array.isArray(value) && value.every(isInstanceId),
  ).or([]),
  failurePolicy: option.oneOfOrOptions(["endAll", "continue"], replaceTable).or("endAll"),
  heartbeatMs: option.interval.or(1_000),
  lostAfterMs: option.interval.or(4_000),
  timeoutMs: option.duration.or(30_000),
  logger: option.logger,
  meter: option.meter,
  signal: option.signal,
} satisfies OptionTable<CohortOptions>;

/** The options of joining. */
export const joinOptionTable = {
  leader: option.kind(
    "an endpoint, an instance id or service(name)",
    (value) => typeof value === "string" || isDestination(value),
  ),
  serverKey: connectOptionTable.serverKey,
  name: cohortOptionTable.name,
  rank,
  timeoutMs: option.timeout.or(10_000),
  signal: option.signal,
  rejoinForMs: option.duration.or(30_000),
  onEnding: option.function,
  logger: option.logger,
} satisfies OptionTable<JoinOptions>;

/** {@link JoinOptions} with its defaults. */
export type ResolvedJoinOptions = Filled<JoinOptions, typeof joinOptionTable>;

/** The options of adding a worker. */
export const addWorkerOptionTable: OptionTable<AddWorkerOptions> = { rank };

/** The options of closing a cohort. */
export const cohortCloseOptionTable = {
  reason: option.string.or("the leader ends the cohort"),
  timeoutMs: option.timeout.or(10_000),
} satisfies OptionTable<CohortCloseOptions>;

/** {@link CohortOptions} with its defaults. */
export type ResolvedCohortOptions = Filled<CohortOptions, typeof cohortOptionTable>;

/**
 * Fills in the defaults.
 *
 * @throws {RangeError} If `lostAfterMs` is too short to distinguish a lost worker from a live one.
 * @throws {TypeError} If `failurePolicy` is not valid.
 */
export function resolveCohortOptions(given: CohortOptions): ResolvedCohortOptions {
  const options = withDefaults(given, cohortOptionTable);
  const { size, heartbeatMs, lostAfterMs, failurePolicy } = options;
  if (lostAfterMs <= heartbeatMs) {
    throw new RangeError(
      `Cannot make a cohort: lostAfterMs (${lostAfterMs}) must be more than heartbeatMs (${heartbeatMs})`,
    );
  }
  if (typeof failurePolicy === "object") {
    requireOption(
      failurePolicy,
      "replaceWithinMs",
      replaceTable,
      "Cannot make a cohort with this failurePolicy",
    );
  }
  return { ...options, maxWorkers: size ?? options.maxWorkers };
}
