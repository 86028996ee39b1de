/** An amount of credit. */
export interface Credit {
  /** Number of messages. */
  readonly count: number;
  /** Their total size in bytes. */
  readonly bytes: number;
}

/**
 * The most credit beyond what was sent that {@link CreditWindow} accepts from a receiver. One message may exceed the
 * remaining bytes.
 */
export const largestCredit: Credit = Object.freeze({ count: 2 ** 20, bytes: 2 ** 32 });

/**
 * The sender's side of credit: how much it may still send to one receiver.
 *
 * The receiver names totals since the beginning, not differences: late or repeated totals change nothing, and
 * impossible ones are ignored.
 *
 * @example Usage
 * ```ts ignore
 * const window = new CreditWindow({ count: 100, bytes: 65_536 });
 * if (window.open) { send(payload); window.spend(payload.length); }
 * ```
 */
export class CreditWindow {
  #spentCount = 0;
  #spentBytes = 0;
  #allowedCount: number;
  #allowedBytes: number;
  // The sent count at which `spend` returns true next.
  #lookCount = 0;

  /** @param first Credit before the receiver grants more: at least one message and one byte. */
  constructor(first: Credit) {
    this.#allowedCount = Math.min(Math.max(1, first.count), largestCredit.count);
    this.#allowedBytes = Math.min(Math.max(1, first.bytes), largestCredit.bytes);
    this.#plan();
  }

  /** Whether one more message may be sent, of whatever size. */
  get open(): boolean {
    return this.#spentCount < this.#allowedCount && this.#spentBytes < this.#allowedBytes;
  }

  /** Total sent since the beginning. */
  get spent(): Credit {
    return { count: this.#spentCount, bytes: this.#spentBytes };
  }

  /**
   * Counts one sent message. Returns true when half of the open messages are spent, and again at half of the rest:
   * moments to look for new credit before it runs out.
   */
  spend(bytes: number): boolean {
    this.#spentBytes += bytes;
    if (++this.#spentCount !== this.#lookCount) return false;
    this.#plan();
    return true;
  }

  /** Takes back a {@link spend} whose message was not sent. */
  giveBack(bytes: number): void {
    this.#spentCount--;
    this.#spentBytes -= bytes;
  }

  /**
   * The receiver grants a total.
   *
   * @returns False, with nothing changed, when the total is lower than before or more than {@link largestCredit} beyond
   * the spent total.
   */
  allow(total: Credit): boolean {
    const { count, bytes } = total;
    // NaN fails this form of the comparison.
    if (!(count >= this.#allowedCount && count <= this.#spentCount + largestCredit.count)) return false;
    if (!(bytes >= this.#allowedBytes && bytes <= this.#spentBytes + largestCredit.bytes)) return false;
    this.#allowedCount = count;
    this.#allowedBytes = bytes;
    this.#plan();
    return true;
  }

  #plan(): void {
    this.#lookCount = this.#spentCount + Math.ceil((this.#allowedCount - this.#spentCount) / 2);
  }
}

/**
 * The receiver's side of credit: how much was processed, how far the sender may go, and when a grant is due.
 *
 * @example Usage
 * ```ts ignore
 * const ledger = new CreditLedger({ count: 100, bytes: 65_536 });
 * if (ledger.finish(payload.length)) send(ledger.tell());
 * ```
 */
export class CreditLedger {
  #window: Credit;
  #finishedCount = 0;
  #finishedBytes = 0;
  #toldCount: number;
  #toldBytes: number;
  // The finished count at which a grant is due.
  #dueCount = 0;
  #dueBytes = 0;

  /** @param window The sender's first credit. */
  constructor(window: Credit) {
    this.#window = window;
    this.#toldCount = window.count;
    this.#toldBytes = window.bytes;
    this.#plan();
  }

  /** Credit that the next grant leaves the sender. */
  get window(): Credit {
    return this.#window;
  }

  /** Changes the window. Totals granted already stay valid. */
  resize(window: Credit): void {
    this.#window = window;
  }

  /** Counts one processed message. Returns {@link due}. */
  finish(bytes: number): boolean {
    this.#finishedCount++;
    this.#finishedBytes += bytes;
    return this.due;
  }

  /** Counts several processed messages. */
  add(finished: Credit): void {
    this.#finishedCount += finished.count;
    this.#finishedBytes += finished.bytes;
  }

  /** Whether a quarter of the window is used up, so that a grant is due. */
  get due(): boolean {
    return this.#finishedCount >= this.#dueCount || this.#finishedBytes >= this.#dueBytes;
  }

  /** Whether an eighth of the window is used up, which is worth a grant in a frame that is sent anyway. */
  get ridable(): boolean {
    const { count, bytes } = this.#window;
    return this.#finishedCount >= this.#toldCount - count * 0.875 ||
      this.#finishedBytes >= this.#toldBytes - bytes * 0.875;
  }

  /** The total to grant now; it counts as granted. */
  tell(): Credit {
    this.#toldCount = Math.max(this.#toldCount, this.#finishedCount + this.#window.count);
    this.#toldBytes = Math.max(this.#toldBytes, this.#finishedBytes + this.#window.bytes);
    this.#plan();
    return { count: this.#toldCount, bytes: this.#toldBytes };
  }

  #plan(): void {
    const { count, bytes } = this.#window;
    this.#dueCount = this.#toldCount - Math.floor(count * 3 / 4);
    this.#dueBytes = this.#toldBytes - Math.floor(bytes * 3 / 4);
  }
}
