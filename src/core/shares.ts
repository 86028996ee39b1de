// The same for every table: one sender alone gets sixteen seventeenths, and two, or ten, still leave some to others.
const timesFree = 16;

/**
 * Whether a sender that holds so many places of a table gets more: it may hold at most sixteen times what is left free.
 *
 * @param held The places that it has.
 * @param taken The places that all have together.
 * @param limit The places that there are.
 * @param wanted How many it wants now.
 */
export function hasShare(held: number, taken: number, limit: number, wanted = 1): boolean {
  const left = limit - taken - wanted;
  return left >= 0 && held + wanted <= timesFree * (left + 1);
}

/**
 * Places of a table in which messages of others make entries: so many there are, and each sender gets a share of them. So
 * whoever takes all it can leaves places to everybody else.
 */
export class Shares<Sender> {
  readonly #limit: number;
  readonly #held = new Map<Sender, number>();
  #taken = 0;
  #refused = 0;

  /** @param limit The places that there are. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The places that are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** How often somebody was refused a place. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes places for a sender, or for this side itself (null), which has no share. Returns whether there were any. */
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

  /** Gives places back that were taken for a sender. */
  give(sender: Sender | null, places = 1): void {
    this.#taken -= places;
    if (sender === null) return;
    const left = (this.#held.get(sender) ?? 0) - places;
    if (left > 0) this.#held.set(sender, left);
    else this.#held.delete(sender);
  }
}
