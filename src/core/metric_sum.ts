import type { MetricInfo, ReadMetric } from "./meter.ts";

/** One value of a metric. */
export interface MetricSample {
  /** Values of its labels. */
  readonly labels: readonly string[];
  /** The value. */
  readonly value: number;
}

interface Series {
  readonly labels: readonly string[];
  /** The sum of readings before the counter fell. */
  base: number;
  /** The last reading. */
  last: number;
}

interface Source {
  readonly read: ReadMetric;
  readonly series: Map<string, Series>;
}

/**
 * The sum of several sources of one metric, for implementations of `Meter`.
 *
 * A counter never falls: when a reading is lower than the one before, such as after a handler was registered again, it
 * counts on from there.
 */
export class MetricSum {
  readonly #grows: boolean;
  readonly #sources = new Set<Source>();
  readonly #kept = new Map<string, Series>();

  /** @param type The type of the metric. */
  constructor(type: "counter" | "gauge") {
    this.#grows = type === "counter";
  }

  /** Adds a source. Disposing the result removes it; a counter keeps its value. */
  add(read: ReadMetric): Disposable {
    const source: Source = { read, series: new Map() };
    this.#sources.add(source);
    return {
      [Symbol.dispose]: () => {
        if (!this.#sources.has(source)) return;
        if (this.#grows) {
          this.#take(source);
          addTo(this.#kept, source.series);
        }
        this.#sources.delete(source);
      },
    };
  }

  /** The current values. */
  samples(): MetricSample[] {
    const sums = new Map<string, Series>();
    if (this.#grows) addTo(sums, this.#kept);
    for (const source of this.#sources) {
      this.#take(source);
      addTo(sums, source.series);
    }
    return [...sums.values()].map(({ labels, base }) => ({ labels, value: base }));
  }

  #take(source: Source): void {
    const { series } = source;
    if (!this.#grows) series.clear();
    // One reading may report a series in several parts, which add up.
    const now = new Map<string, { labels: readonly string[]; value: number }>();
    source.read((value, ...labels) => {
      const key = labels.join("\0");
      const seen = now.get(key);
      if (seen === undefined) now.set(key, { labels, value });
      else seen.value += value;
    });
    for (const [key, { labels, value }] of now) {
      let one = series.get(key);
      if (one === undefined) series.set(key, one = { labels, base: 0, last: 0 });
      if (value < one.last) one.base += one.last;
      one.last = value;
    }
  }
}

function addTo(sums: Map<string, Series>, series: ReadonlyMap<string, Series>): void {
  for (const [key, { labels, base, last }] of series) {
    const sum = sums.get(key);
    if (sum === undefined) sums.set(key, { labels, base: base + last, last: 0 });
    else sum.base += base + last;
  }
}

/** The sums of a meter, one for each metric. */
export class MetricSums {
  readonly #byName = new Map<string, MetricSum>();

  /** The sum of a metric. @param made Gets a new one. */
  of(type: "counter" | "gauge", { name }: MetricInfo, made: (sum: MetricSum) => void): MetricSum {
    let sum = this.#byName.get(name);
    if (sum === undefined) {
      this.#byName.set(name, sum = new MetricSum(type));
      made(sum);
    }
    return sum;
  }
}

/** The labels of a metric with their values, beside those that all metrics of a meter have. */
export function labelsOf(
  metric: MetricInfo,
  values: readonly string[],
  common: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const labels: Record<string, string> = { ...common };
  for (const [i, label] of metric.labels.entries()) labels[label] = values[i] ?? "";
  return labels;
}
