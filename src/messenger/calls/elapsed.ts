/**
 * The part of its `timeoutMs` that a call has used up before it begins, in milliseconds. An operation of several calls
 * gives each its own `timeoutMs` and this, so that errors name the caller's time.
 */
export const elapsedMs: unique symbol = Symbol("elapsedMs");

/** Options of a call that is part of an operation. Not in public types. */
export interface PartOfCall {
  /** See {@link elapsedMs}. */
  readonly [elapsedMs]?: number | undefined;
}

/** The value of {@link elapsedMs} in a call's options; 0 for a separate call. */
export function elapsedOf(options: object): number {
  return (options as PartOfCall)[elapsedMs] ?? 0;
}
