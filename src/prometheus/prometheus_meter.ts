import { Registry } from "prom-client";
import {
  durationBounds,
  DurationBuckets,
  type Histogram,
  labelsOf,
  type Meter,
  type MetricInfo,
  type MetricSum,
  MetricSums,
  option,
  type OptionTable,
  type ReadMetric,
  readOptions,
} from "../core/mod.ts";
import { type MetricsServer, serveMetrics, type ServeOptions } from "./metrics_server.ts";

/** The part of prom-client's `Registry` that is used. */
export interface PrometheusRegistry {
  /** Adds a metric. */
  registerMetric(metric: never): void;
  /** All metrics as text. */
  metrics(): Promise<string>;
  /** The text's content type. */
  readonly contentType: string;
}

/** Options of {@link prometheusMeter}. */
export interface PrometheusOptions {
  /** A registry of prom-client, for instance with your own metrics. @default {a new one} */
  registry?: PrometheusRegistry | undefined;
  /** Labels of all metrics of this library, such as `{ role: "edge" }`. */
  labels?: Readonly<Record<string, string>> | undefined;
}

const optionTable: OptionTable<PrometheusOptions> = {
  registry: option.methods("a registry of prom-client", "registerMetric", "metrics"),
  labels: option.object,
};

/** A value in prom-client's form. */
interface Value {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Metrics in Prometheus' text format. Several messengers can share one; their values are summed. */
export class PrometheusMeter implements Meter {
  /** The registry of prom-client. */
  readonly registry: PrometheusRegistry;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #sums = new MetricSums();
  readonly #histograms = new Map<string, BucketSeries>();
  #text: Promise<string> | null = null;

  /** Like {@link prometheusMeter}. @param options A registry to add to, and labels. */
  constructor(options?: PrometheusOptions) {
    const { registry, labels } = readOptions(options, optionTable, "Cannot make a meter");
    this.registry = registry ?? new Registry();
    this.#labels = { ...labels };
  }

  /** See `Meter`. */
  counter(metric: MetricInfo, read: ReadMetric): Disposable {
    return this.#sum("counter", metric).add(read);
  }

  /** See `Meter`. */
  gauge(metric: MetricInfo, read: ReadMetric): Disposable {
    return this.#sum("gauge", metric).add(read);
  }

  /** See `Meter`. */
  histogram(metric: MetricInfo): Histogram {
    let series = this.#histograms.get(metric.name);
    if (series === undefined) {
      const made = series = new BucketSeries(metric, this.#labels);
      this.#register(metric, "histogram", () => made.values());
      this.#histograms.set(metric.name, series);
    }
    return series;
  }

  /** All metrics of the registry in the text format. Concurrent calls share one text. */
  text(): Promise<string> {
    return this.#text ??= this.registry.metrics().finally(() => this.#text = null);
  }

  /** The content type of {@link text}. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /**
   * Serves `GET /metrics` over HTTP.
   *
   * @throws {ZeromeshError} `ADDRESS_IN_USE`, `ENDPOINT_INVALID` when it cannot listen there.
   */
  serve(options?: ServeOptions): Promise<MetricsServer> {
    return serveMetrics(this, options);
  }

  #sum(type: "counter" | "gauge", metric: MetricInfo): MetricSum {
    return this.#sums.of(type, metric, (sum) => {
      this.#register(
        metric,
        type,
        () =>
          sum.samples().map(({ labels, value }) => ({
            labels: labelsOf(metric, labels, this.#labels),
            value,
          })),
      );
    });
  }

  #register(metric: MetricInfo, type: string, values: () => Value[]): void {
    const { name, help } = metric;
    // prom-client's own classes hash the labels at each change; this reads the values on demand.
    const collected = {
      name,
      help,
      type,
      aggregator: "sum",
      get: () => Promise.resolve({ name, help, type, aggregator: "sum", values: values() }),
      reset: () => {},
    };
    this.registry.registerMetric(collected as never);
  }
}

/** The series of one histogram. */
class BucketSeries implements Histogram {
  readonly #metric: MetricInfo;
  readonly #common: Readonly<Record<string, string>>;
  readonly #series = new Map<
    string,
    { labels: Readonly<Record<string, string>>; buckets: DurationBuckets }
  >();

  constructor(metric: MetricInfo, common: Readonly<Record<string, string>>) {
    this.#metric = metric;
    this.#common = common;
  }

  series(...labels: string[]): DurationBuckets {
    const key = labels.join("\0");
    let one = this.#series.get(key);
    if (one === undefined) {
      one = { labels: labelsOf(this.#metric, labels, this.#common), buckets: new DurationBuckets() };
      this.#series.set(key, one);
    }
    return one.buckets;
  }

  values(): Value[] {
    const { name } = this.#metric;
    const values: Value[] = [];
    for (const { labels, buckets } of this.#series.values()) {
      let total = 0;
      for (const [i, count] of buckets.counts.entries()) {
        total += count;
        const le = i < durationBounds.length ? String(durationBounds[i]) : "+Inf";
        values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: total });
      }
      values.push({ metricName: `${name}_sum`, labels, value: buckets.sum });
      values.push({ metricName: `${name}_count`, labels, value: total });
    }
    return values;
  }
}

/**
 * Makes a meter for Prometheus.
 *
 * @param options A registry, and labels for all metrics.
 */
export function prometheusMeter(options?: PrometheusOptions): PrometheusMeter {
  return new PrometheusMeter(options);
}
