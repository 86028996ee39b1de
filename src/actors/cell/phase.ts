/**
 * The phases of an actor's life. Its messages wait while it is `paused`, while it is `failed`, which means that its
 * handler failed and it is to be restarted, and while it is `restarting`.
 */
export type ActorPhase =
  | "starting"
  | "running"
  | "paused"
  | "failed"
  | "restarting"
  | "stopping"
  | "stopped";
