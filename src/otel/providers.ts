// Structural types: the API's own would all have to be re-exported.

/** A `MeterProvider` of OpenTelemetry. */
export interface OtelMeterProvider {
  /** Returns the meter with this name. */
  getMeter(name: string): unknown;
}

/** A `TracerProvider` of OpenTelemetry. */
export interface OtelTracerProvider {
  /** Returns the tracer with this name. */
  getTracer(name: string): unknown;
}

/** A `TextMapPropagator` of OpenTelemetry. */
export interface OtelPropagator {
  /** Writes a context into a carrier. */
  inject(context: never, carrier: never, setter: never): void;
  /** Reads a context from a carrier. */
  extract(context: never, carrier: never, getter: never): unknown;
}
