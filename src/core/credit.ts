/** An amount of credit. */
export interface Credit {
  /** How many things. */
  readonly count: number;
  /** Their size together, in bytes. */
  readonly bytes: number;
}

/**
 * The most that one receiver may open for one sender: what {@link CreditWindow} believes. A thing may be larger than
 * what is left of the bytes, so one more than these can be under way.
 */
export const largestCredit: Credit = Object.freeze({ count: 2 ** 20, bytes: 2 ** 32 });

/**
 * The sender's side of credit: how much may still go to one receiver.
 *
 * It knows nothing of what is sent. The receiver names totals since the beginning, up to which the sender may go, and
 * not differences: what comes late or twice changes nothing, and what cannot be true is ignored.
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
  // When so many have gone, it is time to look for more.
  #lookCount = 0;

  /** @param first What may go before the receiver says more: at least one thing and one byte. */
  constructor(first: Credit) {
    this.#allowedCount = Math.min(Math.max(1, first.count), largestCredit.count);
    this.#allowedBytes = Math.min(Math.max(1, first.bytes), largestCredit.bytes);
    this.#plan();
  }

  /** Whether one more thing may go, of any size. */
  get open(): boolean {
    return this.#spentCount < this.#allowedCount && this.#spentBytes < this.#allowedBytes;
  }

  /** What has gone since the beginning. */
  get spent(): Credit {
    return { count: this.#spentCount, bytes: this.#spentBytes };
  }

  /**
   * One thing of this size has gone. Returns true when half of the things that were open have gone, and again when half
   * of the rest has: moments to look for more, before nothing may go any more.
   */
  spend(bytes: number): boolean {
    this.#spentBytes += bytes;
    if (++this.#spentCount !== this.#lookCount) return false;
    this.#plan();
    return true;
  }

  /** One thing of this size, for which {@link spend} was called, did not go after all. */
  giveBack(bytes: number): void {
    this.#spentCount--;
    this.#spentBytes -= bytes;
  }

  /**
   * The receiver says how far the sender may go.
   *
   * @returns False when that cannot be: less than it said before, or more than {@link largestCredit} beyond what has
   * gone. Nothing changes then.
   */
  allow(total: Credit): boolean {
    const { count, bytes } = total;
    // Put so that NaN is refused.
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
 * The receiver's side of credit: what was finished, how far the sender may go, and when it is worth telling.
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
  // What has to be finished before it is time to tell more.
  #dueCount = 0;
  #dueBytes = 0;

  /** @param window What the sender was given first. */
  constructor(window: Credit) {
    this.#window = window;
    this.#toldCount = window.count;
    this.#toldBytes = window.bytes;
    this.#plan();
  }

  /** How much the sender may have under way, as it will be told next. */
  get window(): Credit {
    return this.#window;
  }

  /** Changes the window. What the sender was told already stays true. */
  resize(window: Credit): void {
    this.#window = window;
  }

  /** One thing is finished. Returns {@link due}. */
  finish(bytes: number): boolean {
    this.#finishedCount++;
    this.#finishedBytes += bytes;
    return this.due;
  }

  /** So much was finished besides. */
  add(finished: Credit): void {
    this.#finishedCount += finished.count;
    this.#finishedBytes += finished.bytes;
  }

  /** Whether a quarter of the window is used up, so that it is time to tell more. */
  get due(): boolean {
    return this.#finishedCount >= this.#dueCount || this.#finishedBytes >= this.#dueBytes;
  }

  /** Whether telling is worth its bytes in a frame that goes anyway: an eighth of the window is used up. */
  get ridable(): boolean {
    const { count, bytes } = this.#window;
    return this.#finishedCount >= this.#toldCount - count * 0.875 ||
      this.#finishedBytes >= this.#toldBytes - bytes * 0.875;
  }

  /** How far the sender may go now. It counts as told. */
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
