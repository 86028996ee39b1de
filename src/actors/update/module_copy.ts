import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Clock, readOptions, systemClock, withDefaults } from "../../core/mod.ts";
import { openFileLocks, runsFromBinary } from "../../runtime/mod.ts";
import { Copies } from "./copies.ts";
import { fileError, moduleError } from "./module_error.ts";
import { readModuleFiles } from "./module_files.ts";
import { type ModuleLimits, moduleLimitTable } from "./module_limits.ts";

/** A copy of a module and of the local files that it reaches. */
export interface ModuleCopy {
  /** What `import()` loads. It is the same as long as the content of all files is the same. */
  readonly specifier: string;
  /** SHA-256 of the files with their paths, as 64 hexadecimal digits. */
  readonly hash: string;
  /** Absolute paths of the files that were copied, the module first: a change of one of them makes another copy. */
  readonly files: readonly string[];
}

/** Options of {@link copyModule}. */
export interface CopyModuleOptions extends ModuleLimits {
  /** Clock. @default {the system's clock} */
  clock?: Clock | undefined;
}

/**
 * Copies a module under a name of its own, so that `import()` loads its present content: both runtimes load a path once.
 *
 * The module is copied with all files that it reaches by relative imports of literals, and with their layout, into
 * `.zeromesh/HASH/` under the nearest folder above it with a package.json or deno.json. There the imports of packages and
 * names of import maps mean the same as in the original, and files that they lead to are loaded once, as ever. The copy is
 * removed when the program ends; what a killed program left is removed by the next one.
 *
 * @param module Absolute path or `file:` URL of the module.
 * @throws {ZeromeshError} `ACTOR_UPDATE_FAILED` if a file is missing, lies outside of the package, cannot be read or
 * written, if there are too many, or if this program was compiled into one file.
 */
export async function copyModule(module: string | URL, options: CopyModuleOptions = {}): Promise<ModuleCopy> {
  const { clock = systemClock, ...limits } = options;
  const path = typeof module === "string" && !module.startsWith("file:") ? module : fileURLToPath(module);
  if (runsFromBinary()) {
    throw moduleError(
      `Cannot load the module ${path}: this program was compiled into one file, which loads no others; ` +
        `give a definition, or a name of the catalogue`,
    );
  }
  const read = readOptions(limits, moduleLimitTable, "Cannot copy a module");
  const { root, entry, contents } = await readModuleFiles(path, withDefaults(read, moduleLimitTable));
  const hash = hashOf(contents);
  try {
    const folder = await (await copiesOf(root)).use(hash, contents, clock);
    const files = [...contents.keys()].map((name) => join(root, name));
    return { specifier: pathToFileURL(join(folder, entry)).href, hash, files };
  } catch (error) {
    throw fileError(`Cannot copy the module ${path} to ${join(root, ".zeromesh")}`, error);
  }
}

const roots = new Map<string, Copies>();

/** The copies under a package root: one object for each in a process, because it holds a lock. */
async function copiesOf(root: string): Promise<Copies> {
  const locks = await openFileLocks();
  let copies = roots.get(root);
  if (copies === undefined) roots.set(root, copies = new Copies(root, locks));
  return copies;
}

function hashOf(contents: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const name of [...contents.keys()].sort()) {
    const content = contents.get(name)!;
    // With their lengths, so that no two sets of files make the same input.
    hash.update(`${name.length} ${content.length}\n${name}`).update(content);
  }
  return hash.digest("hex");
}
