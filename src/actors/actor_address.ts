import type { InstanceId } from "../core/mod.ts";

/** The address of an actor as a value. */
export interface ActorAddress {
  /** `nameOrId@instanceId`. */
  readonly address: string;
  /** The actor's id or name. */
  readonly target: string;
  /** The instance of its system. */
  readonly instance: InstanceId;
  /** Whether the other one is the same address. */
  equals(other: ActorAddress | string): boolean;
  /** The address. */
  toString(): string;
  /** The address, so that a reference can be sent inside a payload. */
  toJSON(): string;
}
