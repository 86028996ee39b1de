import { option, type OptionTable } from "../../core/mod.ts";
import type { ActorContract } from "../contract/contract.ts";
import type { AskName, TellName } from "../references/actor_ref.ts";
import type { SchemaOutput } from "../../core/mod.ts";
import { type SpawnOptions, spawnOptionTable } from "../options/spawn_options.ts";
import { backoffTable, type RestartBackoff } from "../options/supervision_options.ts";
import { isPoolRoute, type KeyRoute } from "./pool_route.ts";

/** The values that the messages of a contract carry. */
export type PoolInput<C extends ActorContract> =
  | { [K in TellName<C>]: SchemaOutput<C["tell"][K]> }[TellName<C>]
  | { [K in AskName<C>]: SchemaOutput<C["ask"][K]["input"]> }[AskName<C>]
  | { [K in keyof C["channel"]]: SchemaOutput<C["channel"][K]["fromOpener"]> }[keyof C["channel"]];

/** The options of `pool`. Name, id and `replace` are the pool's; the others of `spawn` are those of each member. */
export interface PoolOptions<C extends ActorContract = ActorContract, Args = unknown>
  extends SpawnOptions<Args> {
  /** Members, 1 to 65 536. */
  size: number;
  /**
   * Which member gets a message: each in turn, the one with the fewest messages, or the one of the message's key.
   * @default {"roundRobin"}
   */
  route?: "roundRobin" | "leastLoaded" | KeyRoute<PoolInput<C>> | undefined;
  /** The time until an ended member is replaced, which grows while replacements fail or soon end. */
  backoff?: RestartBackoff | undefined;
}

/** The arguments of `pool` after the definition: `args` is required if `init` takes one. */
export type PoolArguments<C extends ActorContract, Args> = unknown extends Args
  ? [options: PoolOptions<C, Args>]
  : undefined extends Args ? [options: PoolOptions<C, Args>]
  : [options: PoolOptions<C, Args> & { readonly args: Args }];

/** The options of `pool`. */
export const poolOptionTable: OptionTable<PoolOptions> = {
  ...spawnOptionTable,
  size: option.whole(1, 65_536),
  route: option.kind('"roundRobin", "leastLoaded" or byKey(function)', isPoolRoute),
  backoff: option.options(backoffTable),
};
