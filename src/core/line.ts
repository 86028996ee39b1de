import { LinkedQueue, QueueNode } from "./linked_queue.ts";

/** A place in a {@link Line}. */
export class LinePlace {
  /** Kept by the line. */
  readonly node: QueueNode<LinePlace> = new QueueNode<LinePlace>(this);
  readonly #line: LinkedQueue<LinePlace>;
  readonly #left: (() => void) | undefined;
  /** Tries to proceed; true when the wait is over. */
  readonly go: () => boolean;

  /** Use {@link Line.join}. */
  constructor(line: LinkedQueue<LinePlace>, go: () => boolean, left: (() => void) | undefined) {
    this.#line = line;
    this.go = go;
    this.#left = left;
  }

  /** Gives the place up; does nothing after it has been served. */
  leave(): void {
    if (this.#line.remove(this.node)) this.#left?.();
  }
}

/**
 * Waiters for room of some kind, first come first served. To keep the order, a newcomer asks {@link Line.isFree} and
 * joins. Unbounded: the caller keeps the bound.
 */
export class Line {
  readonly #queue = new LinkedQueue<LinePlace>();
  #serving = false;

  /** Waiters. */
  get size(): number {
    return this.#queue.size;
  }

  /** Whether there are no waiters, or the caller is the one being served. */
  get isFree(): boolean {
    return this.#queue.size === 0 || this.#serving;
  }

  /**
   * Joins at the end.
   *
   * @param go Called in its turn until it returns true.
   * @param left Called once, when the place is given up or served.
   */
  join(go: () => boolean, left?: () => void): LinePlace {
    const place = new LinePlace(this.#queue, go, left);
    this.#queue.push(place.node);
    return place;
  }

  /** Lets waiters try in order, until one must wait on. Returns how many were served. */
  serve(limit: number): number {
    if (this.#serving) return 0;
    this.#serving = true;
    let served = 0;
    try {
      for (; served < limit; served++) {
        const place = this.#queue.peek();
        if (place === null || !place.go()) break;
        place.leave();
      }
    } finally {
      this.#serving = false;
    }
    return served;
  }
}
