import { resolve } from "node:path";
import { readOptions, withDefaults } from "../../core/mod.ts";
import type { TurnCell } from "../cell/parts.ts";
import { type ActorDefinition, isActorDefinition } from "../definition.ts";
import { loadDefinition } from "./loading.ts";
import { type UpdateOptions, updateOptionTable } from "./update_options.ts";
import { type UpdateResult, Updates } from "./updates.ts";

/**
 * Updates an actor.
 *
 * @param what A definition; or a module, by its path or `file:` URL, whose default export is one.
 * @throws {TypeError} If it is neither, or an option is unknown or has the wrong type.
 */
export async function updateActor(
  cell: TurnCell,
  what: ActorDefinition | string | URL,
  given: UpdateOptions | undefined,
): Promise<UpdateResult> {
  const cannot = "Cannot update an actor";
  const options = withDefaults(readOptions(given, updateOptionTable, cannot), updateOptionTable);
  options.signal?.throwIfAborted();
  if (isActorDefinition(what)) {
    const loaded = { definition: what, source: null };
    return await cell.host.holding.during(Updates.of(cell).update(null, loaded, options));
  }
  if (typeof what !== "string" && !(what instanceof URL)) {
    throw new TypeError(`${cannot}: it takes a definition made by actor(), or the path of a module`);
  }
  const module = typeof what === "string" && !what.startsWith("file:") ? resolve(what) : what;
  const loaded = loadDefinition(module, { maxFiles: options.maxFiles, maxBytes: options.maxBytes });
  loaded.catch(() => {}); // an earlier update may still be running
  return await cell.host.holding.during(Updates.of(cell).update(String(module), loaded, options));
}
