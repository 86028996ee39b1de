import { bunMemory } from "./bun_library.ts";
import type { Handle } from "./memory.ts";
import type { OptionalCalls, threadSymbols } from "./symbols.ts";

/** Pauses between checks for the thread's end, in ms. */
const pauses = [0, 0, 1, 1, 2, 4, 8, 16] as const;

/**
 * Runs a C function on its own thread, so that this one continues.
 *
 * It is a thread of C: the function takes one argument of a pointer's size and returns a number. A Worker would cost 60
 * ms and several megabytes.
 *
 * @returns Its result; null if no thread could be created.
 */
export function runAway(
  { create, tryJoin }: OptionalCalls<typeof threadSymbols>,
  run: (argument: Handle | null) => number,
  argument: Handle | null,
): Promise<number> | null {
  // Bun keeps the address of each function with it.
  const { ptr = 0 } = run as { readonly ptr?: number | bigint };
  if (!create || !tryJoin || Number(ptr) === 0) return null;
  const thread = bunMemory.region(8);
  const result = bunMemory.region(8);
  if (create(thread.address, null, bunMemory.pointer(BigInt(ptr)), argument) !== 0) return null;
  const id = bunMemory.pointer(thread.view.getBigUint64(0, true));
  return new Promise((resolve) => {
    let round = 0;
    const look = (): void => {
      if (tryJoin(id, result.address) === 0) return resolve(result.view.getInt32(0, true));
      const pause = pauses[Math.min(round++, pauses.length - 1)]!;
      if (pause === 0) setImmediate(look);
      else setTimeout(look, pause);
    };
    look();
  });
}
