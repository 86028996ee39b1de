import { readOptions, requireOption, withDefaults } from "../../core/mod.ts";
import type { Sender } from "../cell/parts.ts";
import type { Cell } from "../cell/cell.ts";
import type { ActorContract } from "../contract/contract.ts";
import { type ActorDefinition, isActorDefinition } from "../definition/behaviour.ts";
import { makeRef, Reference } from "../routing/reference.ts";
import type { ActorRef, InputArguments, TellInput, TellName, TellOptions } from "../references/actor_ref.ts";
import type { SystemRouter } from "../routing/router.ts";
import type { SpawnOptions } from "../options/spawn_options.ts";
import { backoffTable } from "../options/supervision_options.ts";
import { Pool } from "./pool.ts";
import { type PoolOptions, poolOptionTable } from "./pool_options.ts";

/**
 * A pool of actors behind one reference: each message goes to one of its members. The reference can be passed on, also
 * to other instances, as its address or name.
 */
export interface ActorPool<C extends ActorContract = ActorContract> extends ActorRef<C> {
  /** Places for members, with those of members that are being replaced. */
  readonly size: number;
  /** The members that take messages. */
  members(): readonly ActorRef<C>[];
  /**
   * Tells all members.
   *
   * @returns How many members have it in their mailboxes; the others' tells are among the dead letters.
   * @throws {ZeromeshError} As {@link ActorRef.tell}, if no member has it.
   */
  broadcast<K extends TellName<C>>(
    name: K,
    ...input: InputArguments<TellInput<C, K>, TellOptions>
  ): Promise<number>;
}

class PoolReference extends Reference {
  readonly #pool: Pool;
  readonly #sender: (cell: Cell) => Reference;

  constructor(router: SystemRouter, contract: ActorContract, cell: Cell, pool: Pool) {
    const instance = cell.host.instanceId;
    super(router, contract, { target: cell.id, instance }, null);
    this.#pool = pool;
    this.#sender = ({ id }) =>
      makeRef(router, contract, { target: id, instance } as never, null) as unknown as Reference;
  }

  get size(): number {
    return this.#pool.size;
  }

  members(): readonly Reference[] {
    return this.#pool.members().map(this.#sender);
  }

  async broadcast(name: string, input?: unknown, options?: TellOptions): Promise<number> {
    const told = await Promise.allSettled(this.members().map((member) => member.tell(name, input, options)));
    const taken = told.filter(({ status }) => status === "fulfilled").length;
    const [failed] = told.filter((one) => one.status === "rejected");
    if (taken === 0 && failed !== undefined) throw failed.reason;
    return taken;
  }
}

/** What a pool needs of its system. */
export interface PoolSystem {
  readonly router: SystemRouter;
  find(target: string): Cell | null;
  spawn(definition: ActorDefinition, options: SpawnOptions, parent: Sender["cell"] | null): Promise<ActorRef>;
}

/**
 * Starts a pool.
 *
 * @throws {ZeromeshError} As for spawning an actor; then nothing is left of the pool.
 */
export async function startPool(
  system: PoolSystem,
  definition: ActorDefinition,
  given: PoolOptions | undefined,
): Promise<ActorPool> {
  const cannot = "Cannot start a pool";
  if (!isActorDefinition(definition)) {
    throw new TypeError(`${cannot}: the definition must be made by actor()`);
  }
  const options = readOptions(given, poolOptionTable, cannot);
  const size = requireOption(options, "size", poolOptionTable, cannot);
  const { name, id, replace, route = "roundRobin", backoff, ...rest } = options;
  const { args, mailbox, supervision, timeoutMs, signal } = rest;
  const pool = new Pool({
    definition,
    size,
    route: route as never,
    backoff: withDefaults(backoff ?? {}, backoffTable),
    // The signal is the start's; replacements come later.
    member: { args, mailbox, supervision, timeoutMs },
    find: (target) => system.find(target),
  });
  const { target } = await system.spawn(pool.standIn(), { name, id, replace, timeoutMs, signal }, null);
  const cell = system.router.find(target);
  return new PoolReference(system.router, definition.contract, cell, pool) as unknown as ActorPool;
}
