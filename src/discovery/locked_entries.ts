import { readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import type { FileLock, FileLocks } from "../runtime/mod.ts";

const attempts = 20;
const temporary = ".new-";

/**
 * Files of one folder, each locked by its process. The kernel releases the lock when the process ends, so an entry that
 * can be locked is dead.
 */
export class LockedEntries {
  readonly #directory: string;
  readonly #locks: FileLocks;

  /** @param directory An existing folder. */
  constructor(directory: string, locks: FileLocks) {
    this.#directory = directory;
    this.#locks = locks;
  }

  /** Creates an entry, which is complete and locked when it becomes visible. */
  create(name: string, text: string): Disposable {
    const path = `${this.#directory}/${name}`;
    for (let attempt = 1;; attempt++) {
      const fresh = `${this.#directory}/${temporary}${crypto.randomUUID()}`;
      let lock: FileLock | null = null;
      try {
        // A sweeping process may see it before it is locked, and remove it.
        lock = this.#locks.tryLock(fresh, { create: true });
        if (lock === null) continue;
        writeFileSync(fresh, text);
        renameSync(fresh, path);
        return this.#entry(path, lock);
      } catch (error) {
        lock?.[Symbol.dispose]();
        if (attempt >= attempts || (error as { code?: string }).code !== "ENOENT") throw error;
      }
    }
  }

  /** Names of the entries, with dead and incomplete ones. */
  names(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return [];
      throw error;
    }
  }

  /** Names of the live entries; the others are swept. */
  live(): string[] {
    return this.names().filter((name) => this.lives(name));
  }

  /** Whether an entry's process lives. A dead entry is swept. */
  lives(name: string): boolean {
    const path = `${this.#directory}/${name}`;
    try {
      using lock = this.#locks.tryLock(path, { exclusive: false });
      if (lock === null) return !name.startsWith(temporary);
      if (statSync(path).ino === lock.inode) unlinkSync(path);
      return false;
    } catch {
      return false; // gone meanwhile
    }
  }

  /** The text of a live entry. */
  read(name: string): string | null {
    if (!this.lives(name)) return null;
    try {
      return readFileSync(`${this.#directory}/${name}`, "utf8");
    } catch {
      return null;
    }
  }

  #entry(path: string, lock: FileLock): Disposable {
    return {
      [Symbol.dispose]() {
        try {
          if (statSync(path).ino === lock.inode) unlinkSync(path);
        } catch {
          // Another process has removed it.
        }
        lock[Symbol.dispose]();
      },
    };
  }
}
