import { option } from "../core/mod.ts";
import type { MessengerFeature } from "../messenger/mod.ts";
import { barrierHandler } from "./barrier.ts";
import { eventHandlers } from "./event_messages.ts";
import { type EventManager, eventsOf, type MessengerEvents } from "./manager.ts";
import { type EventOptions, eventOptionTable, resolveEventOptions } from "./options.ts";

/**
 * The events of a messenger, made at first use.
 *
 * @ignore
 */
export interface AttachedEvents {
  /** The manager; made at the first call. */
  readonly manager: EventManager;
  /** The manager, if it was made. */
  readonly made: EventManager | null;
}

/** The option of a messenger about its events. */
export interface EventsFeatureOptions {
  /** Limits of `messenger.events`. */
  events?: EventOptions | undefined;
}

const feature: MessengerFeature<EventsFeatureOptions, AttachedEvents> = {
  flag: "events",
  options: { events: option.options(eventOptionTable) },
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
      get made() {
        return made?.manager ?? null;
      },
    };
  },
};

/**
 * Events as a feature of each messenger: the system handlers at once, the rest on demand.
 *
 * @ignore
 */
export function eventsFeature(): MessengerFeature<EventsFeatureOptions, AttachedEvents> {
  return feature;
}
