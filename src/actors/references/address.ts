import { describeValue, type InstanceId, isInstanceId } from "../../core/mod.ts";

/** An actor's id: a lowercase UUID. */
export type ActorId = string & { readonly "~brand": "ActorId" };

/** The most characters of an actor's name. */
export const maxActorNameLength = 128;

const grammar = /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/;

/** A new random id. */
export function newActorId(): ActorId {
  return crypto.randomUUID() as ActorId;
}

/** Whether a value is a lowercase hyphenated UUID. */
export function isActorId(value: unknown): value is ActorId {
  return isInstanceId(value);
}

/**
 * Whether a value is a valid name: 1 to 128 ASCII letters, digits and `._:/-`, beginning with a letter or digit, and
 * not a UUID, which would be taken for an id.
 */
export function isActorName(value: unknown): value is string {
  return typeof value === "string" && value.length <= maxActorNameLength && grammar.test(value) &&
    !isActorId(value.toLowerCase());
}

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

/** The parts of an address. */
export interface AddressParts {
  /** The actor's id or name. */
  readonly target: string;
  /** The instance of its system. */
  readonly instance: InstanceId;
}

/**
 * The parts of `nameOrId@instanceId`.
 *
 * @throws {TypeError} If it is no such text.
 */
export function parseAddress(text: unknown): AddressParts {
  if (typeof text === "string") {
    const at = text.lastIndexOf("@");
    const target = text.slice(0, Math.max(at, 0));
    const instance = text.slice(at + 1).toLowerCase();
    const id = target.toLowerCase();
    if (isInstanceId(instance)) {
      if (isActorId(id)) return { target: id, instance };
      if (isActorName(target)) return { target, instance };
    }
  }
  throw new TypeError(
    `Cannot use ${describeValue(text)} as an actor's address: it must be nameOrId@instanceId`,
  );
}
