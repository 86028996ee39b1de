import type { SystemPort } from "../messenger/mod.ts";
import type { Subscription } from "./remote_owner.ts";

// So many at most are behind an answer that this instance sends meanwhile.
const maxHeld = 64;

/**
 * Subscriptions of this turn whose owner was not asked yet. Whoever awaits an event often triggers it in the same
 * turn, and the confirmation of that tells how it ended: then there is nothing to ask. They leave before the next call
 * of anybody, so the owner hears of them as early as it would have.
 */
export class SubscriptionBatch {
  readonly #port: SystemPort;
  #held: Subscription[] = [];
  #scheduled = false;
  /** Has them leave before the next call. */
  #before: Disposable | null = null;

  /** @param port Whose calls they go before. */
  constructor(port: SystemPort) {
    this.#port = port;
  }

  /** Asks the owner soon. */
  add(subscription: Subscription): void {
    this.#held.push(subscription);
    if (this.#held.length >= maxHeld) return this.#ask();
    if (this.#held.length === 1) this.#before = this.#port.beforeCalls(this.#ask);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#turnEnds);
  }

  readonly #turnEnds = (): void => {
    this.#scheduled = false;
    if (this.#held.length > 0) this.#ask();
  };

  readonly #ask = (): void => {
    const held = this.#held;
    this.#held = [];
    this.#before?.[Symbol.dispose]();
    this.#before = null;
    for (const subscription of held) {
      if (!subscription.covered) subscription.owner.ask(subscription);
    }
  };
}
