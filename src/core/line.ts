import { LinkedQueue, QueueNode } from "./linked_queue.ts";

/** A place in a {@link Line}. */
export class LinePlace {
  /** Kept by the line. */
  readonly node: QueueNode<LinePlace> = new QueueNode<LinePlace>(this);
  readonly #line: LinkedQueue<LinePlace>;
  readonly #left: (() => void) | undefined;
  /** Tries; true when there is no need to wait any more. */
  readonly go: () => boolean;

  /** Made by {@link Line.join}. */
  constructor(line: LinkedQueue<LinePlace>, go: () => boolean, left: (() => void) | undefined) {
    this.#line = line;
    this.go = go;
    this.#left = left;
  }

  /** Gives the place up. Nothing happens when it has been served. */
  leave(): void {
    if (this.#line.remove(this.node)) this.#left?.();
  }
}

/**
 * Those who wait for room of any kind, first come first served. Nobody overtakes: who comes while others wait asks
 * {@link Line.isFree} and joins.
 *
 * It is unbounded: whoever lets others join keeps the bound.
 */
export class Line {
  readonly #queue = new LinkedQueue<LinePlace>();
  #serving = false;

  /** How many wait. */
  get size(): number {
    return this.#queue.size;
  }

  /** Whether nobody waits, or whoever asks is being served right now. */
  get isFree(): boolean {
    return this.#queue.size === 0 || this.#serving;
  }

  /**
   * Joins at the end.
   *
   * @param go Called in its turn until it returns true.
   * @param left Called once, when the place is free again.
   */
  join(go: () => boolean, left?: () => void): LinePlace {
    const place = new LinePlace(this.#queue, go, left);
    this.#queue.push(place.node);
    return place;
  }

  /** Lets the first ones try, until one must go on waiting. Returns how many need not wait any more. */
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
