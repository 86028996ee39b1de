import process from "node:process";

/** Random numbers that a seed brings back. */
export interface Prng {
  /** The seed, as it was printed. */
  readonly seed: number;
  /** A whole number from 0 to 4 294 967 295. */
  uint32(): number;
  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number;
  /** A number from 0 up to 1, without 1. */
  fraction(): number;
  /** A 64-bit number. */
  uint64(): bigint;
  /** So many random bytes, in memory of their own. */
  bytes(length: number): Uint8Array;
  /** One of the items. */
  pick<T>(items: readonly T[]): T;
}

/**
 * A seeded generator that prints its seed, so that a failure can be repeated with `ZEROMESH_SEED`.
 *
 * @param name What the numbers are for; printed with the seed.
 * @param seed The seed. Without it `ZEROMESH_SEED`, without that a random one.
 */
export function prng(name: string, seed?: number): Prng {
  const wanted = seed ?? seedFromEnvironment() ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  // The runner shows lines that start with "# " even when the test passes.
  console.log(`# seed of ${name}: ${wanted} (repeat with ZEROMESH_SEED=${wanted})`);
  return seededPrng(wanted);
}

/** The same generator without printing, for tests of what it feeds. */
export function seededPrng(seed: number): Prng {
  // mulberry32: small, passes the usual suites, and the same on every runtime.
  let state = seed >>> 0;
  const uint32 = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (limit: number): number => Math.floor((uint32() / 2 ** 32) * limit);
  return {
    seed,
    uint32,
    below,
    fraction: () => uint32() / 2 ** 32,
    uint64: () => (BigInt(uint32()) << 32n) | BigInt(uint32()),
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = uint32() & 0xff;
      return bytes;
    },
    pick(items) {
      if (items.length === 0) throw new RangeError("Cannot pick from an empty list");
      return items[below(items.length)] as (typeof items)[number];
    },
  };
}

function seedFromEnvironment(): number | undefined {
  const text = process.env["ZEROMESH_SEED"];
  if (text === undefined || text === "") return undefined;
  const seed = Number(text);
  if (!Number.isInteger(seed)) throw new TypeError(`Cannot use ZEROMESH_SEED: ${text} is not a whole number`);
  return seed >>> 0;
}
