import { readdirSync, statSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../core/mod.ts";

/** Several events make one save; an editor may write a file in steps. */
const settleMs = 100;

/**
 * Calls back when a source file of a module's folder has changed: one call at a time, and one more if something changed
 * during a call.
 */
export function watchFolder(module: string, changed: () => Promise<void>): Disposable {
  const folder = dirname(module);
  // Reading a file is an event as well on Deno, so the files themselves say whether they have changed.
  let seen = stampsOf(folder);
  let cancel = (): void => {};
  let running = false;
  let closed = false;
  const look = async (): Promise<void> => {
    if (running || closed) return;
    const now = stampsOf(folder);
    if (now === seen) return;
    seen = now;
    running = true;
    await changed();
    running = false;
    await look();
  };
  const watcher = watch(folder, () => {
    cancel();
    cancel = systemClock.after(settleMs, () => void look());
  });
  watcher.on("error", () => {});
  return {
    [Symbol.dispose]() {
      closed = true;
      cancel();
      watcher.close();
    },
  };
}

/** The source files of a folder with size and time. */
function stampsOf(folder: string): string {
  return readdirSync(folder).filter((name) => /^[^.].*\.(?:[cm]?[jt]sx?|json)$/.test(name)).sort().map(
    (name) => {
      const stat = statSync(join(folder, name), { throwIfNoEntry: false });
      return `${name} ${stat?.size} ${stat?.mtimeMs} ${stat?.ino}`;
    },
  ).join("\n");
}
