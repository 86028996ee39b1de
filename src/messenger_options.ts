import type { DiscoveryOptions } from "./discovery/mod.ts";
import type { EventOptions } from "./events/mod.ts";
import type { MessengerOptions as CoreOptions } from "./messenger/mod.ts";

export type { CoreOptions };

/** Options of `Messenger.create`. */
export interface MessengerOptions extends CoreOptions, DiscoveryOptions {
  /** Sizes of `messenger.events`. */
  events?: EventOptions | undefined;
  /** Closes the instance when it aborts, as `close()` does. */
  signal?: AbortSignal | undefined;
}

/** All that `Messenger.create` knows; the type makes it complete. */
export const messengerOptionNames: Readonly<Record<keyof MessengerOptions, true>> = {
  endpoint: true,
  listen: true,
  ipc: true,
  resolveHost: true,
  curve: true,
  redialForMs: true,
  forgetAfterMs: true,
  name: true,
  advertise: true,
  instanceId: true,
  library: true,
  logger: true,
  meter: true,
  tracing: true,
  maxMetricLabels: true,
  timeoutMs: true,
  retry: true,
  connectTimeoutMs: true,
  maxPayloadBytes: true,
  maxPendingCalls: true,
  maxQueuedMessages: true,
  maxQueuedBytes: true,
  overflow: true,
  maxConnections: true,
  maxHandlers: true,
  maxHandlerWaits: true,
  maxStagedRequests: true,
  maxStagedBytes: true,
  concurrency: true,
  maxInFlightMessages: true,
  maxInFlightBytes: true,
  maxWaitingSends: true,
  maxWaitingBytes: true,
  maxCreditMessages: true,
  maxCreditBytes: true,
  highWaterMark: true,
  features: true,
  clock: true,
  waiter: true,
  discovery: true,
  services: true,
  maxServices: true,
  events: true,
  signal: true,
};
