import type { Outcome } from "./outcome.ts";

const firstCapacity = 64;
const none = -1;

/**
 * How events of other instances ended, for as many as may be remembered: the one used longest ago makes room.
 *
 * A table over the words of handles, with places linked in the order of their use. A map whose keys are bigints costs
 * a fifth of what a whole event does, from subscription to completion.
 */
export class CompletedEvents {
  readonly #max: number;
  #capacity = 0;
  #size = 0;
  /** Four words of a handle for each place. */
  #words = new Uint32Array(0);
  #outcomes: (Outcome | undefined)[] = [];
  /** The first place of each chain, by hash. */
  #chains = new Int32Array(0);
  /** The next place of the same chain. */
  #next = new Int32Array(0);
  // In the order of use.
  #newer = new Int32Array(0);
  #older = new Int32Array(0);
  #newest = none;
  #oldest = none;

  /** @param max How many are remembered, at least 1. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#size;
  }

  /** How the event with this handle ended, if that is remembered; it counts as used. */
  get(generation: number, index: number, owner0: number, owner1: number): Outcome | undefined {
    const place = this.#find(generation, index, owner0, owner1);
    if (place === none) return undefined;
    this.#use(place);
    return this.#outcomes[place];
  }

  /** Remembers how an event ended. */
  set(generation: number, index: number, owner0: number, owner1: number, outcome: Outcome): void {
    let place = this.#find(generation, index, owner0, owner1);
    if (place !== none) {
      this.#outcomes[place] = outcome;
      return this.#use(place);
    }
    place = this.#size < this.#max ? this.#newPlace() : this.#takeOldest();
    const words = this.#words;
    words[4 * place] = generation;
    words[4 * place + 1] = index;
    words[4 * place + 2] = owner0;
    words[4 * place + 3] = owner1;
    this.#outcomes[place] = outcome;
    this.#chain(place);
    this.#append(place);
  }

  /** Forgets everything. */
  clear(): void {
    this.#capacity = this.#size = 0;
    this.#outcomes = [];
    this.#newest = this.#oldest = none;
    this.#resize(0);
  }

  #find(generation: number, index: number, owner0: number, owner1: number): number {
    if (this.#size === 0) return none;
    const words = this.#words;
    let place = this.#chains[this.#hash(generation, index, owner0)]!;
    while (place !== none) {
      const at = 4 * place;
      if (
        words[at] === generation && words[at + 1] === index && words[at + 2] === owner0 &&
        words[at + 3] === owner1
      ) return place;
      place = this.#next[place]!;
    }
    return none;
  }

  #hash(generation: number, index: number, owner0: number): number {
    // Generations and indices count up, so their low bits differ most; the rest mixes owners in.
    const mixed = Math.imul(generation, 0x9e3779b1) ^ Math.imul(index, 0x85ebca6b) ^ owner0;
    return (mixed ^ (mixed >>> 15)) & (this.#chains.length - 1);
  }

  #chain(place: number): void {
    const at = 4 * place;
    const words = this.#words;
    const hash = this.#hash(words[at]!, words[at + 1]!, words[at + 2]!);
    this.#next[place] = this.#chains[hash]!;
    this.#chains[hash] = place;
  }

  #unchain(place: number): void {
    const at = 4 * place;
    const words = this.#words;
    const hash = this.#hash(words[at]!, words[at + 1]!, words[at + 2]!);
    const next = this.#next;
    let before = this.#chains[hash]!;
    if (before === place) {
      this.#chains[hash] = next[place]!;
      return;
    }
    while (next[before] !== place) before = next[before]!;
    next[before] = next[place]!;
  }

  #use(place: number): void {
    if (place === this.#newest) return;
    this.#unlink(place);
    this.#append(place);
  }

  #append(place: number): void {
    this.#older[place] = this.#newest;
    this.#newer[place] = none;
    if (this.#newest === none) this.#oldest = place;
    else this.#newer[this.#newest] = place;
    this.#newest = place;
  }

  #unlink(place: number): void {
    const older = this.#older[place]!;
    const newer = this.#newer[place]!;
    if (older === none) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === none) this.#newest = older;
    else this.#older[newer] = older;
  }

  #newPlace(): number {
    if (this.#size === this.#capacity) this.#grow();
    return this.#size++;
  }

  #takeOldest(): number {
    const place = this.#oldest;
    this.#unlink(place);
    this.#unchain(place);
    return place;
  }

  #grow(): void {
    this.#capacity = Math.min(this.#max, Math.max(firstCapacity, 2 * this.#capacity));
    this.#resize(this.#capacity);
    for (let place = 0; place < this.#size; place++) this.#chain(place);
  }

  #resize(capacity: number): void {
    let chains = 1;
    while (chains < capacity) chains *= 2;
    this.#chains = new Int32Array(chains).fill(none);
    this.#words = enlarged(this.#words, new Uint32Array(4 * capacity));
    this.#next = new Int32Array(capacity);
    this.#newer = enlarged(this.#newer, new Int32Array(capacity));
    this.#older = enlarged(this.#older, new Int32Array(capacity));
  }
}

function enlarged<A extends Int32Array | Uint32Array>(from: A, into: A): A {
  if (from.length < into.length) into.set(from);
  return into;
}
