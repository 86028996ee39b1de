import { type Credit, largestCredit } from "../../core/mod.ts";
import { type Link, SendOutcome } from "../../transport/mod.ts";
import { creditHandler, decodeCredit, encodeCredit } from "../../wire/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import type { HandlerRegistry } from "../handlers/registry.ts";
import type { ReceivedCredit } from "./received_credit.ts";
import type { Session } from "../peers/peer.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of {@link Credits}. */
export interface CreditsParts extends Omit<SharedParts, "negotiation"> {
  /** Registry of the handler for receivers' grants. */
  readonly registry: HandlerRegistry;
  /** Sends a system message without an answer, if there is room now. */
  send(link: Link<Session>, name: Uint8Array, payload: Uint8Array): SendOutcome;
}

const name = new TextEncoder().encode(creditHandler);
// A burst should not have to wait. Measured: two thousand small messages are half a millisecond of one-way traffic.
const firstCount = 2_048;
const firstBytes = 4 * 1024 * 1024;
// The window of slow handlers: the most messages they hold, and that precede a call on the same connection. A window
// doubles within one round trip, so fast traffic recovers soon.
const leastCount = 64;
const leastBytes = 512 * 1024;

/**
 * The receiver's side of credit: grants to senders.
 *
 * A grant is due when a quarter of a window is used up; before that it may join a batch that is sent anyway. A window
 * doubles while its sender's messages are handled about as fast as they come, and halves otherwise: so slow handlers
 * hold few messages, and fast ones do not wait.
 */
export class Credits {
  /** The first window of every sender. */
  readonly first: Credit;
  readonly #parts: CreditsParts;
  readonly #largest: Credit;
  // The most that all windows together may exceed their first ones, and the current excess.
  readonly #maxExtra: Credit;
  #extraCount = 0;
  #extraBytes = 0;
  #stopped = false;

  /** @param parts Its parts. */
  constructor(parts: CreditsParts) {
    this.#parts = parts;
    const { maxCreditMessages, maxCreditBytes, maxInFlightMessages, maxInFlightBytes, maxPeerBytes } = parts;
    this.#maxExtra = { count: maxInFlightMessages / 2, bytes: maxInFlightBytes / 2 };
    this.#largest = {
      count: Math.min(maxCreditMessages, maxInFlightMessages, largestCredit.count),
      bytes: Math.min(maxCreditBytes, maxInFlightBytes, maxPeerBytes, largestCredit.bytes),
    };
    this.first = {
      count: Math.min(firstCount, this.#largest.count),
      bytes: Math.min(firstBytes, this.#largest.bytes),
    };
    parts.registry.handle(creditHandler, "am", (call) => this.#heard(call), { whileDraining: true });
  }

  /** Stops granting when the instance drains: further messages would be lost. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Grants credit when a quarter of a sender's window is used up by finished messages: handled, refused, dropped or
   * cancelled ones.
   */
  due(session: Session): void {
    const { received } = session;
    if (this.#stopped) return;
    // At most one grant waits for room, and holds the totals of the moment when it leaves.
    if (received === null || !received.tellable) return;
    this.#resize(session, received);
    if (this.#tell(session)) return;
    received.tellable = false;
    session.link.queueUp(() => received.tellable = this.#tell(session));
  }

  /** Adds a due grant to a link's batch. */
  ride(link: Link<Session>): void {
    link.rider = () => {
      const session = link.session;
      const received = session === null ? null : session.received;
      if (received === null || this.#stopped || !received.tellable || !received.ledger.ridable) return;
      if (this.#tell(session!)) this.#parts.creditCounts.rode++;
    };
  }

  /** Removes the window of a lost connection. */
  gone(session: Session): void {
    const { received } = session;
    if (received === null) return;
    this.#change(received.ledger.window, this.first);
    session.received = null;
  }

  #resize(session: Session, received: ReceivedCredit): void {
    const { ledger } = received;
    const { window } = ledger;
    const largest = this.#largest;
    const fast = received.keepsUp(this.#parts.clock);
    if (fast === null) return;
    const next = fast
      ? { count: Math.min(window.count * 2, largest.count), bytes: Math.min(window.bytes * 2, largest.bytes) }
      : {
        count: Math.min(Math.max(Math.floor(window.count / 2), leastCount), window.count),
        bytes: Math.min(Math.max(Math.floor(window.bytes / 2), leastBytes), window.bytes),
      };
    if (fast) {
      if (session.held.messages > window.count / 2 || session.held.bytes > window.bytes / 2) return;
      if (this.#extraCount + next.count - window.count > this.#maxExtra.count) return;
      if (this.#extraBytes + next.bytes - window.bytes > this.#maxExtra.bytes) return;
    }
    this.#change(window, next);
    ledger.resize(next);
  }

  #change(from: Credit, to: Credit): void {
    this.#extraCount += to.count - from.count;
    this.#extraBytes += to.bytes - from.bytes;
  }

  /** Returns false without room. */
  #tell(session: Session): boolean {
    const { received } = session;
    if (received === null) return true;
    const total = received.tell();
    if (total === null) return true;
    const { creditCounts, send } = this.#parts;
    if (send(session.link, name, encodeCredit(total)) === SendOutcome.full) {
      received.untold();
      return false;
    }
    creditCounts.told++;
    return true;
  }

  #heard(call: InboundCall): void {
    const { credit } = call.session;
    const total = decodeCredit(call.lentPayload);
    if (credit === null || total === null) this.#parts.drops.count("creditInvalid");
    else credit.allow(total);
  }
}
