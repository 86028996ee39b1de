import type { OptionTable, StatMetric } from "../core/mod.ts";
import type { SystemPort } from "./system_port.ts";

/** What a feature has on one messenger. */
export interface AttachedFeature {
  /** A snapshot of its counters; null while it has none. */
  stats(): object | null;
}

/** A part of the library that stands on a messenger: everything that others have to know of it. */
export interface MessengerFeature<
  Name extends string,
  Options extends object,
  Attached extends AttachedFeature,
> {
  /** The flag by which instances agree on it in `_hello`, for `supports`, and the key of its counters in `stats()`. */
  readonly name: Name;
  /** Its options of `Messenger.create`. */
  readonly options: OptionTable<Options>;
  /** The metrics of its counters. */
  readonly metrics: readonly StatMetric<ReturnType<Attached["stats"]>>[];
  /** Attaches it to a new messenger. The result is the messenger's for as long as it exists. */
  attach(port: SystemPort, options: Options): Attached;
}

/** A feature, whatever its types are. */
export type AnyFeature = MessengerFeature<string, Record<never, never>, AttachedFeature>;

/**
 * The options of several features together.
 *
 * @ignore
 */
export type OptionsOf<Features> = (
  Features extends MessengerFeature<string, infer Options, infer _> ? (all: Options) => void : never
) extends (all: infer All) => void ? All : never;

/**
 * The counters of several features, by their names.
 *
 * @ignore
 */
export type CountersOf<Features extends AnyFeature> = {
  readonly [One in Features as One["name"]]: ReturnType<ReturnType<One["attach"]>["stats"]>;
};
