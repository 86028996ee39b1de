/** A place in a {@link LinkedQueue}. */
export class QueueNode<T> {
  /** The item. */
  readonly value: T;
  /** Kept by the queue. */
  previous: QueueNode<T> | null = null;
  /** Kept by the queue. */
  next: QueueNode<T> | null = null;
  /** Whether it is in a queue; kept by the queue. */
  queued = false;

  /** Makes a place that is in no queue. */
  constructor(value: T) {
    this.value = value;
  }
}

/** A queue whose items can leave from the middle; all operations are O(1). Unbounded: the caller keeps the bound. */
export class LinkedQueue<T> {
  #first: QueueNode<T> | null = null;
  #last: QueueNode<T> | null = null;
  #size = 0;

  /** Items in the queue. */
  get size(): number {
    return this.#size;
  }

  /** Adds at the end. A node that is in already keeps its place. */
  push(node: QueueNode<T>): void {
    if (node.queued) return;
    node.queued = true;
    node.previous = this.#last;
    if (this.#last === null) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#size++;
  }

  /** The first item, or null. */
  peek(): T | null {
    return this.#first === null ? null : this.#first.value;
  }

  /** Removes the first item, or returns null. */
  shift(): T | null {
    const node = this.#first;
    if (node === null) return null;
    this.remove(node);
    return node.value;
  }

  /** Removes an item from wherever it is. Returns false when it is not in. */
  remove(node: QueueNode<T>): boolean {
    if (!node.queued) return false;
    node.queued = false;
    if (node.previous === null) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === null) this.#last = node.previous;
    else node.next.previous = node.previous;
    node.previous = node.next = null;
    this.#size--;
    return true;
  }
}
