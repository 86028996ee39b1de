import process from "node:process";
import { collectGarbage } from "../../test/support/collect.ts";
import { currentRuntime } from "../../test/support/runtime.ts";
import { pause } from "../../test/support/until.ts";

/** Bytes of the heap and of the process once garbage is collected. */
export async function memory(): Promise<{ heap: number; rss: number }> {
  // What a first collection frees late, another one takes.
  for (let i = 0; i < 4; i++) {
    collectGarbage();
    await pause(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  // Bun counts what lies outside in the heap.
  return { heap: currentRuntime === "bun" ? heapUsed : heapUsed + external, rss };
}
