/**
 * Counters of one handler, since it was registered. At every moment
 * `issued = succeeded + failed + cancelled + rejected + inFlight + queued`.
 */
export interface HandlerStats {
  /** Messages received for it. */
  readonly issued: number;
  /** Messages for which its function was called. */
  readonly started: number;
  /** Messages that ended with a result. */
  readonly succeeded: number;
  /** Messages that ended with an error of the function, or an invalid result. */
  readonly failed: number;
  /** Messages cancelled while they waited, or that ended with an error after their signal had aborted. */
  readonly cancelled: number;
  /** Messages refused before the function was called: overload, an invalid payload, a stopped handler. */
  readonly rejected: number;
  /** Rejected messages without an answer. */
  readonly dropped: number;
  /** Running messages. */
  readonly inFlight: number;
  /** Waiting messages. */
  readonly queued: number;
  /** Lanes: those of senders with messages, and of an ordered handler also idle ones within `idleLaneTtlMs`. */
  readonly lanes: number;
}

/** Mutable {@link HandlerStats}. */
export class HandlerCounts implements Omit<HandlerStats, "lanes"> {
  issued = 0;
  started = 0;
  succeeded = 0;
  failed = 0;
  cancelled = 0;
  rejected = 0;
  dropped = 0;
  inFlight = 0;
  queued = 0;

  /** A snapshot, with the number of lanes. */
  snapshot(lanes: number): HandlerStats {
    return { ...this, lanes };
  }
}
