import { describeValue, isThenable } from "../../core/mod.ts";
import type { Cell } from "../cell/cell.ts";
import type { PoolMessageKind } from "../cell/cell_pool.ts";

/** Chooses the member for a message by a key. Made by {@link byKey}. */
export interface KeyRoute<Input = never> {
  /** The key of a message. */
  readonly key: (input: Input, name: string, kind: PoolMessageKind) => string | number | bigint;
}

class Keyed<Input> implements KeyRoute<Input> {
  readonly key: KeyRoute<Input>["key"];

  constructor(key: KeyRoute<Input>["key"]) {
    this.key = key;
  }
}

/**
 * Routes a pool's messages by a key: those with the same key go to the same member, in their order. While a member is
 * being replaced, its keys go to the others.
 *
 * @param key Gets the valid input of a message, its name and its kind.
 *
 * @example Usage
 * ```ts
 * import { actor, ActorSystem, byKey } from "zeromesh/actors";
 *
 * await using system = ActorSystem.local();
 * const counter = actor({ init: () => ({ count: 0 }), ask: { add: (ctx) => Uint8Array.of(++ctx.state.count) } });
 * const pool = await system.pool(counter, { size: 4, route: byKey((input) => input[0] ?? 0) });
 * await pool.ask("add", Uint8Array.of(7));
 * console.log(await pool.ask("add", Uint8Array.of(7))); // Uint8Array(1) [ 2 ]
 * ```
 */
export function byKey<Input>(
  key: (input: Input, name: string, kind: PoolMessageKind) => string | number | bigint,
): KeyRoute<Input> {
  return new Keyed(key);
}

/** Whether a value is a pool's route. */
export function isPoolRoute(value: unknown): boolean {
  return value === "roundRobin" || value === "leastLoaded" || value instanceof Keyed;
}

/** The members of a pool by their places; null where one is being replaced. */
export type PoolPlaces = readonly (Cell | null)[];

/** Chooses a member. It returns null if none takes messages. */
export type Choose = (places: PoolPlaces, kind: PoolMessageKind, name: string, input: unknown) => Cell | null;

/** What chooses the members of one pool. */
export function chooser(route: "roundRobin" | "leastLoaded" | KeyRoute<unknown>): Choose {
  if (route === "leastLoaded") return leastLoaded();
  return route === "roundRobin" ? roundRobin() : keyed(route);
}

/** Whether a member handles messages now, and not only takes them. */
function works({ phase }: Cell): boolean {
  return phase === "running";
}

/** The members in turn: first those that handle messages, then those that take some. */
function roundRobin(): Choose {
  let next = 0;
  const find = (places: PoolPlaces, fits: (cell: Cell) => boolean): Cell | null => {
    for (let step = 0; step < places.length; step++) {
      const at = (next + step) % places.length;
      const cell = places[at];
      if (cell === null || cell === undefined || !cell.takes || !fits(cell)) continue;
      next = at + 1;
      return cell;
    }
    return null;
  };
  return (places) => find(places, works) ?? find(places, () => true);
}

/** The member with the fewest messages; one of several in turn. */
function leastLoaded(): Choose {
  let next = 0;
  return (places) => {
    let best: Cell | null = null;
    let least = Infinity;
    next = (next + 1) % places.length;
    for (let step = 0; step < places.length; step++) {
      const cell = places[(next + step) % places.length];
      if (cell === null || cell === undefined || !cell.takes) continue;
      const load = loadOf(cell) + (works(cell) ? 0 : 1e9);
      if (load >= least) continue;
      best = cell;
      least = load;
    }
    return best;
  };
}

/** Messages that wait, run, or are still to be answered. */
function loadOf({ mailbox, current, replies }: Cell): number {
  return mailbox.size + mailbox.waiting + (current === null ? 0 : 1) + (replies?.size ?? 0);
}

/** The place that a key's hash names, or where it is empty, the one that the next hash names. */
function keyed({ key }: KeyRoute<unknown>): Choose {
  return (places, kind, name, input) => {
    const { length } = places;
    let hash = hashOf(textOf(key(input, name, kind)));
    for (let attempt = 0; attempt < 4; attempt++) {
      const cell = places[hash % length];
      if (cell?.takes === true) return cell;
      hash = mixed(hash + 1);
    }
    for (let step = 0; step < length; step++) {
      const cell = places[(hash + step) % length];
      if (cell?.takes === true) return cell;
    }
    return null;
  };
}

/** @throws {TypeError} If it is no key: all objects would have the same one. */
function textOf(key: unknown): string {
  if (typeof key === "string") return key;
  if (typeof key === "number" || typeof key === "bigint") return String(key);
  if (isThenable(key)) {
    // Its failure is told here.
    Promise.resolve(key).catch(() => {});
    throw new TypeError("byKey() needs the key at once, and its function returned a promise");
  }
  throw new TypeError(
    `the function of byKey() must return a string, a number or a bigint, got ${describeValue(key)}`,
  );
}

/** FNV-1a over the UTF-16 units, mixed. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mixed(hash);
}

/** The finalizer of MurmurHash3: every bit of the input changes half of the output's. */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
