import type { DropReason } from "../wire/mod.ts";

/** Why an inbound message or an outbound reply was dropped. */
export type Drop =
  | DropReason
  | "headerTooLarge"
  | "payloadTooLarge"
  | "unfinished"
  | "backlogFull"
  | "tooManyConnections"
  | "identityMismatch"
  | "senderGone"
  | "noRoute"
  | "replyUnknown"
  | "queueFull"
  | "overloaded"
  | "handlerKind"
  | "handlerStopped"
  | "forbidden"
  | "creditInvalid"
  | "slowPeer"
  | "linkLost";

/** Counts drops by reason. */
export class DropCounters {
  readonly #counts = new Map<Drop, number>();

  /** Counts a drop. */
  count(reason: Drop, times = 1): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + times);
  }

  /** The counts so far; a reason that never occurred is absent. */
  snapshot(): Readonly<Partial<Record<Drop, number>>> {
    return Object.fromEntries(this.#counts);
  }
}
