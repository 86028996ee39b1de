import {
  isInstanceId,
  isInstanceName,
  largestCredit,
  maxInstanceNameLength,
  option,
  type OptionKind,
  type OptionTable,
} from "../core/mod.ts";
import { allFeatures, type Feature } from "../wire/mod.ts";
import { retryOptionTable } from "./calls/retry_options.ts";
import { curveOptionTable } from "./curve_options.ts";
import type { MessengerOptions } from "./options.ts";

const featureTable = Object.fromEntries(allFeatures.map((feature) => [feature, option.flag])) as Record<
  Feature,
  OptionKind
>;

const isId = (value: unknown): boolean => typeof value === "string" && isInstanceId(value.toLowerCase());
const nameRule =
  `1 to ${maxInstanceNameLength} letters, digits and ._:@/- of ASCII that begin with a letter or a digit`;

/** All that a messenger knows, but for what the layers above add. */
export const coreOptionTable: OptionTable<MessengerOptions> = {
  endpoint: option.textOrTexts,
  listen: option.flag,
  ipc: option.flag,
  resolveHost: option.function,
  curve: option.options(curveOptionTable),
  authorize: option.function,
  redialForMs: option.duration,
  forgetAfterMs: option.duration,
  name: option.kind(nameRule, isInstanceName),
  advertise: option.text,
  instanceId: option.kind("a UUID", isId),
  library: option.text,
  logger: option.logger,
  meter: option.meter,
  tracing: option.methods("a tracing such as otelTracing(),", "send", "receive"),
  maxMetricLabels: option.whole(1, 100_000),
  timeoutMs: option.duration,
  retry: option.options(retryOptionTable),
  connectTimeoutMs: option.duration,
  maxPayloadBytes: option.whole(1, 2 ** 31 - 2 ** 20),
  maxPendingCalls: option.whole(1, 65_535),
  maxQueuedMessages: option.whole(1, 2 ** 30),
  maxQueuedBytes: option.whole(1, 2 ** 40),
  overflow: option.oneOf("wait", "fail"),
  maxConnections: option.whole(1, 1_000_000),
  maxStrangerDials: option.whole(1, 1_000_000),
  maxHandlers: option.whole(1, 1_000_000),
  maxHandlerWaits: option.whole(1, 1_000_000),
  maxStagedRequests: option.whole(1, 65_535),
  maxStagedBytes: option.whole(1, 2 ** 40),
  concurrency: option.permits,
  maxInFlightMessages: option.whole(1, 2 ** 30),
  maxInFlightBytes: option.whole(1, 2 ** 40),
  maxPeerBytes: option.whole(1, 2 ** 40),
  slowPeerMs: option.duration,
  maxWaitingSends: option.whole(1, 2 ** 30),
  maxWaitingBytes: option.whole(1, 2 ** 40),
  maxCreditMessages: option.whole(1, largestCredit.count),
  maxCreditBytes: option.whole(1, largestCredit.bytes),
  highWaterMark: option.whole(1, 1_000_000),
  features: option.options(featureTable),
  clock: option.clock,
  waiter: option.oneOf("auto", "loop", "worker"),
};
