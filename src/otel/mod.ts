/**
 * Metrics and traces for OpenTelemetry, through its API; the program chooses SDK and exporter.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { otelMeter, otelTracing } from "zeromesh/otel";
 *
 * await using messenger = await Messenger.create({ meter: otelMeter(), tracing: otelTracing() });
 * ```
 *
 * @module
 */
export { otelMeter, type OtelMeterOptions } from "./otel_meter.ts";
export { otelTracing, type OtelTracingOptions } from "./otel_tracing.ts";
export { type OtelMeterProvider, type OtelPropagator, type OtelTracerProvider } from "./providers.ts";
export type { Histogram, Meter, MetricInfo, Observe, ReadMetric, Recorder } from "../core/mod.ts";
export type {
  IncomingMessage,
  IncomingTrace,
  OutgoingCall,
  OutgoingTrace,
  TraceOutcome,
  TracePattern,
  Tracing,
} from "../messenger/mod.ts";
