import { type Clock, type Credit, CreditLedger } from "../../core/mod.ts";

// A handler that takes a millisecond does not keep up with a sender that does not wait. A turn of the receive loop in
// which two thousand small messages are handled is shorter.
const fastMs = 0.75;

/** What one connection brought of messages that nobody answers, and how fast they were handled. */
export class ReceivedCredit {
  /** What was finished, and what the other end was told of it. */
  readonly ledger: CreditLedger;
  /** Whether a report of it can be sent: none waits for room. */
  tellable = true;
  // One message of each window is timed. `armed`: the next one will be.
  #armed = true;
  #timed: object | null = null;
  #since = 0;
  #tookMs = -1;
  // What the other end was told last.
  #told: Credit;

  /** @param window What the other end was given first. */
  constructor(window: Credit) {
    this.ledger = new CreditLedger(window);
    this.#told = window;
  }

  /** A message has come for its handler. */
  began(message: object, clock: Clock): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.#timed = message;
    this.#since = clock.now();
  }

  /** A message has ended one way or the other. Returns whether the sender should be told. */
  ended(bytes: number, message: object | null, clock: Clock): boolean {
    if (this.#timed === message && message !== null) {
      this.#timed = null;
      this.#tookMs = clock.now() - this.#since;
    }
    return this.ledger.finish(bytes);
  }

  /** Whether handlers keep up, as far as is known since this was asked last; null when nothing is. */
  keepsUp(clock: Clock): boolean | null {
    let took = this.#tookMs;
    if (this.#timed !== null) {
      took = clock.now() - this.#since;
      // It may take for ever: another one tells more.
      if (took >= fastMs) this.#timed = null;
      else return null;
    }
    this.#tookMs = -1;
    this.#armed = true;
    return took < 0 ? null : took < fastMs;
  }

  /** How far the other end may go now; null when it knows. */
  tell(): Credit | null {
    const total = this.ledger.tell();
    const { count, bytes } = this.#told;
    if (total.count === count && total.bytes === bytes) return null;
    return this.#told = total;
  }

  /** There was no room for what {@link tell} returned: it is told once more. */
  untold(): void {
    this.#told = { count: 0, bytes: 0 };
  }
}
