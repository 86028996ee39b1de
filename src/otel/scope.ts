/** The name under which OpenTelemetry knows this library. */
export const scopeName = "zeromesh";
