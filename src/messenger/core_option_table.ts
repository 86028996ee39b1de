import {
  type Filled,
  Guard,
  GuardedMeter,
  type InstanceId,
  instanceId,
  isInstanceId,
  isInstanceName,
  largestCredit,
  type Logger,
  maxInstanceNameLength,
  option,
  type OptionKind,
  type OptionTable,
  systemClock,
  withDefaults,
} from "../core/mod.ts";
import { type CurveIdentity, systemAddresses } from "../transport/mod.ts";
import { allFeatures, presetPeerBytes } from "../wire/mod.ts";
import { type ResolvedRetry, retryOptionTable } from "./calls/retry_options.ts";
import { curveOptionTable, resolveCurve } from "./curve_options.ts";
import type { Authorize } from "./handlers/authorize.ts";
import type { Tracing } from "./observe/tracing.ts";
import type { MessengerOptions } from "./core_options.ts";

/** The option `features`. @param flags The flags of features of higher layers. */
export function featuresOption(flags: readonly string[]): OptionKind<MessengerOptions["features"]> {
  return option.options(Object.fromEntries([...allFeatures, ...flags].map((flag) => [flag, option.flag])));
}

const isId = (value: unknown): boolean => typeof value === "string" && isInstanceId(value.toLowerCase());
const nameRule =
  `1 to ${maxInstanceNameLength} letters, digits and ._:@/- of ASCII that begin with a letter or a digit`;

/** The options of a messenger, without those of higher layers. */
export const coreOptionTable = {
  endpoint: option.textOrTexts.or("tcp://127.0.0.1:0"),
  listen: option.flag.or(true),
  ipc: option.flag.or(true),
  resolveHost: option.function.or(systemAddresses),
  curve: option.options(curveOptionTable),
  authorize: option.function,
  redialForMs: option.duration.or(60_000),
  forgetAfterMs: option.duration,
  name: option.kind(nameRule, isInstanceName),
  advertise: option.text,
  instanceId: option.kind("a UUID", isId),
  library: option.text,
  logger: option.logger,
  meter: option.meter,
  tracing: option.methods("a tracing such as otelTracing(),", "send", "receive"),
  maxMetricLabels: option.whole(1, 100_000).or(200),
  timeoutMs: option.duration.or(30_000),
  retry: option.options(retryOptionTable),
  connectTimeoutMs: option.duration.or(5_000),
  maxPayloadBytes: option.whole(1, 2 ** 31 - 2 ** 20).or(64 * 1024 * 1024),
  maxPendingCalls: option.whole(1, 65_535).or(65_535),
  maxQueuedMessages: option.whole(1, 2 ** 30).or(65_536),
  maxQueuedBytes: option.whole(1, 2 ** 40).or(16 * 1024 * 1024),
  overflow: option.oneOf("wait", "fail").or("wait"),
  maxConnections: option.whole(1, 1_000_000).or(16_384),
  maxStrangerDials: option.whole(1, 1_000_000).or(1_024),
  maxHandlers: option.whole(1, 1_000_000).or(65_536),
  maxHandlerWaits: option.whole(1, 1_000_000).or(16_384),
  maxStagedRequests: option.whole(1, 65_535).or(256),
  maxStagedBytes: option.whole(1, 2 ** 40).or(256 * 1024 * 1024),
  concurrency: option.permits.or(Infinity),
  maxInFlightMessages: option.whole(1, 2 ** 30).or(131_072),
  maxInFlightBytes: option.whole(1, 2 ** 40).or(256 * 1024 * 1024),
  maxPeerBytes: option.whole(1, 2 ** 40).or(presetPeerBytes),
  slowPeerMs: option.duration.or(30_000),
  maxWaitingSends: option.whole(1, 2 ** 30).or(32_768),
  maxWaitingBytes: option.whole(1, 2 ** 40).or(32 * 1024 * 1024),
  maxCreditMessages: option.whole(1, largestCredit.count).or(65_536),
  maxCreditBytes: option.whole(1, largestCredit.bytes).or(16 * 1024 * 1024),
  highWaterMark: option.whole(1, 1_000_000).or(1_000),
  features: featuresOption([]),
  clock: option.clock.or(systemClock),
  waiter: option.oneOf("auto", "loop", "worker").or("auto"),
} satisfies OptionTable<MessengerOptions>;

/** Options that are something else once they are resolved. */
type Changed =
  | "endpoint"
  | "listen"
  | "instanceId"
  | "curve"
  | "authorize"
  | "meter"
  | "tracing"
  | "retry"
  | "features";

/** {@link MessengerOptions} with its defaults. */
export interface ResolvedOptions extends Omit<Filled<MessengerOptions, typeof coreOptionTable>, Changed> {
  readonly endpoints: readonly string[];
  readonly instanceId: InstanceId | null;
  readonly curve: CurveIdentity | null;
  readonly authorize: Authorize | null;
  readonly forgetAfterMs: number;
  readonly logger: Logger;
  readonly guard: Guard;
  readonly meter: GuardedMeter | null;
  readonly tracing: Tracing | null;
  readonly retry: ResolvedRetry | null;
  readonly features: readonly string[];
}

/**
 * Fills in the defaults of checked options.
 *
 * @param flags The flags of features of higher layers.
 * @throws {TypeError} If options contradict each other.
 */
export function resolveOptions(given: MessengerOptions = {}, flags: readonly string[] = []): ResolvedOptions {
  const options = withDefaults(given, coreOptionTable);
  const { listen, endpoint, features, clock, instanceId: id, curve, meter, retry } = options;
  if (!listen && given.endpoint !== undefined) {
    throw new TypeError("Cannot create a messenger with both listen: false and an endpoint to listen on");
  }
  if (!listen && features?.["same-connection"] === false) {
    throw new TypeError(
      "Cannot create a messenger with listen: false and without same-connection: answers could not reach it",
    );
  }
  const guard = new Guard(options.logger);
  return Object.freeze({
    ...options,
    endpoints: !listen ? [] : typeof endpoint === "string" ? [endpoint] : [...endpoint],
    instanceId: id === undefined ? null : instanceId(id),
    curve: curve === undefined ? null : resolveCurve(curve, guard, clock),
    authorize: options.authorize ?? null,
    forgetAfterMs: options.forgetAfterMs ?? options.redialForMs,
    logger: guard.logger,
    guard,
    meter: meter === undefined ? null : new GuardedMeter(meter, guard),
    tracing: options.tracing ?? null,
    retry: retry === undefined ? null : withDefaults(retry, retryOptionTable),
    features: [...allFeatures, ...flags].filter((flag) =>
      (features as Readonly<Record<string, boolean>> | undefined)?.[flag] !== false
    ),
  });
}
