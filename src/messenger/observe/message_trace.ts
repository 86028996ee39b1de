import { type Guard, isThenable } from "../../core/mod.ts";
import type { IncomingTrace, ItemCounts, TraceOutcome } from "./tracing.ts";

/** The trace that a message belongs to, for whoever handles the message. */
export interface HandlerTrace {
  /** The tracer's own. Calls that the handler makes are parts of it. */
  readonly trace: IncomingTrace;
  /** The trace for messages inside this process that the handler sends: their own handling has no spans. */
  readonly inherited: HandlerTrace;
  /** Runs the handler. */
  run(handler: () => unknown): unknown;
  /**
   * The message has ended. Later calls do nothing.
   *
   * @param items The items of the message's streams; null without a stream.
   */
  end(outcome: TraceOutcome, error: unknown, items?: ItemCounts | null): void;
}

/** The trace of one message. Whatever its tracer does, the handler runs once, and with its own outcome. */
export class MessageTrace implements HandlerTrace {
  readonly trace: IncomingTrace;
  readonly #guard: Guard;
  #ended = false;

  constructor(trace: IncomingTrace, guard: Guard) {
    this.trace = trace;
    this.#guard = guard;
  }

  get inherited(): HandlerTrace {
    return new InheritedTrace(this.trace);
  }

  run(handler: () => unknown): unknown {
    let outcome: { readonly value: unknown } | { readonly error: unknown } | null = null;
    const once = (): unknown => {
      if (outcome === null) {
        try {
          outcome = { value: handler() };
        } catch (error) {
          outcome = { error };
        }
      }
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    };
    try {
      const returned = this.trace.run(once);
      // The tracer's own promise; the handler's is awaited anyway.
      if (isThenable(returned)) Promise.resolve(returned).then(undefined, () => {});
    } catch (error) {
      const own = outcome as { readonly error?: unknown } | null;
      if (own === null || !("error" in own) || own.error !== error) this.#guard.failed("tracing", error);
    }
    return once();
  }

  end(outcome: TraceOutcome, error: unknown, items: ItemCounts | null = null): void {
    if (this.#ended) return;
    this.#ended = true;
    const { trace } = this;
    this.#guard.run("tracing", () => {
      if (items !== null) trace.items?.(items.sent, items.received);
      trace.end(outcome, error);
    });
  }
}

/** The trace of a message that a handler sent inside this process. */
class InheritedTrace implements HandlerTrace {
  readonly trace: IncomingTrace;

  constructor(trace: IncomingTrace) {
    this.trace = trace;
  }

  get inherited(): HandlerTrace {
    return this;
  }

  run(handler: () => unknown): unknown {
    return handler();
  }

  end(): void {}
}
