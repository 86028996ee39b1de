import {
  type Clock,
  type Contract,
  type InstanceId,
  isInstanceId,
  type Logger,
  type Meter,
  option,
  type OptionTable,
  requireOption,
  systemClock,
} from "../core/mod.ts";
import {
  type ConnectOptions,
  connectOptionTable,
  type Destination,
  type HealthReport,
  isDestination,
  type MessengerHandle,
  type PeerView,
  portOf,
  type SendWithAckOptions,
  type WaitOptions,
} from "../messenger/mod.ts";

/** What a cohort needs of a messenger: a `Messenger`. */
export interface CohortMessenger extends MessengerHandle {
  /** Dials an endpoint. */
  connect(endpoint: string, options?: ConnectOptions): Promise<InstanceId>;
  /** The peers known now. */
  peers(): PeerView[];
  /** Asks a peer how it is. */
  healthCheck(peer: InstanceId, options?: WaitOptions): Promise<HealthReport>;
  /** Sends a message that asks for an ACK, and waits for it. */
  sendWithAck(target: string | Contract, options: SendWithAckOptions): Promise<void>;
  /** Waits until a peer has a handler. */
  waitForHandler(peer: InstanceId, name: string, options?: WaitOptions): Promise<void>;
}

/** The clock of a messenger. */
export function clockOf(messenger: CohortMessenger): Clock {
  return portOf(messenger)?.clock ?? systemClock;
}

/**
 * Who has a rank: `assigned`, the leader gives the lowest that is free; `claimed`, every worker brings its own (MPI,
 * torch.distributed); `none`; `first`, claimed or none, as the first worker does.
 */
export type RankMode = "assigned" | "claimed" | "none" | "first";

/** A worker's rank as its type, by who has one. */
export type RankOf<Mode extends RankMode> = Mode extends "none" ? null
  : Mode extends "first" ? number | null
  : number;

/**
 * What becomes of the cohort when a worker is lost: `endAll` closes the cohort; `continue` goes on with the rest;
 * `replaceWithinMs` keeps the place free for a replacement, or for the same worker, and closes the cohort when none came.
 */
export type FailurePolicy = "endAll" | "continue" | { readonly replaceWithinMs: number };

/**
 * Options of `LeaderWorkerCohort.create`.
 *
 * @typeParam Mode Who has a rank.
 */
export interface CohortOptions<Mode extends RankMode = RankMode> {
  /** Tells cohorts of one leader apart. @default {"default"} */
  name?: string | undefined;
  /** How many workers it has; without it workers come and go. @default {as many as come} */
  size?: number | undefined;
  /** The most workers of a cohort without a size; no rank is this large or larger. @default {1_024} */
  maxWorkers?: number | undefined;
  /** Who has a rank. @default {"assigned"} */
  ranks?: Mode | undefined;
  /**
   * Workers from the beginning, in the order of their ranks, which need not join: their heartbeat is `_health_check`
   * until they do. One that was never heard of is waited for, and not lost. More can join, up to the size.
   *
   * @default {none}
   */
  workers?: readonly InstanceId[] | undefined;
  /** What becomes of it when a worker is lost. @default {"endAll"} */
  failurePolicy?: FailurePolicy | undefined;
  /** How often leader and workers tell each other that they live, in milliseconds. @default {1_000} */
  heartbeatMs?: number | undefined;
  /** After how long a silence the other side is lost, in milliseconds. @default {4_000} */
  lostAfterMs?: number | undefined;
  /** Deadline of a collective that names none, in milliseconds. @default {30_000} */
  timeoutMs?: number | undefined;
  /** Where trouble is reported. @default {silent} */
  logger?: Logger | undefined;
  /** Where its counters go, until it has ended. @default {nowhere} */
  meter?: Meter | undefined;
  /** Closes it, as `cohort.close` does. */
  signal?: AbortSignal | undefined;
}

/** Options of `joinCohort`. */
export interface JoinOptions {
  /** The leader: its endpoint, its id where it is known already, or `service(name)` where it offers one. */
  leader: InstanceId | string | Destination;
  /** The CURVE key that the leader's endpoint must own, as for `connect`. */
  serverKey?: string | undefined;
  /** Which of its cohorts. @default {"default"} */
  name?: string | undefined;
  /** The rank to claim, where workers bring their own. */
  rank?: number | undefined;
  /** How long joining may take, in milliseconds. @default {10_000} */
  timeoutMs?: number | undefined;
  /** Gives up joining, and leaves the cohort later. */
  signal?: AbortSignal | undefined;
  /**
   * How long a leader that is gone is asked for the place again, in milliseconds; 0 not to ask. It counts from the
   * moment at which the leader was silent for the cohort's `lostAfterMs`; where the connection is lost, the worker asks
   * from then on. A leader given by its endpoint or as a service may come back under another id, one given by its id
   * may not.
   *
   * @default {30_000}
   */
  rejoinForMs?: number | undefined;
  /** What to do before the end is confirmed to the leader, which waits for it a while. */
  onEnding?: ((reason: string) => unknown) | undefined;
  /** Where trouble is reported. @default {silent} */
  logger?: Logger | undefined;
}

