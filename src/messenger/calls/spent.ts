/**
 * How much of its `timeoutMs` a call has used up before it begins, in milliseconds: what is made of several calls hands
 * each of them its own `timeoutMs` with this, so that their errors name the time that the caller gave.
 */
export const spentMs: unique symbol = Symbol("spentMs");

/** Options of a call that is a part of another one. No public type has it. */
export interface PartOfCall {
  /** See {@link spentMs}. */
  readonly [spentMs]?: number | undefined;
}

/** What {@link spentMs} of a call's options says; 0 for a call of its own. */
export function spentOf(options: object): number {
  return (options as PartOfCall)[spentMs] ?? 0;
}
