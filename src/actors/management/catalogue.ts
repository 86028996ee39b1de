import { isAbsolute, relative, resolve } from "node:path";
import { realpath } from "node:fs/promises";
import { describeValue, ZeromeshError } from "../../core/mod.ts";
import { type ActorDefinition, isActorDefinition } from "../definition/behaviour.ts";
import { loadDefinition, type Loaded } from "../update/loading.ts";

/** What can be started and loaded by name: definitions, and modules by their path or `file:` URL. */
export type ActorCatalogue = Readonly<Record<string, ActorDefinition | string | URL>>;

/** Finds what a command names. Loading code by name is running code: nothing else can be loaded. */
export class Catalogue {
  readonly #entries: ReadonlyMap<string, ActorDefinition | string | URL>;
  readonly #folders: readonly string[];

  /** @throws {TypeError} If an entry is neither a definition nor a module. */
  constructor(entries: ActorCatalogue, folders: readonly string[]) {
    for (const [name, entry] of Object.entries(entries)) {
      if (isActorDefinition(entry) || typeof entry === "string" || entry instanceof URL) continue;
      throw new TypeError(
        `Cannot serve management: entry "${name}" of the catalogue must be made by actor(), or be the path ` +
          `of a module, got ${describeValue(entry)}`,
      );
    }
    this.#entries = new Map(Object.entries(entries));
    this.#folders = folders.map((folder) => resolve(folder));
  }

  /**
   * What a name or a path means, with the present content of a module.
   *
   * @throws {ZeromeshError} `FORBIDDEN` if it is neither in the catalogue nor below a folder; `ACTOR_UPDATE_FAILED` if it
   * cannot be loaded.
   */
  async load(name: string): Promise<Loaded> {
    const entry = this.#entries.get(name) ?? await this.#below(name);
    if (isActorDefinition(entry)) return { definition: entry, source: name };
    const path = typeof entry === "string" && !entry.startsWith("file:") ? resolve(entry) : entry;
    return await loadDefinition(path, {});
  }

  /** The path of a module below one of the folders, without symbolic links. */
  async #below(name: string): Promise<string> {
    for (const folder of this.#folders) {
      try {
        const [real, root] = [await realpath(resolve(folder, name)), await realpath(folder)];
        const path = relative(root, real);
        if (path !== "" && !path.startsWith("..") && !isAbsolute(path)) return real;
      } catch {
        // It is not there.
      }
    }
    const known = [...this.#entries.keys()].slice(0, 10).map((one) => `"${one}"`).join(", ") || "none";
    throw new ZeromeshError(
      "FORBIDDEN",
      `Cannot load "${name}": it is no name of the server's catalogue, which has ${known}`,
    );
  }
}
