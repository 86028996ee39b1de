import type { FileLocks } from "./file_lock.ts";

let opened: Promise<FileLocks> | undefined;

/** The runtime's file locks. Nothing is loaded before the first call. */
export function openFileLocks(): Promise<FileLocks> {
  opened ??= "Bun" in globalThis
    ? import("./bun_file_lock.ts").then((adapter) => adapter.bunFileLocks())
    : import("./deno_file_lock.ts").then((adapter) => adapter.denoFileLocks());
  return opened;
}
