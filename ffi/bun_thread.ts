import { bunMemory } from "./bun_library.ts";
import type { Handle } from "./memory.ts";
import type { OptionalCalls, threadSymbols } from "./symbols.ts";

/** How often the end of the thread is looked for: at once first, then ever more slowly, in ms. */
const pauses = [0, 0, 1, 1, 2, 4, 8, 16] as const;

/**
 * Runs a function of C on a thread of its own, so that this one goes on meanwhile.
 *
 * The thread is C's alone: the function takes one argument as wide as a pointer and returns a number, as a thread's does,
 * and a JavaScript engine for it would cost 60 ms and several megabytes.
 *
 * @returns What it returns; null when there is no thread to be had.
 */
export function runAway(
  { create, tryJoin }: OptionalCalls<typeof threadSymbols>,
  run: (argument: Handle | null) => number,
  argument: Handle | null,
): Promise<number> | null {
  // Bun has the address of each function with it.
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
