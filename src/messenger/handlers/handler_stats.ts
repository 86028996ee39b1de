/**
 * Counters of one handler, since it was registered. At every moment
 * `issued = succeeded + failed + cancelled + rejected + inFlight + queued`.
 */
export interface HandlerStats {
  /** Messages that came for it. */
  readonly issued: number;
  /** Of these, those for which its function was called. */
  readonly started: number;
  /** Ended with a result. */
  readonly succeeded: number;
  /** Ended with an error of the function, or a result that its contract does not allow. */
  readonly failed: number;
  /** Given up while they waited, or ended with an error after their signal had aborted. */
  readonly cancelled: number;
  /** Refused before the function was called: overload, an invalid payload, a stopped handler. */
  readonly rejected: number;
  /** Of the rejected, those that nobody waits for: dropped without an answer. */
  readonly dropped: number;
  /** Being worked on. */
  readonly inFlight: number;
  /** Waiting for their turn. */
  readonly queued: number;
}

/** {@link HandlerStats} while they count. */
export class HandlerCounts implements HandlerStats {
  issued = 0;
  started = 0;
  succeeded = 0;
  failed = 0;
  cancelled = 0;
  rejected = 0;
  dropped = 0;
  inFlight = 0;
  queued = 0;

  /** The counts as they are now. */
  snapshot(): HandlerStats {
    return { ...this };
  }
}
