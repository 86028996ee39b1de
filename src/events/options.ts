/** Sizes of an event manager. */
export interface EventOptions {
  /** Events of this instance that may be pending at a time; beyond it `newEvent` throws `QUEUE_FULL`. @default {1_048_576} */
  maxEvents?: number | undefined;
  /**
   * Completed events of this instance whose poison reason or value is kept for those who ask late; beyond it the oldest
   * is forgotten, and who asks is told that the event is complete. @default {16_384}
   */
  maxHistory?: number | undefined;
  /** Completed events of other instances that are known without asking again. @default {16_384} */
  maxCompleted?: number | undefined;
  /** Events of other instances that may be awaited at a time; beyond it awaiting fails with `QUEUE_FULL`. @default {1_048_576} */
  maxSubscriptions?: number | undefined;
  /** Subscriptions that other instances may have here; beyond it theirs fail with `QUEUE_FULL`. @default {1_048_576} */
  maxSubscribers?: number | undefined;
  /** Largest JSON of a value that an event carries, in bytes. @default {4_096} */
  maxValueBytes?: number | undefined;
  /** Barriers that may be open here at a time; beyond it arriving fails with `QUEUE_FULL`. @default {1_024} */
  maxBarriers?: number | undefined;
  /**
   * How long a lost owner may stay away before its awaiters end with `EVENT_OWNER_LOST`, in milliseconds.
   * @default {3_500: less than the heartbeat bound}
   */
  ownerGraceMs?: number | undefined;
  /** The generation at which an index is used no more; for tests. @default {4_294_967_295} */
  maxGeneration?: number | undefined;
}

/** {@link EventOptions} with its defaults. */
export type ResolvedEventOptions = { readonly [K in keyof EventOptions]-?: number };

/** Every default of {@link EventOptions}. */
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

/**
 * Checks sizes and fills in defaults.
 *
 * @throws {TypeError} If one is no integer.
 * @throws {RangeError} If one is out of its range.
 */
export function resolveEventOptions(options: EventOptions = {}): ResolvedEventOptions {
  const resolved: Record<string, number> = {};
  for (const [name, preset] of Object.entries(eventDefaults)) {
    const value: unknown = options[name as keyof EventOptions] ?? preset;
    const low = name === "ownerGraceMs" ? 0 : 1;
    const high = name === "maxEvents" ? 0x7fff_ffff : 0xffff_ffff;
    if (typeof value !== "number" || !Number.isInteger(value)) {
      throw new TypeError(`Cannot use ${String(value)} as events.${name}: it must be an integer`);
    }
    if (value < low || value > high) {
      throw new RangeError(`Cannot use ${value} as events.${name}: it must be between ${low} and ${high}`);
    }
    resolved[name] = value;
  }
  return Object.freeze(resolved) as ResolvedEventOptions;
}
