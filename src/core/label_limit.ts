/** What all values of a label are called that came after the limit was reached. */
export const otherLabel = "other";

/** Values of a label whose set is not closed, such as handlers' names: the first ones by name, the rest together. */
export class LabelLimit {
  readonly #limit: number;
  readonly #values = new Set<string>();
  #folded = 0;

  /** @param limit The most values. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The value to report: the given one, or {@link otherLabel}. */
  of(value: string): string {
    if (this.#values.has(value)) return value;
    if (this.#values.size < this.#limit) {
      this.#values.add(value);
      return value;
    }
    this.#folded++;
    return otherLabel;
  }

  /** Keeps only the values that are still in use, so that others get their places. */
  retain(used: ReadonlySet<string>): void {
    for (const value of this.#values) if (!used.has(value)) this.#values.delete(value);
  }

  /** Values in use. */
  get size(): number {
    return this.#values.size;
  }

  /** How often a value was reported as {@link otherLabel}. */
  get folded(): number {
    return this.#folded;
  }
}
