/** Name of this library's instrumentation scope. */
export const scopeName = "zeromesh";
