import { errorText, pause, withDefaults, ZeromeshError } from "../../core/mod.ts";
import type { Cell } from "../cell/cell.ts";
import type { CellPool } from "../cell/cell_pool.ts";
import { type ActorDefinition, behaviourOf } from "../definition/behaviour.ts";
import type { Loaded } from "./loading.ts";
import { probationOptionTable, type ResolvedUpdateOptions } from "./update_options.ts";
import { type RollbackResult, type UpdateResult, Updates } from "./updates.ts";

// Between two looks at members on probation.
const lookMs = 20;

/**
 * Updates the members of a pool: some first, and the others once those have got through their probation. If one update
 * fails or is undone, all members have the old definition again.
 *
 * @throws {ZeromeshError} `ACTOR_UPDATE_FAILED`, and the errors of an update.
 */
export async function updatePool(
  cell: Cell,
  pool: CellPool<Cell>,
  source: string | null,
  loading: Loaded | Promise<Loaded>,
  options: ResolvedUpdateOptions,
): Promise<UpdateResult> {
  const { events } = cell.host;
  const old = pool.definition;
  const updated: Cell[] = [];
  const update = async (members: readonly Cell[]): Promise<void> => {
    await Promise.all(members.map(async (member) => {
      await Updates.of(member).update(source, loading, options);
      updated.push(member);
    }));
  };
  events.publish(cell, { type: "updateStarted", source });
  try {
    await update(pool.members().slice(0, options.canary));
    const { definition } = await loading;
    await probation(updated, definition, options);
    // Members that are started from now on have it too.
    pool.redefine(definition);
    await update(pool.members().filter(({ behaviour }) => behaviour !== definition[behaviourOf]));
    const result = { fromVersion: old.version, toVersion: definition.version };
    events.publish(cell, { type: "updated", ...result });
    return result;
  } catch (error) {
    pool.redefine(old);
    await undo(pool.members().filter((one) => updated.includes(one) && one.behaviour !== old[behaviourOf]));
    events.publish(cell, { type: "updateFailed", source, error: errorText(error) });
    throw error;
  }
}

/** Undoes the last update of a pool. @throws {ZeromeshError} `ACTOR_UPDATE_FAILED` without one. */
export async function rollbackPool(cell: Cell, pool: CellPool<Cell>): Promise<RollbackResult> {
  const { previous, definition: { version } } = pool;
  if (previous === null) throw failed(cell, "there is no update to undo");
  pool.redefine(previous);
  const state = await undo(pool.members());
  const result: RollbackResult = { fromVersion: version, toVersion: previous.version, state };
  cell.host.events.publish(cell, { type: "rolledBack", ...result, error: null });
  return result;
}

/** Undoes the updates of members. One that was started since then ends, and the pool replaces it. */
async function undo(members: readonly Cell[]): Promise<RollbackResult["state"]> {
  let state: RollbackResult["state"] = "saved";
  await Promise.all(members.map(async (member) => {
    try {
      state = (await Updates.of(member).rollback()).state;
    } catch {
      void member.stop({ reason: "stopped" });
    }
  }));
  return state;
}

/** Waits until the probation of the first members is over. */
async function probation(
  members: readonly Cell[],
  definition: ActorDefinition,
  { probation: given, signal }: ResolvedUpdateOptions,
): Promise<void> {
  const [first] = members;
  if (given === undefined || first === undefined) return;
  const { clock } = first.host;
  const until = clock.now() + withDefaults(given, probationOptionTable).withinMs;
  for (let left = until - clock.now(); left > 0; left = until - clock.now()) {
    await pause(clock, Math.min(lookMs, left), signal);
    const lost = members.find(({ behaviour, takes }) => !takes || behaviour !== definition[behaviourOf]);
    if (lost !== undefined) throw failed(lost, "the update of the pool's first members was undone");
  }
}

function failed({ id }: Cell, why: string): ZeromeshError {
  return new ZeromeshError("ACTOR_UPDATE_FAILED", `Cannot update the pool: ${why} (actor ${id})`, {
    details: { actor: id },
  });
}
