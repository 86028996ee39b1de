import { option } from "../core/mod.ts";
import type { AttachedFeature, MessengerFeature } from "../messenger/mod.ts";
import { barrierHandler } from "./barrier.ts";
import { eventHandlers } from "./event_messages.ts";
import { eventMetrics } from "./event_metrics.ts";
import { type EventManager, eventsOf, type EventStats, type MessengerEvents } from "./manager.ts";
import { type EventOptions, eventOptionTable, resolveEventOptions } from "./options.ts";

/**
 * The events of a messenger, made at first use.
 *
 * @ignore
 */
export interface AttachedEvents extends AttachedFeature {
  /** The manager; made at the first call. */
  readonly manager: EventManager;
  /** Its counters; null before it is made. */
  stats(): EventStats | null;
}

/** The option of a messenger about its events. */
export interface EventsFeatureOptions {
  /** Limits of `messenger.events`. */
  events?: EventOptions | undefined;
}

/**
 * The type of {@link eventsFeature}.
 *
 * @ignore
 */
export type EventsFeature = MessengerFeature<"events", EventsFeatureOptions, AttachedEvents>;

const feature: EventsFeature = {
  name: "events",
  options: { events: option.options(eventOptionTable) },
  metrics: eventMetrics,
  attach(port, options) {
    const sizes = resolveEventOptions(options.events);
    let made: MessengerEvents | null = null;
    const events = (): MessengerEvents => made ??= eventsOf(port, sizes);
    const serve = (name: string, kind: "am" | "unary", whileDraining: boolean): void => {
      port.handle(name, kind, (message) => events().receive(name, message), { whileDraining });
    };
    for (const { name, kind } of eventHandlers) serve(name, kind, true);
    serve(barrierHandler, "unary", false);
    return {
      get manager() {
        return events().manager;
      },
      stats: () => made?.manager.stats() ?? null,
    };
  },
};

/**
 * Events as a feature of each messenger: the system handlers at once, the rest on demand.
 *
 * @ignore
 */
export function eventsFeature(): EventsFeature {
  return feature;
}
