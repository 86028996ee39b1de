import { errorText, ZeromeshError } from "../../core/mod.ts";
import { type ActorDefinition, isActorDefinition } from "../definition/behaviour.ts";
import { copyModule } from "./module_copy.ts";
import type { ModuleLimits } from "./module_limits.ts";

/** A definition, and the module that it came from. */
export interface Loaded {
  readonly definition: ActorDefinition;
  /** The module as it was given; null for a definition. */
  readonly source: string | null;
}

/**
 * The present content of a module: its default export must be made by `actor`.
 *
 * @param module Absolute path or `file:` URL.
 * @throws {ZeromeshError} `ACTOR_UPDATE_FAILED` if it cannot be copied or loaded, or exports no actor.
 */
export async function loadDefinition(module: string | URL, limits: ModuleLimits): Promise<Loaded> {
  const source = String(module);
  const { specifier } = await copyModule(module, limits);
  let exported: unknown;
  try {
    exported = (await import(specifier) as { default?: unknown }).default;
  } catch (error) {
    throw new ZeromeshError("ACTOR_UPDATE_FAILED", `Cannot load ${source}: ${errorText(error)}`, {
      cause: error,
    });
  }
  if (isActorDefinition(exported)) return { definition: exported, source };
  throw new ZeromeshError(
    "ACTOR_UPDATE_FAILED",
    `Cannot load ${source}: its default export must be made by actor()`,
  );
}
