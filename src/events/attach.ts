import type { SystemPort } from "../messenger/mod.ts";
import { barrierHandler } from "./barrier.ts";
import { eventHandlers } from "./event_messages.ts";
import { type EventManager, eventsOf, type MessengerEvents } from "./manager.ts";
import type { ResolvedEventOptions } from "./options.ts";

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

/**
 * Adds events to a messenger: the system handlers at once, the rest on demand.
 *
 * @ignore
 */
export function attachEvents(port: SystemPort, options: ResolvedEventOptions): AttachedEvents {
  let made: MessengerEvents | null = null;
  const events = (): MessengerEvents => made ??= eventsOf(port, options);
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
}
