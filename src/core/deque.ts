/** A queue with O(1) at both ends. Unbounded: the caller keeps the bound. */
export class Deque<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many items are in. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Adds at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** The first item, or undefined. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** The item at an index from the front, or undefined. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  /** Removes the first item. */
  shift(): T | undefined {
    if (this.#head >= this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1_024 && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Calls `visit` for each item, first to last. */
  forEach(visit: (item: T) => void): void {
    for (let i = this.#head; i < this.#items.length; i++) visit(this.#items[i] as T);
  }

  /** Removes all items. */
  clear(): void {
    this.#items.length = 0;
    this.#head = 0;
  }
}
