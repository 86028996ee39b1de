import type { Guard } from "./guard.ts";
import { GuardedMeter } from "./guarded_meter.ts";
import type { Meter, MetricInfo, Observe } from "./meter.ts";

/** A metric that is read from a part's counters. */
export interface StatMetric<Stats> extends MetricInfo {
  /** Whether it only grows. */
  readonly type: "counter" | "gauge";
  /** Reports its values. */
  read(stats: Stats, observe: Observe): void;
}

/** A metric of one counter, with the counter's name unless another is given. Counters of a record have a label. */
type Row = readonly [type: "counter" | "gauge", unit: string, help: string, name?: string, label?: string];

type Numbers<Part> = {
  readonly [Name in keyof Part as Part[Name] extends number | object ? Name : never]?: Row;
};

/**
 * Metrics of a part's numeric counters, and of its records of such counters.
 *
 * @param part Finds the part; without it the metrics have no values.
 * @param prefix Prefix of the names, such as `events_`.
 */
export function numbersOf<Stats, Part>(
  part: (stats: Stats) => Part | null | undefined,
  prefix: string,
  rows: Numbers<Part>,
): StatMetric<Stats>[] {
  return Object.entries<Row | undefined>(rows).map(([key, row]) => {
    const [type, unit, help, name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), label] =
      row!;
    return {
      type,
      name: `zeromesh_${prefix}${name}${type === "counter" ? "_total" : ""}`,
      unit,
      help,
      labels: label === undefined ? [] : [label],
      read(stats, observe) {
        const value: unknown = part(stats)?.[key as keyof Part];
        if (typeof value === "number") observe(value);
        else if (label !== undefined && value !== undefined) {
          for (const [name, count] of Object.entries(value as Record<string, number>)) observe(count, name);
        }
      },
    };
  });
}

/** Adds metrics of counters to a meter, if there is one, until the result is disposed. */
export function observeStats<Stats>(
  given: Meter | undefined,
  guard: Guard,
  metrics: readonly StatMetric<Stats>[],
  stats: () => Stats,
): Disposable {
  const meter = given === undefined ? null : new GuardedMeter(given, guard);
  const open = meter === null
    ? []
    : metrics.map((metric) => meter[metric.type](metric, (observe) => metric.read(stats(), observe)));
  return { [Symbol.dispose]: () => open.forEach((one) => one[Symbol.dispose]()) };
}
