/** The value that stands for all values of a label beyond the limit. */
export const otherLabel = "other";

/** Limits the values of an open label, such as handlers' names: the first ones keep their names, the rest share one. */
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

  /** Keeps only values that are in use, so that new ones get their places. */
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
