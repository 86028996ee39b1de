/** What a registry counts. */
export class RegistryCounters {
  registrations = 0;
  takeOvers = 0;
  expiries = 0;
  forced = 0;
  notices = 0;
  metricsLeftOut = 0;
  readonly refusals = new Map<string, number>();

  /** Counts a refusal. Returns its error, to be thrown. */
  refused<Refusal extends { readonly code: string }>(error: Refusal): Refusal {
    this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1);
    return error;
  }
}

const longestMetric = 128;

/** Metrics within the limits. */
export function boundedMetrics(
  metrics: Readonly<Record<string, number>>,
  maxMetrics: number,
  counters: RegistryCounters,
): Readonly<Record<string, number>> {
  const bounded: [string, number][] = [];
  for (const [name, value] of Object.entries(metrics)) {
    if (bounded.length < maxMetrics && name.length <= longestMetric && Number.isFinite(value)) {
      bounded.push([name, value]);
    } else counters.metricsLeftOut++;
  }
  // A name such as `__proto__` is a name like others.
  return Object.fromEntries(bounded);
}
