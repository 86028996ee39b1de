import { type EventsFeature, eventsFeature } from "./events/mod.ts";
import { type StreamsFeature, streamsFeature } from "./streams/mod.ts";
import type { CountersOf, OptionsOf } from "./messenger/mod.ts";
import type { Feature as MessengerFlag } from "./wire/mod.ts";

/**
 * The features of every messenger: each brings its flag, its options, its handlers and its counters. All types are read
 * from this list. Features that are made on a messenger later, through `portOf`, and need none of these are not in it.
 */
export const features: readonly [EventsFeature, StreamsFeature] = [eventsFeature(), streamsFeature()];

/**
 * The type of {@link features}.
 *
 * @ignore
 */
export type Listed = typeof features[number];

/** The options of the features that every messenger has. */
export type FeatureOptions = OptionsOf<Listed>;

/** The counters of the features that every messenger has; null for a feature that was not used. */
export type FeatureStats = CountersOf<Listed>;

/** Names that instances agree on in `_hello`: the messenger's own, and those of its features. */
export type Feature = MessengerFlag | Listed["name"];
