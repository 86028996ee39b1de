import { type Credit, CreditWindow, Line, type LinePlace } from "../../core/mod.ts";

/** Counters of credit over all connections. */
export interface CreditStats {
  /** Sends that wait for their receiver to finish earlier messages. */
  readonly waiting: number;
  /** Sends that had to wait. */
  readonly waited: number;
  /** Sends refused: the window was used up (`overflow: "fail"`) or too many waited (maxWaitingSends). */
  readonly refused: number;
  /** Grants sent. */
  readonly told: number;
  /** Grants sent in a frame that was sent anyway. */
  readonly rode: number;
  /** Grants received. */
  readonly heard: number;
  /** Received grants that were impossible, and ignored. */
  readonly ignored: number;
}

/** Mutable {@link CreditStats}. */
export class CreditCounts implements CreditStats {
  waiting = 0;
  waited = 0;
  refused = 0;
  told = 0;
  rode = 0;
  heard = 0;
  ignored = 0;
}

/**
 * The credit of one connection for messages without an answer, and the senders that wait for it.
 *
 * Calls need no credit, since their answers bound them. But a call does not overtake messages for its own handler.
 */
export class SendCredit {
  /** The window. */
  readonly window: CreditWindow;
  readonly #line = new Line();
  readonly #counts: CreditCounts;
  // Waiting senders by handler.
  readonly #handlers = new Map<string, number>();
  readonly #idle: (() => void)[] = [];
  #released = false;

  /**
   * @param first The receiver's first window.
   * @param counts The counters.
   */
  constructor(first: Credit, counts: CreditCounts) {
    this.window = new CreditWindow(first);
    this.#counts = counts;
  }

  /** Whether one more message may be sent now. */
  get isOpen(): boolean {
    return (this.window.open || this.#released) && this.#line.isFree;
  }

  /** Whether messages for this handler wait, which a call to it must not overtake. */
  holdsBack(handler: string): boolean {
    return !this.#line.isFree && this.#handlers.has(handler);
  }

  /** Waiting senders. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Resolves when no sender waits. */
  idle(): Promise<void> {
    return new Promise((resolve) => this.#line.size === 0 ? resolve() : this.#idle.push(resolve));
  }

  /** Joins the queue; `go` is called in turn until it returns true, `gone` when the place is free. */
  join(handler: string, go: () => boolean, gone: () => void): LinePlace {
    const handlers = this.#handlers;
    handlers.set(handler, (handlers.get(handler) ?? 0) + 1);
    this.#counts.waiting++;
    this.#counts.waited++;
    return this.#line.join(go, () => {
      gone();
      if (this.#line.size === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
      this.#counts.waiting--;
      const left = handlers.get(handler)! - 1;
      if (left === 0) handlers.delete(handler);
      else handlers.set(handler, left);
    });
  }

  /** Gives back the credit of a message that is not sent. */
  giveBack(bytes: number): void {
    this.window.giveBack(bytes);
    this.#line.serve(Infinity);
  }

  /** Sends all waiting messages at the process's end, when there is no time to wait. */
  release(): void {
    this.#released = true;
    this.#line.serve(Infinity);
  }

  /** Handles the receiver's grant. */
  allow(total: Credit): void {
    this.#counts.heard++;
    if (this.window.allow(total)) this.#line.serve(Infinity);
    else this.#counts.ignored++;
  }
}
