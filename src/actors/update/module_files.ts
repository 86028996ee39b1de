import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { errorText, type Filled } from "../../core/mod.ts";
import { isScript, type LocalImport, localImports } from "./local_imports.ts";
import { fileError, fileErrorCode, moduleError } from "./module_error.ts";
import type { ModuleLimits, moduleLimitTable } from "./module_limits.ts";

/** A module and the local files that it reaches by relative imports. */
export interface ModuleFiles {
  /** The nearest folder above the module with a package.json or deno.json. */
  readonly root: string;
  /** Path of the module, relative to the root. */
  readonly entry: string;
  /** The files by their paths relative to the root. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

const manifests = ["package.json", "deno.json", "deno.jsonc"];

/**
 * Reads a module and the files that it reaches.
 *
 * @param path Absolute path of the module.
 * @param folders Gets the folders of the files, also if it fails: that of the file which made it fail is the last one.
 * @throws {ZeromeshError} `ACTOR_UPDATE_FAILED` if a file is missing, cannot be read or lies outside of the package, or
 * a limit is exceeded.
 */
export async function readModuleFiles(
  path: string,
  limits: Filled<ModuleLimits, typeof moduleLimitTable>,
  folders: Set<string> = new Set(),
): Promise<ModuleFiles> {
  const cannot = `Cannot copy the module ${path}`;
  try {
    const entry = await realpath(path);
    const root = await packageRoot(dirname(entry));
    if (root === undefined) {
      throw moduleError(`${cannot}: no folder above it has a package.json or deno.json; add one`);
    }
    const reading = new Reading(cannot, root, limits, folders);
    await reading.read(entry);
    return { root, entry: relative(root, entry), contents: reading.contents };
  } catch (error) {
    throw fileError(cannot, error);
  }
}

async function packageRoot(folder: string): Promise<string | undefined> {
  for (const name of manifests) {
    if (await isFile(join(folder, name))) return folder;
  }
  const parent = dirname(folder);
  return parent === folder ? undefined : await packageRoot(parent);
}

class Reading {
  readonly contents = new Map<string, Uint8Array>();
  readonly #cannot: string;
  readonly #root: string;
  readonly #limits: Filled<ModuleLimits, typeof moduleLimitTable>;
  readonly #folders: Set<string>;
  #bytes = 0;

  constructor(
    cannot: string,
    root: string,
    limits: Filled<ModuleLimits, typeof moduleLimitTable>,
    folders: Set<string>,
  ) {
    this.#cannot = cannot;
    this.#root = root;
    this.#limits = limits;
    this.#folders = folders;
  }

  /** Reads a file and all files that it reaches. */
  async read(entry: string): Promise<void> {
    const waiting = [entry];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const name = relative(this.#root, path);
      if (this.contents.has(name)) continue;
      const content = await this.#take(path, name);
      if (!isScript(path)) continue;
      for (const one of await this.#importsOf(path, content)) {
        waiting.push(...await this.#filesOf(one, path));
      }
    }
  }

  async #take(path: string, name: string): Promise<Uint8Array> {
    this.#folders.add(dirname(path)).add(dirname(await realpath(path)));
    const { maxFiles, maxBytes } = this.#limits;
    if (this.contents.size >= maxFiles) {
      throw moduleError(
        `${this.#cannot}: it reaches more than ${maxFiles} files by relative imports (maxFiles); ` +
          `import what does not change as a package, or raise the limit`,
      );
    }
    // Before the file is read, because it may be huge.
    const tooLarge = this.#bytes + (await stat(path)).size > maxBytes;
    const content = tooLarge ? new Uint8Array() : await readFile(path);
    this.#bytes += content.length;
    if (tooLarge || this.#bytes > maxBytes) {
      throw moduleError(
        `${this.#cannot}: with ${name} it and the files that it imports are larger than ${maxBytes} bytes (maxBytes)`,
      );
    }
    this.contents.set(name, content);
    return content;
  }

  async #importsOf(path: string, content: Uint8Array): Promise<LocalImport[]> {
    try {
      return await localImports(new TextDecoder().decode(content));
    } catch (cause) {
      throw moduleError(
        `${this.#cannot}: the imports of ${path} cannot be read (${errorText(cause)}); correct its syntax`,
        cause,
      );
    }
  }

  /** The files that an import may mean; several where the runtimes look for a suffix, so that the copy has the same. */
  async #filesOf({ path, optional, typeOnly }: LocalImport, importer: string): Promise<string[]> {
    const literal = join(dirname(importer), path);
    const named = await isFile(literal) ? [literal] : await existing(candidates(literal));
    const files = named.length > 0 ? named : await existing([decoded(literal)]);
    if (files.length === 0) {
      if (!typeOnly) this.#folders.add(dirname(literal));
      if (optional) return [];
      throw moduleError(`${this.#cannot}: ${importer} imports ${path}, and there is no such file`);
    }
    const outside = await this.#outside(files);
    if (outside === undefined) return files;
    if (typeOnly) return [];
    throw moduleError(
      `${this.#cannot}: ${importer} imports ${outside}, which lies outside of its package ${this.#root}; ` +
        `import it as a package`,
    );
  }

  /** The first of some files that lies outside of the package, by its path or behind a link. */
  async #outside(files: readonly string[]): Promise<string | undefined> {
    for (const file of files) {
      for (const path of [file, await realpath(file)]) {
        if (!path.startsWith(this.#root + (this.#root.endsWith(sep) ? "" : sep))) return path;
      }
    }
    return undefined;
  }
}

const suffixes = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];

/** What Bun tries for a path that is no file: suffixes, an index, and TypeScript for JavaScript. */
function candidates(path: string): string[] {
  const typed = path.replace(/\.([cm]?)js(x?)$/, ".$1ts$2");
  return [
    ...(typed === path ? [] : [typed]),
    ...suffixes.map((suffix) => path + suffix),
    ...suffixes.map((suffix) => join(path, `index${suffix}`)),
  ];
}

/** Deno reads a specifier as a URL. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if (await isFile(path)) found.push(path);
  return found;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(fileErrorCode(error) ?? "")) return false;
    throw error;
  }
}
