import { type Clock, type Credit, CreditLedger } from "../../core/mod.ts";

// A handler that takes a millisecond does not keep up with a sender that does not wait. A turn of the receive loop with
// two thousand small messages is shorter.
const fastMs = 0.75;

/** Messages without an answer that a connection brought, and how fast they were handled. */
export class ReceivedCredit {
  /** Finished and granted totals. */
  readonly ledger: CreditLedger;
  /** Whether a grant can be sent: none waits for room. */
  tellable = true;
  // One message of each window is timed; `armed` means the next one.
  #armed = true;
  #timed: object | null = null;
  #since = 0;
  #tookMs = -1;
  // The last grant.
  #told: Credit;

  /** @param window The other end's first window. */
  constructor(window: Credit) {
    this.ledger = new CreditLedger(window);
    this.#told = window;
  }

  /** A message has arrived for its handler. */
  began(message: object, clock: Clock): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.#timed = message;
    this.#since = clock.now();
  }

  /** A message has ended. Returns whether a grant is due. */
  ended(bytes: number, message: object | null, clock: Clock): boolean {
    if (this.#timed === message && message !== null) {
      this.#timed = null;
      this.#tookMs = clock.now() - this.#since;
    }
    return this.ledger.finish(bytes);
  }

  /** Whether handlers have kept up since the last call; null when unknown. */
  keepsUp(clock: Clock): boolean | null {
    let took = this.#tookMs;
    if (this.#timed !== null) {
      took = clock.now() - this.#since;
      // It may never end, so another message is timed.
      if (took >= fastMs) this.#timed = null;
      else return null;
    }
    this.#tookMs = -1;
    this.#armed = true;
    return took < 0 ? null : took < fastMs;
  }

  /** The totals to grant; null when they are granted already. */
  tell(): Credit | null {
    const total = this.ledger.tell();
    const { count, bytes } = this.#told;
    if (total.count === count && total.bytes === bytes) return null;
    return this.#told = total;
  }

  /** Takes back {@link tell} when there was no room. */
  untold(): void {
    this.#told = { count: 0, bytes: 0 };
  }
}
