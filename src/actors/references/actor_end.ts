/** Why an actor has ended. */
export interface ActorEnd {
  /**
   * - `stopped`: by `stop`, or with its system or parent.
   * - `finished`: by itself, with `ctx.stop(result)`.
   * - `failed`: a handler failed, and the policy was to stop.
   * - `terminated`: by `terminate`.
   * - `replaced`: another actor has taken its name.
   * - `peerLost`: the connection to its instance is lost, or there is no way to it.
   * - `notFound`: it did not exist, or may not be watched.
   */
  readonly reason: "stopped" | "finished" | "failed" | "terminated" | "replaced" | "peerLost" | "notFound";
  /** The error, for `failed`; what is known of the loss or refusal, for `peerLost` and `notFound`. */
  readonly error?: unknown;
  /** The result, for `finished`. To another instance it travels as MessagePack, up to 1 MiB, and is left out otherwise. */
  readonly result?: unknown;
}
