import { lstatSync, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import process from "node:process";
import { ZeromeshError } from "../core/mod.ts";

/** The user's id. On Deno it needs no permission of its own if the folder is writable. */
function ownUid(folder: string): number {
  try {
    const uid = process.getuid?.();
    if (uid !== undefined) return uid;
  } catch {
    // Deno requires --allow-sys=uid here; the owner of a new file is the same.
  }
  let probe: string;
  try {
    probe = mkdtempSync(`${folder}/.zeromesh-`);
  } catch (cause) {
    throw new ZeromeshError(
      "FORBIDDEN",
      `Cannot choose a folder for discovery: the user's number cannot be read; allow it ` +
        `(Deno: --allow-sys=uid, and --allow-write for the folder of the mesh)`,
      { cause, details: { path: folder } },
    );
  }
  try {
    return lstatSync(probe).uid;
  } finally {
    rmdirSync(probe);
  }
}

/** The parent folder of this user's meshes. It does not depend on the environment. */
export function defaultMeshDirectory(): string {
  return `/tmp/zeromesh-${ownUid("/tmp")}`;
}

/**
 * Creates a folder that only its owner can access, or checks an existing one.
 *
 * @throws {ZeromeshError} `FORBIDDEN` if it is not a folder, or another user could write into it.
 */
export function ensureOwnDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (found.isDirectory() && (found.mode & 0o077) === 0 && found.uid === ownUid(path)) return;
  throw new ZeromeshError(
    "FORBIDDEN",
    `Cannot use ${path} for discovery: it must be a folder of this user that no other user can read or write (mode 0700)`,
    { details: { path, mode: found.mode & 0o777, uid: found.uid } },
  );
}
