import type { ActorDefinition } from "../definition/behaviour.ts";

/** The kind of a message for a pool. */
export type PoolMessageKind = "tell" | "ask" | "open";

/** The members of an actor that stands for a pool. */
export interface CellPool<Member> {
  /** Places for members. */
  readonly size: number;
  /** Members that took the place of an ended one. */
  readonly replaced: number;
  /** What members are started with. */
  readonly definition: ActorDefinition;
  /** What they were started with before; null without an update. */
  readonly previous: ActorDefinition | null;
  /** Starts members with another definition from now on. */
  redefine(definition: ActorDefinition): void;
  /** The members that take messages. */
  members(): readonly Member[];
  /** The member for a message. @throws {ZeromeshError} `ACTOR_STOPPED`, `HANDLER_FAILED`. */
  pick(kind: PoolMessageKind, name: string, input: unknown): Member;
}
