/** BLAKE2b-256 of all parts, one after the other. */
export type Blake2b = (...parts: readonly Uint8Array[]) => Uint8Array;

let loaded: Promise<Blake2b> | undefined;

/** Loads BLAKE2b-256 on first use. The `node:crypto` of Deno has only the 512 bits, which are another function. */
export function loadBlake2b(): Promise<Blake2b> {
  return loaded ??= load();
}

async function load(): Promise<Blake2b> {
  const { createBLAKE2b } = await import("hash-wasm");
  const hasher = await createBLAKE2b(256);
  return (...parts) => {
    hasher.init();
    for (const part of parts) hasher.update(part);
    return hasher.digest("binary");
  };
}
