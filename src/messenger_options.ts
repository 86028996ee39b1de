import type { DiscoveryOptions } from "./discovery/mod.ts";
import type { EventOptions } from "./events/mod.ts";
import type { MessengerOptions as CoreOptions } from "./messenger/mod.ts";

export type { CoreOptions };

/** Options of `Messenger.create`. */
export interface MessengerOptions extends CoreOptions, DiscoveryOptions {
  /** Sizes of `messenger.events`. */
  events?: EventOptions | undefined;
}
