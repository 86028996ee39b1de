/** The collector, for figures of memory. On Deno only a flag lets a program call it: `--v8-flags=--expose-gc`. */

/** Collects what nobody needs, where the runtime lets a program ask for it. */
export function collectGarbage(): void {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  if (Bun !== undefined) Bun.gc(true);
  else gc?.();
}
