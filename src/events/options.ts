import { option, type OptionTable, withDefaults } from "../core/mod.ts";

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

const size = option.whole(1, 0xffff_ffff);

/** The options of events. */
export const eventOptionTable = {
  maxEvents: option.whole(1, 0x7fff_ffff).or(1_048_576),
  maxHistory: size.or(16_384),
  maxCompleted: size.or(16_384),
  maxSubscriptions: size.or(1_048_576),
  maxSubscribers: size.or(1_048_576),
  maxValueBytes: size.or(4_096),
  maxBarriers: size.or(1_024),
  ownerGraceMs: option.duration.or(3_500),
  maxGeneration: size.or(0xffff_ffff),
} satisfies OptionTable<EventOptions>;

/**
 * Fills in the defaults.
 *
 * @ignore
 */
export function resolveEventOptions(options: EventOptions = {}): ResolvedEventOptions {
  return withDefaults(options, eventOptionTable);
}
