import type { HandlerStats } from "./handler_stats.ts";
import type { HandlerRegistry } from "./registry.ts";
import type { Held } from "./admission.ts";

/** Counters of a `Dispatcher`. */
export interface DispatchStats {
  /** Running messages. */
  readonly running: number;
  /** Messages given to handlers. */
  readonly started: number;
  /** Started messages whose handler failed. */
  readonly failed: number;
  /** Requests refused: unknown handler, invalid payload or result, overload, draining. */
  readonly refused: number;
  /** Refused requests for which there was no room. */
  readonly overloaded: number;
  /** Refused requests that had started: the payload or the result did not fit the handler's contract. */
  readonly invalid: number;
  /** Messages that wait for their turn. */
  readonly queued: number;
  /** Held messages: waiting ones, and those whose handler returned a promise. */
  readonly heldMessages: number;
  /** Bytes of the held messages' payloads. */
  readonly heldBytes: number;
  /** Counters of each registered user handler. */
  readonly byHandler: Readonly<Record<string, HandlerStats>>;
}

/** Mutable {@link DispatchStats}. */
export class DispatchCounts {
  started = 0;
  failed = 0;
  refused = 0;
  overloaded = 0;
  invalid = 0;

  /** A snapshot, with the counters of users' handlers. */
  snapshot(registry: HandlerRegistry, running: number, held: Held): DispatchStats {
    const byHandler: Record<string, HandlerStats> = Object.create(null);
    let queued = 0;
    for (const { handler, system, counts, lanes } of registry.all()) {
      if (system) continue;
      byHandler[handler.name] = counts.snapshot(lanes?.lanes ?? 0);
      queued += counts.queued;
    }
    return { ...this, running, queued, heldMessages: held.messages, heldBytes: held.bytes, byHandler };
  }
}
