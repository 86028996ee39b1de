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
  threads: OptionalCalls<typeof threadSymbols>,
  run: (argument: Handle | null) => number,
  argument: Handle | null,
): Promise<number> | null {
  const ended = start(threads, run, argument);
  if (ended === null) return null;
  return new Promise((resolve) => {
    let round = 0;
    const look = (): void => {
      const result = ended();
      if (result !== null) return resolve(result);
      const pause = pauses[Math.min(round++, pauses.length - 1)]!;
      if (pause === 0) setImmediate(look);
      else setTimeout(look, pause);
    };
    look();
  });
}

/**
 * Runs a C function on its own thread and waits for it on this one, for the end of the program.
 *
 * @param slow Called when it takes longer than `slowMs`.
 * @returns Its result; null if no thread could be created.
 */
export function runWatched(
  threads: OptionalCalls<typeof threadSymbols>,
  run: (argument: Handle | null) => number,
  argument: Handle | null,
  { slowMs, slow }: { readonly slowMs: number; readonly slow: () => void },
): number | null {
  const ended = start(threads, run, argument);
  if (ended === null) return null;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const until = performance.now() + slowMs;
  let told = false;
  for (;;) {
    const result = ended();
    if (result !== null) return result;
    if (!told && performance.now() >= until) {
      told = true;
      slow();
    }
    Atomics.wait(cell, 0, 0, 1);
  }
}

/** Starts a thread. Returns a function that returns its result, or null until its end. */
function start(
  { create, tryJoin }: OptionalCalls<typeof threadSymbols>,
  run: (argument: Handle | null) => number,
  argument: Handle | null,
): (() => number | null) | null {
  // Bun keeps the address of each function with it.
  const { ptr = 0 } = run as { readonly ptr?: number | bigint };
  if (!create || !tryJoin || Number(ptr) === 0) return null;
  const thread = bunMemory.region(8);
  const result = bunMemory.region(8);
  if (create(thread.address, null, bunMemory.pointer(BigInt(ptr)), argument) !== 0) return null;
  const id = bunMemory.pointer(thread.view.getBigUint64(0, true));
  return () => tryJoin(id, result.address) === 0 ? result.view.getInt32(0, true) : null;
}
