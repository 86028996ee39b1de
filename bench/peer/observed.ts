/** Observation of a benchmark's messenger. */
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { context, propagation } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider } from "@opentelemetry/sdk-metrics";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import {
  NoopSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { MessengerOptions } from "zeromesh";
import { otelMeter, otelTracing } from "zeromesh/otel";
import { prometheusMeter } from "zeromesh/prometheus";

/** Kinds of observation, as in the scenario. */
export const observations = [
  "nothing",
  "prometheus",
  "otel-metrics",
  "otel-traces",
  "otel-1-percent",
] as const;

/** The options of a messenger with this observation. */
export function observedBy(how: string): MessengerOptions {
  switch (how) {
    case "nothing":
      return {};
    case "prometheus":
      return { meter: prometheusMeter() };
    case "otel-metrics": {
      const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
      const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
      return { meter: otelMeter({ meterProvider: new MeterProvider({ readers: [reader] }) }) };
    }
    case "otel-traces":
    case "otel-1-percent": {
      // The processing of spans is not measured.
      context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
      propagation.setGlobalPropagator(new W3CTraceContextPropagator());
      const tracerProvider = new TracerProvider({
        spanProcessors: [new NoopSpanProcessor()],
        ...(how === "otel-traces"
          ? {}
          : { sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.01) }) }),
      });
      return { tracing: otelTracing({ tracerProvider }) };
    }
    default:
      throw new TypeError(`Nobody observes by ${JSON.stringify(how)}`);
  }
}
