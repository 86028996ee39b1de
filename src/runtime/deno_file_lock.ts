import type { FileLocks } from "./file_lock.ts";

/** The used part of an open file of `Deno`. */
interface DenoFile {
  tryLockSync(exclusive: boolean): boolean;
  statSync(): { readonly ino: number | null };
  close(): void;
}

/** The used part of the global `Deno`. */
interface DenoGlobal {
  openSync(
    path: string,
    options: { read: boolean; write: boolean; create: boolean; mode: number },
  ): DenoFile;
}

/** Locks through Deno's own files. */
export function denoFileLocks(): FileLocks {
  const { Deno: deno } = globalThis as unknown as { Deno: DenoGlobal };
  return {
    tryLock(path, { exclusive = true, create = false } = {}) {
      const file = deno.openSync(path, { read: true, write: true, create, mode: 0o600 });
      let locked = false;
      try {
        locked = file.tryLockSync(exclusive);
        if (!locked) return null;
        let open = true;
        return {
          inode: file.statSync().ino ?? 0,
          [Symbol.dispose]() {
            if (open) file.close();
            open = false;
          },
        };
      } finally {
        if (!locked) file.close();
      }
    },
  };
}
