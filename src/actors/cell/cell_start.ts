import type { SupervisionOptions } from "../options/supervision_options.ts";

/** What an actor was started with, for its restarts. */
export interface CellStart {
  /** The argument of `init`. */
  readonly args: unknown;
  /** Time for `init`, in milliseconds. */
  readonly timeoutMs: number;
  /** Supervision, before that of the definition. */
  readonly supervision: SupervisionOptions | undefined;
}
