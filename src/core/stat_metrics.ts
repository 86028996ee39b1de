import type { Guard } from "./guard.ts";
import { GuardedMeter } from "./guarded_meter.ts";
import type { Meter, MetricInfo, Observe } from "./meter.ts";

/** A metric that is a view of the counters of a part. */
export interface StatMetric<Stats> extends MetricInfo {
  /** Whether it only grows. */
  readonly type: "counter" | "gauge";
  /** Hands out its values. */
  read(stats: Stats, observe: Observe): void;
}

/** A number among counters as a metric: without a name it has that of its counter. */
type Row = readonly [type: "counter" | "gauge", unit: string, help: string, name?: string];

type Numbers<Part> = { readonly [Name in keyof Part as Part[Name] extends number ? Name : never]?: Row };

/**
 * Metrics of the numbers of a part, each under its name in the part's counters.
 *
 * @param part Finds the part; where there is none, its metrics have no values.
 * @param prefix Of all names, such as `events_`.
 */
export function numbersOf<Stats, Part>(
  part: (stats: Stats) => Part | null | undefined,
  prefix: string,
  rows: Numbers<Part>,
): StatMetric<Stats>[] {
  return Object.entries<Row | undefined>(rows).map(([key, row]) => {
    const [type, unit, help, name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = row!;
    return {
      type,
      name: `zeromesh_${prefix}${name}${type === "counter" ? "_total" : ""}`,
      unit,
      help,
      labels: [],
      read(stats, observe) {
        const value = part(stats)?.[key as keyof Part];
        if (typeof value === "number") observe(value);
      },
    };
  });
}

/** Hands counters to a meter, if there is one, until the result is disposed of. */
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
