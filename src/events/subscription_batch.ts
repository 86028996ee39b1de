import type { SystemPort } from "../messenger/mod.ts";
import type { Subscription } from "./remote_owner.ts";

// Most subscriptions that one flush may delay.
const maxHeld = 64;

/**
 * Subscriptions of this turn that are not sent yet. An awaiter often triggers its event in the same turn, and the
 * confirmation holds the outcome: then nothing need be sent. The batch is flushed before the next call of this
 * messenger, so the owner gets the subscriptions no later than it would have.
 */
export class SubscriptionBatch {
  readonly #port: SystemPort;
  #held: Subscription[] = [];
  #scheduled = false;
  /** The hook that flushes before the next call. */
  #before: Disposable | null = null;

  /** @param port The messenger whose calls flush the batch. */
  constructor(port: SystemPort) {
    this.#port = port;
  }

  /** Sends a subscription soon. */
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
