import { resolve } from "node:path";
import { readOptions, withDefaults } from "../../core/mod.ts";
import type { Cell } from "../cell/cell.ts";
import { type ActorDefinition, isActorDefinition } from "../definition/behaviour.ts";
import { loadDefinition, type Loaded } from "./loading.ts";
import { rollbackPool, updatePool } from "./pool_update.ts";
import { type ResolvedUpdateOptions, type UpdateOptions, updateOptionTable } from "./update_options.ts";
import { type RollbackResult, type UpdateResult, Updates } from "./updates.ts";

/**
 * Updates an actor.
 *
 * @param what A definition; or a module, by its path or `file:` URL, whose default export is one.
 * @throws {TypeError} If it is neither, or an option is unknown or has the wrong type.
 */
export async function updateActor(
  cell: Cell,
  what: ActorDefinition | string | URL,
  given: UpdateOptions | undefined,
): Promise<UpdateResult> {
  const cannot = "Cannot update an actor";
  const options = withDefaults(readOptions(given, updateOptionTable, cannot), updateOptionTable);
  options.signal?.throwIfAborted();
  if (isActorDefinition(what)) return await update(cell, null, { definition: what, source: null }, options);
  if (typeof what !== "string" && !(what instanceof URL)) {
    throw new TypeError(`${cannot}: it takes a definition made by actor(), or the path of a module`);
  }
  const module = typeof what === "string" && !what.startsWith("file:") ? resolve(what) : what;
  const loaded = loadDefinition(module, { maxFiles: options.maxFiles, maxBytes: options.maxBytes });
  return await update(cell, String(module), loaded, options);
}

/** Updates an actor with what a catalogue names. */
export function updateByName(
  cell: Cell,
  name: string,
  loaded: Promise<Loaded>,
  given: UpdateOptions,
): Promise<UpdateResult> {
  return update(cell, name, loaded, withDefaults(given, updateOptionTable));
}

function update(
  cell: Cell,
  source: string | null,
  loaded: Loaded | Promise<Loaded>,
  options: ResolvedUpdateOptions,
): Promise<UpdateResult> {
  // An earlier update may still be running.
  if (loaded instanceof Promise) loaded.catch(() => {});
  const updated = cell.pool === null
    ? Updates.of(cell).update(source, loaded, options)
    : updatePool(cell, cell.pool, source, loaded, options);
  return cell.host.holding.during(updated);
}

/** Undoes the last update of an actor or a pool. @throws {ZeromeshError} `ACTOR_UPDATE_FAILED` without one. */
export function rollbackActor(cell: Cell): Promise<RollbackResult> {
  return cell.pool === null ? Updates.of(cell).rollback() : rollbackPool(cell, cell.pool);
}
