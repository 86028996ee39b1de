import type { HandlerStats } from "./handler_stats.ts";
import type { HandlerRegistry } from "./registry.ts";
import type { Held } from "./admission.ts";

/** Counters of a `Dispatcher`. */
export interface DispatchStats {
  /** Messages that handlers are working on. */
  readonly running: number;
  /** Messages given to handlers since the start. */
  readonly started: number;
  /** Of these, those whose handler failed. */
  readonly failed: number;
  /** Requests refused: unknown handler, invalid payload or result, overload, draining. */
  readonly refused: number;
  /** Of the refused, those for which there was no room. */
  readonly overloaded: number;
  /** Messages that wait for their turn. */
  readonly queued: number;
  /** Messages held now: those that wait, and those whose handler has returned a promise. */
  readonly heldMessages: number;
  /** Bytes of their payloads. */
  readonly heldBytes: number;
  /** Counters of each handler of the user's that is registered. */
  readonly byHandler: Readonly<Record<string, HandlerStats>>;
}

/** {@link DispatchStats} while they count. */
export class DispatchCounts {
  started = 0;
  failed = 0;
  refused = 0;
  overloaded = 0;

  /** The counts as they are now, with those of the handlers of the user's. */
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
