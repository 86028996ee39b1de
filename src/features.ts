import { eventsFeature, type EventsFeatureOptions } from "./events/mod.ts";
import type { AnyFeature } from "./messenger/mod.ts";
import type { Feature as MessengerFlag } from "./wire/mod.ts";

/**
 * The features of every messenger: each brings its flag, its options and its handlers. Features that are made on a messenger
 * later, through `portOf`, and need neither flag nor option are not listed.
 */
export const features: readonly AnyFeature[] = [eventsFeature()];

/** The options of all {@link features}. */
export interface FeatureOptions extends EventsFeatureOptions {}

/** Names that instances agree on in `_hello`: the messenger's own, and the flags of {@link features}. */
export type Feature = MessengerFlag | "events";
