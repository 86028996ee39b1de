import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { moduleFolders } from "../actors/update/module_folders.ts";
import { errorText, systemClock } from "../core/mod.ts";

/** Folders that are watched for one module. The system has a limit for all watches of a user. */
export const maxFolders = 64;

/** Several events make one save; an editor may write a file in steps. */
const settleMs = 100;

/**
 * Calls back when a source file has changed in a folder of a module or of what it reaches by relative imports: one call
 * at a time, and one more if something changed during a call.
 *
 * @param module Absolute path.
 * @param warn Is told which folders are not watched.
 */
export async function watchModule(
  module: string,
  changed: () => Promise<void>,
  warn: (text: string) => void,
): Promise<Disposable> {
  const watching = new ModuleWatch(module, changed, warn);
  await watching.follow();
  return watching;
}

class ModuleWatch implements Disposable {
  readonly #module: string;
  readonly #changed: () => Promise<void>;
  readonly #warn: (text: string) => void;
  readonly #watchers = new Map<string, { readonly inode: number; readonly watcher: FSWatcher }>();
  #folders: readonly string[] = [];
  /** Reading a file is an event as well on Deno, so the files themselves say whether they have changed. */
  #seen = "";
  #warned = "";
  #running = false;
  #closed = false;
  #cancel = (): void => {};

  constructor(module: string, changed: () => Promise<void>, warn: (text: string) => void) {
    this.#module = module;
    this.#changed = changed;
    this.#warn = warn;
  }

  /** Watches the folders that the module reaches now, in place of those that it reached before. */
  async follow(): Promise<void> {
    let last: string | null = null;
    // It reads them once more when they are watched: a save before that would be nobody's event.
    while (!this.#closed) {
      const all = await moduleFolders(this.#module);
      if (all.join("\n") === last) return;
      last = all.join("\n");
      if (!this.#closed) this.#watch(all);
    }
  }

  #watch(all: readonly string[]): void {
    this.#folders = all.slice(0, maxFolders);
    const lost = all.slice(maxFolders);
    let why = `the limit is ${maxFolders} folders`;
    const places = new Set(this.#folders.map(existing));
    for (const [place, { inode, watcher }] of this.#watchers) {
      // A folder that was made again has another number, and its watcher saw only the old one.
      if (places.has(place) && inodeOf(place) === inode) continue;
      watcher.close();
      this.#watchers.delete(place);
    }
    for (const place of places) {
      if (this.#watchers.has(place)) continue;
      try {
        const watcher = watch(place, () => this.#touched());
        watcher.on("error", () => {});
        this.#watchers.set(place, { inode: inodeOf(place), watcher });
      } catch (error) {
        lost.push(place);
        why = errorText(error);
      }
    }
    // After the watchers are in place, so that each later save differs from it.
    this.#seen = stampsOf(this.#folders);
    this.#tellLost(lost, why);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancel();
    for (const { watcher } of this.#watchers.values()) watcher.close();
  }

  #touched(): void {
    this.#cancel();
    this.#cancel = systemClock.after(settleMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#running || this.#closed || stampsOf(this.#folders) === this.#seen) return;
    this.#running = true;
    await this.follow();
    await this.#changed();
    this.#running = false;
    await this.#look();
  }

  #tellLost(lost: readonly string[], why: string): void {
    const text = lost.length === 0
      ? ""
      : `--watch does not see what is saved in ${lost.length} of the folders that ${this.#module} reaches, such as ` +
        `${lost[0]} (${why}); save that file to load them`;
    if (text !== "" && text !== this.#warned) this.#warn(text);
    this.#warned = text;
  }
}

/** A folder, or the nearest one above it that exists. */
function existing(folder: string): string {
  const parent = dirname(folder);
  return inodeOf(folder) > 0 || parent === folder ? folder : existing(parent);
}

/** The number of a folder; 0 if there is none. */
function inodeOf(folder: string): number {
  try {
    return statSync(folder).ino;
  } catch {
    return 0;
  }
}

/** The source files of some folders with size and time. */
function stampsOf(folders: readonly string[]): string {
  return folders.map((folder) => `${folder} ${inodeOf(folder)}\n${stampsIn(folder)}`).join("\n");
}

function stampsIn(folder: string): string {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return "";
  }
  return names.filter((name) => /^[^.].*\.(?:[cm]?[jt]sx?|json)$/.test(name)).sort().map((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return `${name} ${stat?.size} ${stat?.mtimeMs} ${stat?.ino}`;
  }).join("\n");
}
