import type { Guard } from "./guard.ts";
import { GuardedMeter } from "./guarded_meter.ts";
import type { Meter, MetricInfo } from "./meter.ts";

/** A metric that is one number among the counters of a part. */
export interface NumberMetric<Stats> extends Omit<MetricInfo, "labels"> {
  /** Whether it only grows. */
  readonly type: "counter" | "gauge";
  /** The number. */
  value(stats: Stats): number;
}

/** Hands counters to a meter, if there is one, until the result is disposed of. */
export function observeNumbers<Stats>(
  given: Meter | undefined,
  guard: Guard,
  metrics: readonly NumberMetric<Stats>[],
  stats: () => Stats,
): Disposable {
  const meter = given === undefined ? undefined : new GuardedMeter(given, guard);
  const open = meter === undefined ? [] : metrics.map((metric) => {
    const { type, name, help, unit } = metric;
    return meter[type]({ name, help, unit, labels: [] }, (observe) => observe(metric.value(stats())));
  });
  return { [Symbol.dispose]: () => open.forEach((one) => one[Symbol.dispose]()) };
}
