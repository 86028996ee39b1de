import { option, type OptionKind, type OptionTable } from "../core/mod.ts";

/** Limits of an event manager. */
export interface EventOptions {
  /** Pending events of this instance; at the limit `newEvent` throws `LIMIT_REACHED`. @default {1_048_576} */
  maxEvents?: number | undefined;
  /**
   * Completed events of this instance whose poison reason or value is kept for late awaiters. At the limit the oldest
   * is forgotten; its late awaiters learn only that the event is complete. @default {16_384}
   */
  maxHistory?: number | undefined;
  /** Completed events of other instances that are remembered, so that awaiting them sends nothing. @default {16_384} */
  maxCompleted?: number | undefined;
  /** Awaited events of other instances; at the limit awaiting fails with `LIMIT_REACHED`. @default {1_048_576} */
  maxSubscriptions?: number | undefined;
  /** Subscriptions of other instances; at the limit new ones fail with `LIMIT_REACHED`. @default {1_048_576} */
  maxSubscribers?: number | undefined;
  /** Largest JSON of a value that an event carries, in bytes. @default {4_096} */
  maxValueBytes?: number | undefined;
  /** Open barriers that this instance hosts; at the limit arriving fails with `LIMIT_REACHED`. @default {1_024} */
  maxBarriers?: number | undefined;
  /**
   * Time that a lost owner may stay away before its awaiters end with `EVENT_OWNER_LOST`, in milliseconds.
   * @default {3_500: less than the heartbeat bound}
   */
  ownerGraceMs?: number | undefined;
  /** The generation at which an index is retired; for tests. @default {4_294_967_295} */
  maxGeneration?: number | undefined;
}

/**
 * {@link EventOptions} with its defaults.
 *
 * @ignore
 */
export type ResolvedEventOptions = { readonly [K in keyof EventOptions]-?: number };

/**
 * The defaults of {@link EventOptions}.
 *
 * @ignore
 */
export const eventDefaults: ResolvedEventOptions = Object.freeze({
  maxEvents: 1_048_576,
  maxHistory: 16_384,
  maxCompleted: 16_384,
  maxSubscriptions: 1_048_576,
  maxSubscribers: 1_048_576,
  maxValueBytes: 4_096,
  maxBarriers: 1_024,
  ownerGraceMs: 3_500,
  maxGeneration: 0xffff_ffff,
});

const size = option.whole(1, 0xffff_ffff);

/** The options of events. */
export const eventOptionTable: OptionTable<EventOptions> = {
  maxEvents: option.whole(1, 0x7fff_ffff),
  maxHistory: size,
  maxCompleted: size,
  maxSubscriptions: size,
  maxSubscribers: size,
  maxValueBytes: size,
  maxBarriers: size,
  ownerGraceMs: option.duration,
  maxGeneration: size,
};

/**
 * The option `events` of a messenger.
 *
 * @ignore
 */
export function eventsOption(): OptionKind {
  return option.options(eventOptionTable);
}

/**
 * Fills in the defaults.
 *
 * @ignore
 */
export function resolveEventOptions(options: EventOptions = {}): ResolvedEventOptions {
  const resolved: Record<string, number> = { ...eventDefaults };
  for (const [name, value] of Object.entries(options)) if (value !== undefined) resolved[name] = value;
  return Object.freeze(resolved) as ResolvedEventOptions;
}
