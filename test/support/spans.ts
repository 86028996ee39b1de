/** OpenTelemetry's SDK in memory: what a traced program registers, and its spans as plain facts. */
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { context, type HrTime, propagation, SpanStatusCode } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

/** A finished span. */
export interface SpanFacts {
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string | null;
  readonly kind: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Start and end, in milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** Spans of this process. */
export interface Spans {
  readonly tracerProvider: TracerProvider;
  readonly propagator: W3CTraceContextPropagator;
  /** Those that have ended, in the order in which they did. */
  finished(): SpanFacts[];
}

/** A provider of its own, and the process' context manager and propagator, as a program's start has them. */
export function recordSpans(): Spans {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const propagator = new W3CTraceContextPropagator();
  propagation.setGlobalPropagator(propagator);
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  return { tracerProvider, propagator, finished: () => exporter.getFinishedSpans().map(factsOf) };
}

function factsOf(span: ReadableSpan): SpanFacts {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name,
    trace: traceId,
    id: spanId,
    parent: span.parentSpanContext?.spanId ?? null,
    kind: span.kind,
    failed: span.status.code === SpanStatusCode.ERROR,
    attributes: span.attributes,
    from: milliseconds(span.startTime),
    to: milliseconds(span.endTime),
  };
}

function milliseconds([seconds, nanos]: HrTime): number {
  return seconds * 1e3 + nanos / 1e6;
}
