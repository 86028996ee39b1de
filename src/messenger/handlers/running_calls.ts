import { ResponseKind } from "../../wire/mod.ts";
import { runningKey, type Session } from "../peers/peer.ts";
import { type InboundCall, shuttingDown } from "./context.ts";
import { closedTooEarly } from "./refusal.ts";
import type { Replies } from "./replies.ts";

/** The messages that wait for a handler or that one works on, by their sessions; and how they end when the instance closes. */
export class RunningCalls {
  readonly #busy = new Set<Session>();
  readonly #idle: (() => void)[] = [];
  #working = 0;
  #apart = 0;
  #outOfTime = false;
  #fireKey = 0;

  /** How many handlers have returned a promise that has not settled. */
  get working(): number {
    return this.#working;
  }

  /** Whether the instance closes and waits for no handler any more. */
  get outOfTime(): boolean {
    return this.#outOfTime;
  }

  /** All of them, now. */
  all(): InboundCall[] {
    return [...this.#busy].flatMap((session) => this.of(session));
  }

  /** Those that came by a connection. */
  of(session: Session): InboundCall[] {
    // Nothing else than enter() adds to them.
    return [...session.running.values()] as InboundCall[];
  }

  /** From now on the call ends with its connection, and can be found by its id if it is the only one. */
  enter(call: InboundCall): void {
    const { running } = call.session;
    const key = runningKey(call);
    call.runningKey = call.kind === ResponseKind.fire || running.has(key) ? -(++this.#fireKey) : key;
    running.set(call.runningKey, call);
    this.#busy.add(call.session);
  }

  /** Takes a call out that no longer waits, or that has ended. */
  leave(call: InboundCall): void {
    const { running } = call.session;
    if (running.get(call.runningKey) === call) running.delete(call.runningKey);
    if (running.size === 0) this.#busy.delete(call.session);
  }

  /** A handler has returned a promise. */
  begin(call: InboundCall): void {
    this.#working++;
    if (call.apart) this.#apart++;
    this.enter(call);
  }

  /** The promise has settled. */
  end(call: InboundCall): void {
    this.leave(call);
    this.#working--;
    if (call.apart) this.#apart--;
    this.#tellIdle();
  }

  /** Resolves when no handler is working but those that are set apart. */
  async idle(): Promise<void> {
    // A handler that closes its own instance counts as working once it has returned its promise.
    await Promise.resolve();
    if (this.#working === this.#apart) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Has {@link idle} not wait for a handler: it waits for the close itself. */
  setApart(call: InboundCall): void {
    if (call.apart) return;
    call.apart = true;
    if (call.session.running.get(call.runningKey) !== call) return;
    this.#apart++;
    this.#tellIdle();
  }

  /** The time is over: aborts whatever still runs. Returns whether anything did. */
  cutShort(): boolean {
    this.#outOfTime = true;
    const calls = this.all();
    for (const call of calls) {
      // Who has given up, or whose own time is over, waits for nothing.
      call.cutShort = !call.abandoned;
      call.abort(shuttingDown());
    }
    return calls.length > 0;
  }

  /** Tells the callers of what still runs that it did not finish. What it comes to later reaches nobody. */
  tellCutShort(replies: Replies): void {
    for (const call of this.all()) {
      if (!call.cutShort) continue;
      replies.fail(call, closedTooEarly(call.handlerName, call.ran));
      call.expired = true;
    }
  }

  #tellIdle(): void {
    if (this.#working > this.#apart) return;
    // The answer is sent right after this; whoever waits for idleness comes a microtask later.
    for (const resolve of this.#idle.splice(0)) queueMicrotask(resolve);
  }
}
