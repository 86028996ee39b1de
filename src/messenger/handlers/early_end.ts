/**
 * How a message ends before its handler has answered: its caller gives up, or the instance closes. Most messages never
 * need one, so that they make none of these fields: each field of a message costs a nanosecond.
 */
export class EarlyEnd {
  /** Whether the caller has given up. */
  aborted = false;
  /** Why. */
  reason: unknown = undefined;
  /** What makes the handler's signal; null while nobody has asked for it. */
  controller: AbortController | null = null;
  /** Is told besides the signal; null for nobody. */
  onAbort: ((reason: unknown) => void) | null = null;
}
