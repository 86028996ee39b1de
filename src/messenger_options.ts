import { option, type OptionTable } from "./core/mod.ts";
import type { DiscoveryOptions } from "./discovery/mod.ts";
import type { EventOptions } from "./events/mod.ts";
import type { ConnectOptions, MessengerOptions as CoreOptions } from "./messenger/mod.ts";

export type { CoreOptions };

/** Options of `Messenger.create`. */
export interface MessengerOptions extends CoreOptions, DiscoveryOptions {
  /** Sizes of `messenger.events`. */
  events?: EventOptions | undefined;
  /** Closes the instance when it aborts, as `close()` does. */
  signal?: AbortSignal | undefined;
}

/** All that `Messenger.create` knows. What is `any` here is checked where its default is filled in. */
export const messengerOptionTable: OptionTable<MessengerOptions> = {
  endpoint: option.unchecked,
  listen: option.flag,
  ipc: option.flag,
  resolveHost: option.function,
  curve: option.object,
  redialForMs: option.unchecked,
  forgetAfterMs: option.unchecked,
  name: option.unchecked,
  advertise: option.text,
  instanceId: option.unchecked,
  library: option.text,
  logger: option.methods("a logger such as console,", "debug", "info", "warn", "error"),
  meter: option.methods("a meter such as prometheusMeter(),", "counter", "gauge", "histogram"),
  tracing: option.object,
  maxMetricLabels: option.unchecked,
  timeoutMs: option.unchecked,
  retry: option.unchecked,
  connectTimeoutMs: option.unchecked,
  maxPayloadBytes: option.unchecked,
  maxPendingCalls: option.unchecked,
  maxQueuedMessages: option.unchecked,
  maxQueuedBytes: option.unchecked,
  overflow: option.unchecked,
  maxConnections: option.unchecked,
  maxStrangerDials: option.unchecked,
  maxHandlers: option.unchecked,
  maxHandlerWaits: option.unchecked,
  maxStagedRequests: option.unchecked,
  maxStagedBytes: option.unchecked,
  concurrency: option.unchecked,
  maxInFlightMessages: option.unchecked,
  maxInFlightBytes: option.unchecked,
  maxPeerBytes: option.unchecked,
  slowPeerMs: option.unchecked,
  maxWaitingSends: option.unchecked,
  maxWaitingBytes: option.unchecked,
  maxCreditMessages: option.unchecked,
  maxCreditBytes: option.unchecked,
  highWaterMark: option.unchecked,
  features: option.object,
  clock: option.methods("a clock", "now", "wallNow", "after"),
  waiter: option.oneOf("auto", "loop", "worker"),
  discovery: option.unchecked,
  services: option.unchecked,
  maxServices: option.unchecked,
  events: option.object,
  signal: option.signal,
};

/** All that `connect` knows. */
export const connectOptionTable: OptionTable<ConnectOptions> = {
  serverKey: option.unchecked,
  timeoutMs: option.unchecked,
  signal: option.signal,
};
