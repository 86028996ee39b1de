// Structural, because the API's own types would have to be re-exported one and all.

/** A `MeterProvider` of OpenTelemetry. */
export interface OtelMeterProvider {
  /** Gives the meter with this name. */
  getMeter(name: string): unknown;
}

/** A `TracerProvider` of OpenTelemetry. */
export interface OtelTracerProvider {
  /** Gives the tracer with this name. */
  getTracer(name: string): unknown;
}

/** A `TextMapPropagator` of OpenTelemetry. */
export interface OtelPropagator {
  /** Writes a context into a carrier. */
  inject(context: never, carrier: never, setter: never): void;
  /** Reads a context from a carrier. */
  extract(context: never, carrier: never, getter: never): unknown;
}
