/** Why an actor has ended. */
export interface ActorEnd {
  /**
   * - `stopped`: by `stop`, or with its system or parent.
   * - `finished`: by itself, with `ctx.stop(result)`.
   * - `failed`: a handler failed, and the policy was to stop.
   * - `terminated`: by `terminate`.
   * - `replaced`: another actor has taken its name.
   * - `peerLost`: the connection to its instance is lost, or there is no way to it.
   * - `notFound`: it did not exist.
   * - `refused`: its instance lets nobody watch it, or not this one, and it may live on; `error` has the code, such as
   *   `FORBIDDEN` or `LIMIT_REACHED`.
   */
  readonly reason:
    | "stopped"
    | "finished"
    | "failed"
    | "terminated"
    | "replaced"
    | "peerLost"
    | "notFound"
    | "refused";
  /** The error, for `failed`; what is known, for `peerLost`, `notFound` and `refused`. */
  readonly error?: unknown;
  /** The result, for `finished`. To another instance it travels as MessagePack, up to 1 MiB, and is left out otherwise. */
  readonly result?: unknown;
}
