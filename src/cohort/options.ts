import { type Contract, type InstanceId, isInstanceId, type Logger, type Meter } from "../core/mod.ts";
import {
  checkOptionNames,
  type ConnectOptions,
  type HealthReport,
  type MessengerFace,
  type PeerView,
  type SendWithAckOptions,
  type ServiceTarget,
  type WaitOptions,
} from "../messenger/mod.ts";

/** What a cohort needs of a messenger: a `Messenger`. */
export interface CohortMessenger extends MessengerFace {
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
 * What becomes of the cohort when a worker is lost: `endAll` shuts everybody down; `continue` goes on with the rest;
 * `replaceWithinMs` keeps the place free for a replacement, or for the same worker, and shuts down when none came.
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
  /** Shuts it down, as `cohort.shutdown` does. */
  signal?: AbortSignal | undefined;
}

/** Options of `joinCohort`. */
export interface JoinOptions {
  /** The leader: its endpoint, its id where it is known already, or `service(name)` where it offers one. */
  leader: InstanceId | string | ServiceTarget;
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
  onShutdown?: ((reason: string) => unknown) | undefined;
  /** Where trouble is reported. @default {silent} */
  logger?: Logger | undefined;
}

/** Options of `cohort.shutdown`. */
export interface ShutdownOptions {
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
  shutdownTimeoutMs: 10_000,
  rejoinForMs: 30_000,
  joinTimeoutMs: 10_000,
} as const;

const cohortOptionNames: Readonly<Record<keyof CohortOptions, true>> = {
  name: true,
  size: true,
  maxWorkers: true,
  ranks: true,
  workers: true,
  failurePolicy: true,
  heartbeatMs: true,
  lostAfterMs: true,
  timeoutMs: true,
  logger: true,
  meter: true,
  signal: true,
};

const joinOptionNames: Readonly<Record<keyof JoinOptions, true>> = {
  leader: true,
  serverKey: true,
  name: true,
  rank: true,
  timeoutMs: true,
  signal: true,
  rejoinForMs: true,
  onShutdown: true,
  logger: true,
};

/** {@link JoinOptions} that have a default, with it. @throws {RangeError} @throws {TypeError} */
export function resolveJoinOptions(
  options: JoinOptions,
): { readonly name: string; readonly timeoutMs: number; readonly rejoinForMs: number } {
  checkOptionNames(options, joinOptionNames, "Cannot join a cohort");
  return {
    name: options.name ?? cohortDefaults.name,
    timeoutMs: deadline("timeoutMs", options.timeoutMs ?? cohortDefaults.joinTimeoutMs),
    rejoinForMs: duration("rejoinForMs", options.rejoinForMs ?? cohortDefaults.rejoinForMs),
  };
}

/** Checks options and fills in what is missing. @throws {RangeError} @throws {TypeError} */
export function resolveCohortOptions(options: CohortOptions): ResolvedCohortOptions {
  checkOptionNames(options, cohortOptionNames, "Cannot make a cohort");
  const given = options.size ?? null;
  const size = given === null ? null : whole("size", given);
  const ranks = options.ranks ?? cohortDefaults.ranks;
  const workers = options.workers ?? [];
  if (!Array.isArray(workers) || !workers.every(isInstanceId)) {
    throw new TypeError("workers must be an array of instance ids");
  }
  if (!["assigned", "claimed", "none", "first"].includes(ranks)) {
    throw new TypeError(`ranks must be "assigned", "claimed", "none" or "first", not ${String(ranks)}`);
  }
  const heartbeatMs = milliseconds("heartbeatMs", options.heartbeatMs ?? cohortDefaults.heartbeatMs);
  const lostAfterMs = milliseconds("lostAfterMs", options.lostAfterMs ?? cohortDefaults.lostAfterMs);
  if (lostAfterMs <= heartbeatMs) {
    throw new RangeError(`lostAfterMs (${lostAfterMs}) must be more than heartbeatMs (${heartbeatMs})`);
  }
  return {
    name: options.name ?? cohortDefaults.name,
    size,
    maxWorkers: size ?? whole("maxWorkers", options.maxWorkers ?? cohortDefaults.maxWorkers),
    ranks,
    workers,
    failurePolicy: checkPolicy(options.failurePolicy ?? cohortDefaults.failurePolicy),
    heartbeatMs,
    lostAfterMs,
    timeoutMs: deadline("timeoutMs", options.timeoutMs ?? cohortDefaults.timeoutMs),
  };
}

/** A time above 0. */
export function milliseconds(name: string, value: number): number {
  if (typeof value === "number" && value > 0 && value < Infinity) return value;
  throw new RangeError(`${name} must be milliseconds above 0, not ${String(value)}`);
}

/** A time above 0, or `Infinity` for no end. */
export function deadline(name: string, value: number): number {
  return value === Infinity ? value : milliseconds(name, value);
}

/** A time from 0 on, or `Infinity` for no end. */
export function duration(name: string, value: number): number {
  if (typeof value === "number" && value >= 0) return value;
  throw new RangeError(`${name} must be milliseconds from 0 on, not ${String(value)}`);
}

/** A whole number from 1 on. */
export function whole(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${name} must be a whole number from 1 on, not ${String(value)}`);
}

function checkPolicy(policy: FailurePolicy): FailurePolicy {
  if (policy === "endAll" || policy === "continue") return policy;
  if (typeof policy === "object" && policy !== null) {
    milliseconds("failurePolicy.replaceWithinMs", policy.replaceWithinMs);
    return policy;
  }
  throw new TypeError(
    `failurePolicy must be "endAll", "continue" or { replaceWithinMs }, not ${String(policy)}`,
  );
}
