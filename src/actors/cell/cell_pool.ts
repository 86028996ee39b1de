/** The kind of a message for a pool. */
export type PoolMessageKind = "tell" | "ask" | "open";

/** The members of an actor that stands for a pool. */
export interface CellPool<Member> {
  /** Places for members. */
  readonly size: number;
  /** Members that took the place of an ended one. */
  readonly replaced: number;
  /** The members that take messages. */
  members(): readonly Member[];
  /** The member for a message. @throws {ZeromeshError} `ACTOR_STOPPED`, `HANDLER_FAILED`. */
  pick(kind: PoolMessageKind, name: string, input: unknown): Member;
}
