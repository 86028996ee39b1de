import { readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import type { FileLock, FileLocks } from "../runtime/mod.ts";

const attempts = 20;
const temporary = ".new-";

/**
 * Files in one folder, each locked by the process that it stands for. The kernel ends the lock with the process,
 * whatever ends it, so an entry that can be locked belongs to nobody any more.
 */
export class LockedEntries {
  readonly #directory: string;
  readonly #locks: FileLocks;

  /** @param directory A folder that exists. */
  constructor(directory: string, locks: FileLocks) {
    this.#directory = directory;
    this.#locks = locks;
  }

  /** Writes an entry, which is complete and locked from the first moment it is seen. */
  create(name: string, text: string): Disposable {
    const path = `${this.#directory}/${name}`;
    for (let attempt = 1;; attempt++) {
      const fresh = `${this.#directory}/${temporary}${crypto.randomUUID()}`;
      let lock: FileLock | null = null;
      try {
        // Somebody who sweeps may look at it before it is locked, and take it away.
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

  /** Names of the entries, dead ones and half-written ones included. */
  names(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return [];
      throw error;
    }
  }

  /** Names of the entries whose process lives; the others are swept. */
  living(): string[] {
    return this.names().filter((name) => this.lives(name));
  }

  /** Whether the process of an entry lives. If not, the entry is swept. */
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

  /** The text of an entry whose process lives. */
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
          // Somebody has removed it already.
        }
        lock[Symbol.dispose]();
      },
    };
  }
}
