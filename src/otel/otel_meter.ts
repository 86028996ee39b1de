import { type MeterProvider, metrics, type ObservableResult } from "@opentelemetry/api";
import {
  durationBounds,
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
  type Recorder,
} from "../core/mod.ts";
import type { OtelMeterProvider } from "./providers.ts";
import { scopeName } from "./scope.ts";

/** Options of {@link otelMeter}. */
export interface OtelMeterOptions {
  /** Provider of the meter. @default {the global provider at the call} */
  meterProvider?: OtelMeterProvider | undefined;
}

const optionTable: OptionTable<OtelMeterOptions> = {
  meterProvider: option.methods("a MeterProvider", "getMeter"),
};

const units: Readonly<Record<string, string>> = { seconds: "s", bytes: "By" };

/**
 * Makes a meter that reports to OpenTelemetry, under the same names. Several messengers can share one; their values are
 * summed.
 *
 * Counters and gauges are observed when a reader collects. Histograms are recorded directly, since OpenTelemetry cannot
 * observe them.
 */
export function otelMeter(options?: OtelMeterOptions): Meter {
  const { meterProvider } = readOptions(options, optionTable, "Cannot make a meter");
  const meter = ((meterProvider as MeterProvider | undefined) ?? metrics.getMeterProvider()).getMeter(
    scopeName,
  );
  const sums = new MetricSums();
  const histograms = new Map<string, Histogram>();
  const sumOf = (type: "counter" | "gauge", metric: MetricInfo): MetricSum =>
    sums.of(type, metric, (sum) => {
      const { name, help: description } = metric;
      const about = { description, unit: unitOf(metric) };
      const observable = type === "counter"
        ? meter.createObservableCounter(name, about)
        : meter.createObservableGauge(name, about);
      observable.addCallback((result: ObservableResult) => {
        for (const { labels, value } of sum.samples()) result.observe(value, labelsOf(metric, labels));
      });
    });
  return {
    counter: (metric: MetricInfo, read: ReadMetric): Disposable => sumOf("counter", metric).add(read),
    gauge: (metric: MetricInfo, read: ReadMetric): Disposable => sumOf("gauge", metric).add(read),
    histogram(metric: MetricInfo): Histogram {
      let histogram = histograms.get(metric.name);
      if (histogram === undefined) {
        const instrument = meter.createHistogram(metric.name, {
          description: metric.help,
          unit: unitOf(metric),
          advice: { explicitBucketBoundaries: [...durationBounds] },
        });
        histogram = {
          series(...labels): Recorder {
            const attributes = labelsOf(metric, labels);
            return {
              record(value, times = 1) {
                for (let i = 0; i < times; i++) instrument.record(value, attributes);
              },
            };
          },
        };
        histograms.set(metric.name, histogram);
      }
      return histogram;
    },
  };
}

function unitOf(metric: MetricInfo): string {
  return units[metric.unit] ?? `{${metric.unit}}`;
}
