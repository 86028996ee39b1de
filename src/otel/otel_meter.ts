import { type Attributes, type MeterProvider, metrics, type ObservableResult } from "@opentelemetry/api";
import {
  durationBounds,
  type Histogram,
  type Meter,
  type MetricInfo,
  MetricSum,
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
  const sums = new Map<string, MetricSum>();
  const histograms = new Map<string, Histogram>();
  const sumOf = (type: "counter" | "gauge", metric: MetricInfo): MetricSum => {
    let sum = sums.get(metric.name);
    if (sum === undefined) {
      const made = sum = new MetricSum(type);
      const { name, help: description } = metric;
      const about = { description, unit: unitOf(metric) };
      const observable = type === "counter"
        ? meter.createObservableCounter(name, about)
        : meter.createObservableGauge(name, about);
      observable.addCallback((result: ObservableResult) => {
        for (const { labels, value } of made.samples()) result.observe(value, attributesOf(metric, labels));
      });
      sums.set(name, sum);
    }
    return sum;
  };
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
            const attributes = attributesOf(metric, labels);
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

function attributesOf(metric: MetricInfo, labels: readonly string[]): Attributes {
  const attributes: Attributes = {};
  for (const [i, label] of metric.labels.entries()) attributes[label] = labels[i] ?? "";
  return attributes;
}
