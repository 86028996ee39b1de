import { ResponseKind } from "../../wire/mod.ts";
import { runningKey, type Session } from "../peers/peer.ts";
import { shuttingDown } from "./abort_state.ts";
import type { InboundCall } from "./context.ts";
import { closedTooEarly } from "./failures.ts";
import type { ReplySender } from "./reply_sender.ts";

/** The waiting and running messages by session, and their end when the instance closes. */
export class RunningCalls {
  readonly #busy = new Set<Session>();
  readonly #idle: (() => void)[] = [];
  #working = 0;
  #apart = 0;
  #outOfTime = false;
  #fireKey = 0;

  /** Handlers whose promise has not settled. */
  get working(): number {
    return this.#working;
  }

  /** Whether the instance closes and waits for no handler any more. */
  get outOfTime(): boolean {
    return this.#outOfTime;
  }

  /** All messages. */
  all(): InboundCall[] {
    return [...this.#busy].flatMap((session) => this.of(session));
  }

  /** The messages of a connection. */
  of(session: Session): InboundCall[] {
    // Only enter() adds to them.
    return [...session.running.values()] as InboundCall[];
  }

  /** Adds a call: it ends with its connection, and can be found by its id if that is unique. */
  enter(call: InboundCall): void {
    const { running } = call.session;
    const key = runningKey(call);
    call.runningKey = call.kind === ResponseKind.fire || running.has(key) ? -(++this.#fireKey) : key;
    running.set(call.runningKey, call);
    this.#busy.add(call.session);
  }

  /** Removes a call that no longer waits, or that has ended. */
  leave(call: InboundCall): void {
    const { running } = call.session;
    if (running.get(call.runningKey) === call) running.delete(call.runningKey);
    if (running.size === 0) this.#busy.delete(call.session);
  }

  /** Notes that a handler has returned a promise. */
  begin(call: InboundCall): void {
    this.#working++;
    if (call.apart) this.#apart++;
    this.enter(call);
  }

  /** Notes that the promise has settled. */
  end(call: InboundCall): void {
    this.leave(call);
    this.#working--;
    if (call.apart) this.#apart--;
    this.#tellIdle();
  }

  /** Resolves when no handler is running, except those set apart. */
  async idle(): Promise<void> {
    // A handler that closes its own instance counts as running once it has returned its promise.
    await Promise.resolve();
    if (this.#working === this.#apart) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Excludes a handler from {@link idle}, since it waits for the close itself. */
  setApart(call: InboundCall): void {
    if (call.apart) return;
    call.apart = true;
    if (call.session.running.get(call.runningKey) !== call) return;
    this.#apart++;
    this.#tellIdle();
  }

  /** Aborts running handlers when the time is over. Returns whether there were some. */
  cutShort(): boolean {
    this.#outOfTime = true;
    const calls = this.all();
    for (const call of calls) {
      // A caller that has cancelled, or whose deadline has passed, waits for no answer.
      call.cutShort = !call.abandoned;
      call.abort(shuttingDown());
    }
    return calls.length > 0;
  }

  /** Tells the callers of running handlers that these did not finish. Later results are dropped. */
  tellCutShort(replies: ReplySender): void {
    for (const call of this.all()) {
      if (!call.cutShort) continue;
      replies.fail(call, closedTooEarly(call.handlerName, call.ran));
      call.expired = true;
    }
  }

  #tellIdle(): void {
    if (this.#working > this.#apart) return;
    // In a microtask, because the answer is sent right after this.
    for (const resolve of this.#idle.splice(0)) queueMicrotask(resolve);
  }
}
