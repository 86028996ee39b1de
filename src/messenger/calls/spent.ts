/**
 * The part of its `timeoutMs` that a call has used up before it begins, in milliseconds. An operation of several calls
 * gives each its own `timeoutMs` and this, so that errors name the caller's time.
 */
export const spentMs: unique symbol = Symbol("spentMs");

/** Options of a call that is part of an operation. Not in public types. */
export interface PartOfCall {
  /** See {@link spentMs}. */
  readonly [spentMs]?: number | undefined;
}

/** The value of {@link spentMs} in a call's options; 0 for a separate call. */
export function spentOf(options: object): number {
  return (options as PartOfCall)[spentMs] ?? 0;
}
