/** Why an actor has ended. */
export interface ActorEnd {
  /**
   * - `stopped`: by `stop`, or with its system or parent.
   * - `finished`: by itself, with `ctx.stop(result)`.
   * - `failed`: a handler failed, and the policy was to stop.
   * - `terminated`: by `terminate`.
   * - `replaced`: another actor has taken its name.
   * - `peerLost`: the connection to its instance is lost.
   * - `notFound`: it did not exist.
   */
  readonly reason: "stopped" | "finished" | "failed" | "terminated" | "replaced" | "peerLost" | "notFound";
  /** The error, for `failed`. */
  readonly error?: unknown;
  /** The result, for `finished`. */
  readonly result?: unknown;
}
