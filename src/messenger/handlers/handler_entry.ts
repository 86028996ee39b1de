import type { AnySchema } from "../../core/mod.ts";
import type { Durations } from "../observe/durations.ts";
import type { AskedCall, Authorization } from "./authorization.ts";
import type { Handler } from "./handler_context.ts";
import type { HandlerCounts } from "./handler_stats.ts";
import type { LaneItem, Lanes } from "./lanes.ts";
import type { Held } from "./admission.ts";

/** A registered handler. */
export interface HandlerEntry<Call extends AskedCall & LaneItem<Call>> {
  /** The handler. */
  readonly handler: Handler;
  /** Whether it is the library's own. */
  readonly system: boolean;
  /** Whether its messages run at once: without admission, lanes and credit. */
  readonly immediate: boolean;
  /** Whether the messenger's own limits do not apply. */
  readonly unlimited: boolean;
  /** Whether it finishes work accepted earlier, so that it runs while the instance drains. */
  readonly whileDraining: boolean;
  /** Authorizes its messages; null for the library's own, and without `authorize`. */
  readonly authorization: Authorization<Call> | null;
  /** Schema of its payload. */
  readonly schema: AnySchema | null;
  /** Counters of its messages. */
  readonly counts: HandlerCounts;
  /** Its held messages. */
  readonly held: Held;
  /** Its lanes; null without limits, undefined until its first message. */
  lanes: Lanes<Call> | null | undefined;
  /** Why it was stopped; null while it runs. */
  stopped: string | null;
  /** Durations of its function; null without a meter. */
  durations: Durations | null;
}
