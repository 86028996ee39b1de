import { closeSync, constants, fstatSync, openSync } from "node:fs";
import type { FileLocks } from "./file_lock.ts";

/** The used part of `bun:ffi`. */
interface BunFfi {
  dlopen(
    path: string,
    symbols: { readonly flock: { readonly args: readonly string[]; readonly returns: string } },
  ): { readonly symbols: { readonly flock: (fd: number, operation: number) => number } };
}

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
// glibc, musl and macOS.
const libraries = ["libc.so.6", "libc.so", "libSystem.B.dylib"];

/** Locks through the C library, since Bun has no call for them. */
export async function bunFileLocks(): Promise<FileLocks> {
  const { dlopen } = await import("bun:ffi") as unknown as BunFfi;
  const flock = loadFlock(dlopen);
  return {
    tryLock(path, { exclusive = true, create = false } = {}) {
      const fd = openSync(path, constants.O_RDWR | (create ? constants.O_CREAT : 0), 0o600);
      let locked = false;
      try {
        locked = flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) === 0;
        if (!locked) return null;
        let open = true;
        return {
          inode: fstatSync(fd).ino,
          [Symbol.dispose]() {
            if (open) closeSync(fd);
            open = false;
          },
        };
      } finally {
        if (!locked) closeSync(fd);
      }
    },
  };
}

function loadFlock(dlopen: BunFfi["dlopen"]): (fd: number, operation: number) => number {
  const refused: string[] = [];
  for (const library of libraries) {
    try {
      return dlopen(library, { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols.flock;
    } catch (error) {
      refused.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`Cannot lock files: no C library was found (${refused.join("; ")})`);
}
