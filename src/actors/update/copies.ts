import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type Clock, newInstanceId, pause } from "../../core/mod.ts";
import { type FileLock, type FileLocks, onProgramEnd } from "../../runtime/mod.ts";
import { fileErrorCode, moduleError } from "./module_error.ts";

/**
 * The folder `.zeromesh` of a package, as this process uses it:
 *
 * - `HASH/`: copied files with their layout.
 * - `HASH.PROCESS`: an empty file; that process uses the copy.
 * - `PROCESS.lock`: locked while that process lives.
 * - `PROCESS.part/`: a copy that the process is writing.
 * - `lock`: locked while a process changes the others' parts, for milliseconds.
 *
 * The kernel ends a lock with its process. So whoever can lock `PROCESS.lock` knows that the process is dead, and may
 * remove what it used.
 */
export class Copies {
  readonly #folder: string;
  readonly #locks: FileLocks;
  readonly #process = newInstanceId().replaceAll("-", "");
  readonly #used = new Set<string>();
  #living: FileLock | undefined;

  /**
   * @param root The package's folder.
   * @param locks The runtime's file locks.
   */
  constructor(root: string, locks: FileLocks) {
    this.#folder = join(root, ".zeromesh");
    this.#locks = locks;
  }

  /**
   * The folder of a copy, which is written if it does not exist. It stays until the program ends.
   *
   * @param contents The files by their relative paths.
   */
  async use(hash: string, contents: ReadonlyMap<string, Uint8Array>, clock: Clock): Promise<string> {
    const copy = join(this.#folder, hash);
    if (this.#used.has(hash)) return copy;
    const changing = await this.#change(clock);
    try {
      if (this.#living === undefined) this.#begin();
      writeFileSync(join(this.#folder, `${hash}.${this.#process}`), "");
      this.#used.add(hash);
      if (!existsSync(copy)) this.#write(copy, contents);
    } finally {
      changing[Symbol.dispose]();
    }
    return copy;
  }

  /** Begins to use the folder: marks this process as living, and removes what dead ones left. */
  #begin(): void {
    const lock = this.#locks.tryLock(this.#lockPath(this.#process), { create: true });
    if (lock === null) throw new Error(`${this.#lockPath(this.#process)} cannot be locked`);
    this.#living = lock;
    onProgramEnd(() => this.#end());
    // Nothing in it is for a repository.
    writeFileSync(join(this.#folder, ".gitignore"), "*\n");
    const processes = new Set(readdirSync(this.#folder).flatMap((name) => processIn(name) ?? []));
    processes.delete(this.#process);
    for (const process of processes) {
      using dead = this.#locks.tryLock(this.#lockPath(process), { create: true });
      if (dead !== null) this.#forget(process);
    }
    this.#removeUnused();
  }

  #write(copy: string, contents: ReadonlyMap<string, Uint8Array>): void {
    const part = join(this.#folder, `${this.#process}.part`);
    rmSync(part, { recursive: true, force: true });
    for (const [name, content] of contents) {
      const path = join(part, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    // A copy is there as a whole or not at all.
    renameSync(part, copy);
  }

  /** At the program's end, when nothing can be awaited. What cannot be removed now is removed by a later process. */
  #end(): void {
    try {
      const changing = this.#tryChange(1_000);
      if (changing === null) return;
      this.#forget(this.#process);
      this.#removeUnused();
      if (readdirSync(this.#folder).every((name) => common.includes(name))) {
        for (const name of common) unlinkSync(join(this.#folder, name));
        // It fails if another process begins at this moment, which makes its files again.
        rmdirSync(this.#folder);
      }
      changing[Symbol.dispose]();
    } catch {
      // A program that ends cannot do anything about it.
    }
  }

  /** Removes all that says that a process uses copies. */
  #forget(process: string): void {
    for (const name of readdirSync(this.#folder)) {
      if (processIn(name) !== process) continue;
      rmSync(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  /** Removes the copies that no process uses. */
  #removeUnused(): void {
    const names = readdirSync(this.#folder);
    const used = new Set(names.flatMap((name) => userPattern.exec(name)?.[1] ?? []));
    for (const name of names) {
      if (!copyPattern.test(name) || used.has(name)) continue;
      rmSync(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  /** The right to change the folder, waited for. */
  async #change(clock: Clock): Promise<Disposable> {
    for (const until = clock.now() + 5_000; clock.now() < until; await pause(clock, 5)) {
      const lock = this.#tryLock();
      if (lock !== null) return lock;
    }
    throw moduleError(`Cannot copy a module to ${this.#folder}: its file "lock" was locked for 5 s`);
  }

  /** The same, for up to some milliseconds in which the thread stands still. */
  #tryChange(ms: number): Disposable | null {
    for (let waited = 0; waited <= ms; waited += 5) {
      const lock = this.#tryLock();
      if (lock !== null) return lock;
      Atomics.wait(stillness, 0, 0, 5);
    }
    return null;
  }

  #tryLock(): Disposable | null {
    const path = join(this.#folder, "lock");
    mkdirSync(this.#folder, { recursive: true });
    try {
      const lock = this.#locks.tryLock(path, { create: true });
      if (lock === null) return null;
      // The last process that left may have removed the file since it was opened.
      if (lock.inode === inodeOf(path)) return lock;
      lock[Symbol.dispose]();
    } catch (error) {
      if (fileErrorCode(error) !== "ENOENT") throw error;
    }
    return null;
  }

  #lockPath(process: string): string {
    return join(this.#folder, `${process}.lock`);
  }
}

const stillness = new Int32Array(new SharedArrayBuffer(4));

// The files of no process.
const common = [".gitignore", "lock"];
const copyPattern = /^[0-9a-f]{64}$/;
const userPattern = /^([0-9a-f]{64})\.[0-9a-f]{32}$/;

/** The process in the name of a file or folder. */
function processIn(name: string): string | undefined {
  return /^(?:[0-9a-f]{64}\.)?([0-9a-f]{32})(?:\.lock|\.part)?$/.exec(name)?.[1];
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
