/**
 * XXH3-64 (seed 0) of bytes of any length. Discovery files store it of a worker address as `address_checksum`.
 *
 * Loads `hash-wasm` on first use. Worker ids do not need it: `core` hashes their 16 bytes.
 *
 * @returns An unsigned 64-bit integer.
 */
export async function addressChecksum(bytes: Uint8Array): Promise<bigint> {
  const { createXXHash3 } = await import("hash-wasm");
  const hasher = await createXXHash3();
  hasher.init();
  hasher.update(bytes);
  return BigInt(`0x${hasher.digest("hex")}`);
}
