import { linkSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { Backoff, holdProcess, retry, type Timed, ZeromeshError } from "../core/mod.ts";
import { type FileLock, openFileLocks } from "../runtime/mod.ts";

/** Options of a {@link SharedFile}. */
export interface SharedFileOptions extends Timed {
  /** The initial text of a new file. */
  readonly empty: string;
  /** Timeout of locking, in milliseconds. */
  readonly lockTimeoutMs: number;
}

/**
 * A text file that several processes change. A change happens under an exclusive lock on the file itself, from reading
 * to renaming a new file over it, so that none is lost. Readers need no lock, and see the old or the new version.
 */
export class SharedFile {
  /** Path of the file. */
  readonly path: string;
  readonly #options: SharedFileOptions;
  #line: Promise<unknown> = Promise.resolve();

  constructor(path: string, options: SharedFileOptions) {
    this.path = path;
    this.#options = options;
  }

  /** The text now. */
  read(): string {
    try {
      return readFileSync(this.path, "utf8");
    } catch (error) {
      if (isMissing(error)) return this.#options.empty;
      throw error;
    }
  }

  /**
   * Changes the file.
   *
   * @param change Returns the new text for the present one; null leaves the file unchanged.
   * @throws {ZeromeshError} `TIMEOUT` when the lock is held for too long.
   */
  update(change: (text: string) => string | null): Promise<void> {
    const next = this.#line.then(() => this.#update(change));
    this.#line = next.catch(() => {});
    return next;
  }

  async #update(change: (text: string) => string | null): Promise<void> {
    while (!await this.#updated(change));
  }

  /** Returns whether the change was made; a writer that ignores the lock may have replaced the file meanwhile. */
  async #updated(change: (text: string) => string | null): Promise<boolean> {
    using lock = await this.#lock();
    const text = change(this.read());
    if (text === null) return true;
    const fresh = `${this.path}.tmp.${crypto.randomUUID()}`;
    try {
      writeFileSync(fresh, text);
      // Plain Velo locks the file that it opened, perhaps an old version, and renames over the new one.
      if (statSync(this.path).ino === lock.inode) {
        renameSync(fresh, this.path);
        return true;
      }
    } catch (error) {
      removeQuietly(fresh);
      if (!isMissing(error)) throw error;
    }
    removeQuietly(fresh);
    return false;
  }

  async #lock(): Promise<FileLock> {
    const { clock, lockTimeoutMs } = this.#options;
    using _hold = holdProcess();
    const locks = await openFileLocks();
    return await retry(() => {
      const lock = this.#tryLock((path) => locks.tryLock(path));
      if (lock !== null) return lock;
      const held = `another process has held its lock for ${lockTimeoutMs} ms`;
      throw new ZeromeshError("TIMEOUT", `Cannot change ${this.path}: ${held}`, {
        details: { path: this.path },
      });
    }, {
      clock,
      backoff: new Backoff({ firstMs: 2, maxMs: 20 }),
      timeoutMs: lockTimeoutMs,
      again: (error) => error instanceof ZeromeshError && error.code === "TIMEOUT",
    });
  }

  #tryLock(tryLock: (path: string) => FileLock | null): FileLock | null {
    try {
      const lock = tryLock(this.path);
      // The previous holder of the lock has renamed another file over this one.
      if (lock === null || statSync(this.path).ino === lock.inode) return lock;
      lock[Symbol.dispose]();
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.#createEmpty();
    }
    return null;
  }

  /** Creates the file with its initial text, since readers do not accept an empty one. */
  #createEmpty(): void {
    const fresh = `${this.path}.tmp.${crypto.randomUUID()}`;
    try {
      writeFileSync(fresh, this.#options.empty);
      linkSync(fresh, this.path);
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    } finally {
      removeQuietly(fresh);
    }
  }
}

function isMissing(error: unknown): boolean {
  return (error as { code?: string }).code === "ENOENT";
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was renamed or never created.
  }
}
