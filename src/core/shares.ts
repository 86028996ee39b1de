// The same for all tables: one sender alone gets 16/17 of the places, and even ten senders leave some free.
const timesFree = 16;

/**
 * Whether a sender may take more places of a table: it may hold at most sixteen times the number left free.
 *
 * @param held Places of the sender.
 * @param taken Places of all senders together.
 * @param limit Places of the table.
 * @param wanted Places to take now.
 */
export function hasShare(held: number, taken: number, limit: number, wanted = 1): boolean {
  const left = limit - taken - wanted;
  return left >= 0 && held + wanted <= timesFree * (left + 1);
}

/** The places of a table that peers' messages fill. Each sender has a share, so that one sender cannot take all. */
export class Shares<Sender> {
  readonly #limit: number;
  readonly #held = new Map<Sender, number>();
  #taken = 0;
  #refused = 0;

  /** @param limit The number of places. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Places that are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** How often a place was refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes places for a sender, or for this instance (null), which has no share. Returns whether there were enough. */
  take(sender: Sender | null, wanted = 1): boolean {
    const held = sender === null ? 0 : this.#held.get(sender) ?? 0;
    const given = sender === null
      ? this.#taken + wanted <= this.#limit
      : hasShare(held, this.#taken, this.#limit, wanted);
    if (!given) {
      this.#refused++;
      return false;
    }
    this.#taken += wanted;
    if (sender !== null) this.#held.set(sender, held + wanted);
    return true;
  }

  /** Gives a sender's places back. */
  give(sender: Sender | null, places = 1): void {
    this.#taken -= places;
    if (sender === null) return;
    const left = (this.#held.get(sender) ?? 0) - places;
    if (left > 0) this.#held.set(sender, left);
    else this.#held.delete(sender);
  }
}
