import { type Credit, CreditWindow, Line, type LinePlace } from "../../core/mod.ts";

/** Counters of credit, of all connections. */
export interface CreditStats {
  /** Sends that wait now for their receiver to finish earlier messages. */
  readonly waiting: number;
  /** Sends that had to wait, since the start. */
  readonly waited: number;
  /** Sends refused, because the window was used up (`overflow: "fail"`) or too many waited (maxWaitingSends). */
  readonly refused: number;
  /** Times that senders were told how far they may go. */
  readonly told: number;
  /** Of these, those that rode in a frame that went anyway. */
  readonly rode: number;
  /** Times that receivers told so. */
  readonly heard: number;
  /** Of these, those that could not be true, and changed nothing. */
  readonly ignored: number;
}

/** {@link CreditStats} while they count. */
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
 * What one connection still takes of messages that nobody answers, and who waits until it takes more.
 *
 * Calls need no credit, since their answers bound them. But a call does not overtake messages for its own handler.
 */
export class SendCredit {
  /** What is under way. */
  readonly window: CreditWindow;
  readonly #line = new Line();
  readonly #counts: CreditCounts;
  // How many wait for each handler.
  readonly #handlers = new Map<string, number>();
  readonly #idle: (() => void)[] = [];
  #released = false;

  /**
   * @param first The window that the receiver gives first.
   * @param counts Where to count.
   */
  constructor(first: Credit, counts: CreditCounts) {
    this.window = new CreditWindow(first);
    this.#counts = counts;
  }

  /** Whether one more message may leave now. */
  get isOpen(): boolean {
    return (this.window.open || this.#released) && this.#line.isFree;
  }

  /** Whether messages for this handler wait, which a call to it must not overtake. */
  holdsBack(handler: string): boolean {
    return !this.#line.isFree && this.#handlers.has(handler);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Resolves when nobody waits. */
  idle(): Promise<void> {
    return new Promise((resolve) => this.#line.size === 0 ? resolve() : this.#idle.push(resolve));
  }

  /** Waits in line; `go` is called in its turn until it returns true, `gone` when the place is free again. */
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

  /** A message of this size, which had its credit, will not leave. */
  giveBack(bytes: number): void {
    this.window.giveBack(bytes);
    this.#line.serve(Infinity);
  }

  /** The process ends, and nobody will be there to wait: all who do leave now. */
  release(): void {
    this.#released = true;
    this.#line.serve(Infinity);
  }

  /** The receiver tells how far messages may go. */
  allow(total: Credit): void {
    this.#counts.heard++;
    if (this.window.allow(total)) this.#line.serve(Infinity);
    else this.#counts.ignored++;
  }
}
