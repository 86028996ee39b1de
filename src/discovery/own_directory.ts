import { lstatSync, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import process from "node:process";
import { ZeromeshError } from "../core/mod.ts";

/** The user's number, found without a permission of its own on Deno where a folder can be written to. */
function ownUid(folder: string): number {
  try {
    const uid = process.getuid?.();
    if (uid !== undefined) return uid;
  } catch {
    // Deno asks for --allow-sys=uid here; what we create tells as well.
  }
  let probe: string;
  try {
    probe = mkdtempSync(`${folder}/.zeromesh-`);
  } catch (cause) {
    throw new ZeromeshError(
      "FORBIDDEN",
      `Cannot find out whose folder to use for discovery: allow the user's number to be read ` +
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

/** The folder under which meshes of this user lie. The same for every process, whatever its environment. */
export function defaultMeshDirectory(): string {
  return `/tmp/zeromesh-${ownUid("/tmp")}`;
}

/**
 * Makes a folder that only its owner can look into, and makes sure of it if it was there.
 *
 * @throws {ZeromeshError} `FORBIDDEN` if it is no folder, or somebody else could write into it.
 */
export function ensureOwnDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (found.isDirectory() && (found.mode & 0o077) === 0 && found.uid === ownUid(path)) return;
  throw new ZeromeshError(
    "FORBIDDEN",
    `Cannot use ${path} for discovery: it must be a folder of this user that nobody else can read or write (mode 0700)`,
    { details: { path, mode: found.mode & 0o777, uid: found.uid } },
  );
}
