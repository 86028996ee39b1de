/**
 * The names of channels in order, for lists. A new name costs nothing until the next list, which merges what is new into what
 * is in order already.
 */
export class ChannelNames {
  #ordered: string[] = [];
  #added: string[] = [];
  #ended = 0;

  /** Names that are kept, with those that have ended and were not forgotten yet. */
  get size(): number {
    return this.#ordered.length + this.#added.length;
  }

  /** Adds a name that is not in. */
  add(name: string): void {
    this.#added.push(name);
  }

  /** A name is not in use any more. Those are forgotten when they are more than the ones in use. */
  remove(used: number, isUsed: (name: string) => boolean): void {
    if (++this.#ended > used + 64) this.#merge(isUsed);
  }

  /** The names in use in order, from a place on. */
  *from(first: string, isUsed: (name: string) => boolean): Generator<string> {
    this.#merge(isUsed);
    for (let index = place(this.#ordered, first); index < this.#ordered.length; index++) {
      yield this.#ordered[index]!;
    }
  }

  #merge(isUsed: (name: string) => boolean): void {
    if (this.#added.length === 0 && this.#ended === 0) return;
    const added = this.#added.sort();
    const merged: string[] = [];
    const push = (name: string): void => {
      // A name that ended and came again is in both.
      if (name !== merged[merged.length - 1] && isUsed(name)) merged.push(name);
    };
    let next = 0;
    for (const name of this.#ordered) {
      while (next < added.length && added[next]! < name) push(added[next++]!);
      push(name);
    }
    while (next < added.length) push(added[next++]!);
    this.#ordered = merged;
    this.#added = [];
    this.#ended = 0;
  }
}

/** The index of the first name that is not before another. */
function place(names: readonly string[], first: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < first) low = middle + 1;
    else high = middle;
  }
  return low;
}
