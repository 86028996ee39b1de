import type { AnySchema } from "../../core/mod.ts";
import type { Durations } from "../observe/durations.ts";
import type { AskedCall, Authorization } from "./authorization.ts";
import type { Handler } from "./handler_context.ts";
import type { HandlerCounts } from "./handler_stats.ts";
import type { LaneItem, Lanes } from "./lanes.ts";
import type { Held } from "./admission.ts";

/** A handler while it is registered. */
export interface HandlerEntry<Call extends AskedCall & LaneItem<Call>> {
  /** The handler. */
  readonly handler: Handler;
  /** Whether it is the library's own. */
  readonly system: boolean;
  /** Whether its messages run at once: they take no room, wait in no lane and give no credit back. */
  readonly immediate: boolean;
  /** Whether the messenger's own limits do not count for it. */
  readonly unlimited: boolean;
  /** Whether it finishes work accepted earlier, and therefore runs while the instance drains. */
  readonly whileDraining: boolean;
  /** Decides which messages it gets; null for all, as for the library's own. */
  readonly authorization: Authorization<Call> | null;
  /** What its payload must be. */
  readonly schema: AnySchema | null;
  /** How its messages ended. */
  readonly counts: HandlerCounts;
  /** Its messages that are held here. */
  readonly held: Held;
  /** Who runs when; null for a handler without limits, undefined until its first message. */
  lanes: Lanes<Call> | null | undefined;
  /** Why it takes nothing more; null while it does. */
  stopped: string | null;
  /** How long its function takes; null while nobody has asked. */
  durations: Durations | null;
}
