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
  endpoint: option.any,
  listen: option.flag,
  ipc: option.flag,
  resolveHost: option.function,
  curve: option.object,
  redialForMs: option.any,
  forgetAfterMs: option.any,
  name: option.any,
  advertise: option.text,
  instanceId: option.any,
  library: option.text,
  logger: option.methods("a logger such as console,", "debug", "info", "warn", "error"),
  meter: option.methods("a meter such as prometheusMeter(),", "counter", "gauge", "histogram"),
  tracing: option.object,
  maxMetricLabels: option.any,
  timeoutMs: option.any,
  retry: option.any,
  connectTimeoutMs: option.any,
  maxPayloadBytes: option.any,
  maxPendingCalls: option.any,
  maxQueuedMessages: option.any,
  maxQueuedBytes: option.any,
  overflow: option.any,
  maxConnections: option.any,
  maxHandlers: option.any,
  maxHandlerWaits: option.any,
  maxStagedRequests: option.any,
  maxStagedBytes: option.any,
  concurrency: option.any,
  maxInFlightMessages: option.any,
  maxInFlightBytes: option.any,
  maxWaitingSends: option.any,
  maxWaitingBytes: option.any,
  maxCreditMessages: option.any,
  maxCreditBytes: option.any,
  highWaterMark: option.any,
  features: option.object,
  clock: option.methods("a clock", "now", "wallNow", "after"),
  waiter: option.oneOf("auto", "loop", "worker"),
  discovery: option.any,
  services: option.any,
  maxServices: option.any,
  events: option.object,
  signal: option.signal,
};

/** All that `connect` knows. */
export const connectOptionTable: OptionTable<ConnectOptions> = {
  serverKey: option.any,
  timeoutMs: option.any,
  signal: option.signal,
};
