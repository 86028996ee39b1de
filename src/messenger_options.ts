import { option, type OptionTable } from "./core/mod.ts";
import { type Discovery, findsPeers, findsServices } from "./discovery/mod.ts";
import type { DiscoveryOptions } from "./discovery_hub.ts";
import type { Feature, FeatureOptions } from "./features.ts";
import {
  type AnyFeature,
  coreOptionTable,
  featuresOption,
  type MessengerOptions as CoreOptions,
} from "./messenger/mod.ts";

export type { CoreOptions };

/** Options of `Messenger.create`. */
export interface MessengerOptions extends CoreOptions, DiscoveryOptions, FeatureOptions {
  /** Disables negotiated features: `{ batch: false }`. */
  features?: Partial<Record<Feature, boolean>> | undefined;
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

const ownTable = {
  ...coreOptionTable,
  discovery: option.kind(
    "a back end that finds peers or services (see PeerDiscovery), or an array of them",
    (value) => Array.isArray(value) ? value.every(isBackEnd) : isBackEnd(value),
  ),
  services: option.texts,
  maxServices: option.whole(1, 1_000_000),
  signal: option.signal,
} satisfies OptionTable<Omit<MessengerOptions, keyof FeatureOptions>>;

/** The options of `Messenger.create`, given the features that a messenger has. */
export function optionTableOf(listed: readonly AnyFeature[]): OptionTable<MessengerOptions> {
  const all = { ...ownTable, features: featuresOption(listed.map(({ name }) => name)) };
  return Object.assign(all, ...listed.map(({ options }) => options)) as OptionTable<MessengerOptions>;
}