/** Options of `cohort.addWorker`. */
export interface AddWorkerOptions {
  /** Its rank, where workers bring their own. */
  rank?: number | undefined;
}

/** Options of `cohort.close`. */
export interface CohortCloseOptions {
  /** Why, for the workers. @default {"the leader ends the cohort"} */
  reason?: string | undefined;
  /** How long workers may take, in milliseconds. @default {10_000} */
  timeoutMs?: number | undefined;
}

/** Counters of a cohort. */
export interface CohortStats {
  /** Workers that have a place. */
  readonly workers: number;
  /** Those of them that are lost and not replaced. */
  readonly lost: number;
  /** Heartbeats that were answered. */
  readonly heartbeats: number;
  /** Heartbeats that were not. */
  readonly missedHeartbeats: number;
  /** Workers that were refused a place. */
  readonly refused: number;
}

/** {@link CohortOptions} with everything filled in. */
export interface ResolvedCohortOptions {
  readonly name: string;
  readonly size: number | null;
  readonly maxWorkers: number;
  readonly ranks: RankMode;
  readonly workers: readonly InstanceId[];
  readonly failurePolicy: FailurePolicy;
  readonly heartbeatMs: number;
  readonly lostAfterMs: number;
  readonly timeoutMs: number;
}

/** What holds where nothing is said. */
export const cohortDefaults = {
  name: "default",
  maxWorkers: 1_024,
  ranks: "assigned",
  failurePolicy: "endAll",
  heartbeatMs: 1_000,
  lostAfterMs: 4_000,
  timeoutMs: 30_000,
  closeTimeoutMs: 10_000,
  rejoinForMs: 30_000,
  joinTimeoutMs: 10_000,
} as const;

const replaceTable: OptionTable<{ replaceWithinMs: number }> = { replaceWithinMs: option.duration };

/** A rank that is asked for; whether somebody can have it is for the leader to say. */
const rank = option.kind("a number", (value) => typeof value === "number" && !Number.isNaN(value));

/** All that a cohort knows. */
export const cohortOptionTable: OptionTable<CohortOptions> = {
  name: option.text,
  size: option.whole(1, 2 ** 31),
  maxWorkers: option.whole(1, 2 ** 31),
  ranks: option.oneOf("assigned", "claimed", "none", "first"),
  workers: option.kind(
    "an array of instance ids",
    (value) => Array.isArray(value) && value.every(isInstanceId),
  ),
  failurePolicy: option.oneOfOrOptions(["endAll", "continue"], replaceTable),
  heartbeatMs: option.interval,
  lostAfterMs: option.interval,
  timeoutMs: option.duration,
  logger: option.logger,
  meter: option.meter,
  signal: option.signal,
};

/** All that joining a cohort knows. */
export const joinOptionTable: OptionTable<JoinOptions> = {
  leader: option.kind(
    "an endpoint, an instance id or service(name)",
    (value) => typeof value === "string" || isDestination(value),
  ),
  serverKey: connectOptionTable.serverKey,
  name: option.text,
  rank,
  timeoutMs: option.timeout,
  signal: option.signal,
  rejoinForMs: option.duration,
  onEnding: option.function,
  logger: option.logger,
};

/** All that adding a worker knows. */
export const addWorkerOptionTable: OptionTable<AddWorkerOptions> = { rank };

/** All that closing a cohort knows. */
export const cohortCloseOptionTable: OptionTable<CohortCloseOptions> = {
  reason: option.string,
  timeoutMs: option.timeout,
};

/**
 * Fills in what is missing in options that were checked.
 *
 * @throws {RangeError} If nobody could tell a lost worker from one that lives.
 * @throws {TypeError} If `failurePolicy` does not say how long a place is kept.
 */
export function resolveCohortOptions(options: CohortOptions): ResolvedCohortOptions {
  const d = cohortDefaults;
  const { size = null, heartbeatMs = d.heartbeatMs, lostAfterMs = d.lostAfterMs } = options;
  const { failurePolicy = d.failurePolicy } = options;
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
  return {
    name: options.name ?? d.name,
    size,
    maxWorkers: size ?? options.maxWorkers ?? d.maxWorkers,
    ranks: options.ranks ?? d.ranks,
    workers: options.workers ?? [],
    failurePolicy,
    heartbeatMs,
    lostAfterMs,
    timeoutMs: options.timeoutMs ?? d.timeoutMs,
  };
}
