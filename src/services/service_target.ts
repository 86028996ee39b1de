import { option, type OptionTable, readOptions } from "../core/mod.ts";
import { type Destination, isDestination } from "../messenger/mod.ts";

/** How one of several instances is chosen. */
export type Balance = "round-robin" | "random" | "least-in-flight";

const kind = "service";

/** A call's destination that is not one instance but any of those that offer a service. */
export interface ServiceTarget extends Destination {
  /** Its kind. */
  readonly destination: "service";
  /** The service's name. */
  readonly service: string;
  /** How one of its instances is chosen. */
  readonly balance: Balance;
}

/** How to name a service. */
export interface ServiceOptions {
  /** How one of its instances is chosen: in turn, at random, or who has the fewest calls of this one. @default {"round-robin"} */
  balance?: Balance | undefined;
}

const serviceOptionTable: OptionTable<ServiceOptions> = {
  balance: option.oneOf("round-robin", "random", "least-in-flight"),
};

/**
 * Names a service as the destination of a call: `{ to: service("resize") }`.
 *
 * Each call goes to one instance that offers it. Instances on this host come first; those that are draining or
 * disconnected, or whose last 5 calls failed (tried again after 2 s), are passed over. The messenger needs
 * `discovery`.
 *
 * @throws {TypeError} If the name is no text, or there is no such way to choose.
 */
export function service(name: string, options?: ServiceOptions): ServiceTarget {
  if (typeof name !== "string" || name === "") {
    throw new TypeError("Cannot call a service: its name must be a text that is not empty");
  }
  const { balance = "round-robin" } = readOptions(options, serviceOptionTable, "Cannot call service", name);
  return Object.freeze({ destination: kind, service: name, balance });
}

/** Whether a call's destination is a service. */
export function isService(to: unknown): to is ServiceTarget {
  return isDestination(to) && to.destination === kind;
}
