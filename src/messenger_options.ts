import { option, type OptionTable } from "./core/mod.ts";
import { type Discovery, findsPeers, findsServices } from "./discovery/mod.ts";
import type { DiscoveryOptions } from "./discovery_hub.ts";
import { type EventOptions, eventsOption } from "./events/mod.ts";
import { coreOptionTable, type MessengerOptions as CoreOptions } from "./messenger/mod.ts";

export type { CoreOptions };

/** Options of `Messenger.create`. */
export interface MessengerOptions extends CoreOptions, DiscoveryOptions {
  /** Limits of `messenger.events`. */
  events?: EventOptions | undefined;
  /**
   * Closes the instance when it aborts, as `close()` does. When it aborts during creation, `create` rejects with its
   * reason.
   */
  signal?: AbortSignal | undefined;
}

function isBackEnd(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return findsPeers(value as Discovery) || findsServices(value as Discovery);
}

/** The options of `Messenger.create`. */
export const messengerOptionTable: OptionTable<MessengerOptions> = {
  ...coreOptionTable,
  discovery: option.kind(
    "a back end that finds peers or services (see PeerDiscovery), or an array of them",
    (value) => Array.isArray(value) ? value.every(isBackEnd) : isBackEnd(value),
  ),
  services: option.texts,
  maxServices: option.whole(1, 1_000_000),
  events: eventsOption(),
  signal: option.signal,
};
