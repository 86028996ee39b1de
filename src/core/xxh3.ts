/**
 * XXH3-64 (seed 0, default secret) of exactly 16 bytes, for worker ids.
 *
 * Sixteen bytes take the algorithm's shortest path, so this needs no library and no asynchronous start-up.
 * Longer inputs (address checksums) go through `hash-wasm`.
 *
 * @see https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
export function xxh3Of16(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const low = view.getBigUint64(0, true) ^ (secret24 ^ secret32);
  const high = view.getBigUint64(8, true) ^ (secret40 ^ secret48);
  const product = low * high;
  const folded = (product & mask64) ^ (product >> 64n);
  return avalanche((16n + byteSwap(low) + high + folded) & mask64);
}

const mask64 = (1n << 64n) - 1n;

// Words 24, 32, 40 and 48 of the specification's default secret, little-endian.
const secret24 = 0x1f67b3b7a4a44072n;
const secret32 = 0x78e5c0cc4ee679cbn;
const secret40 = 0x2172ffcc7dd05a82n;
const secret48 = 0x8e2443f7744608b8n;

function byteSwap(value: bigint): bigint {
  let swapped = 0n;
  for (let i = 0n; i < 8n; i++) swapped |= ((value >> (8n * i)) & 0xffn) << (56n - 8n * i);
  return swapped;
}

function avalanche(hash: bigint): bigint {
  hash ^= hash >> 37n;
  hash = (hash * 0x165667919e3779f9n) & mask64;
  return hash ^ (hash >> 32n);
}
