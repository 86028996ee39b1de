import { option, type OptionTable, readOptions } from "../core/mod.ts";
import { type Destination, isDestination } from "../messenger/mod.ts";

/** Choice among several instances. */
export type Balance = "round-robin" | "random" | "least-in-flight";

const kind = "service";

/** A destination that stands for one of the instances of a service. */
export interface ServiceTarget extends Destination {
  /** Its kind. */
  readonly destination: "service";
  /** The service's name. */
  readonly service: string;
  /** Choice among the instances. */
  readonly balance: Balance;
}

/** Options of {@link service}. */
export interface ServiceOptions {
  /** In turn, at random, or the one with the fewest calls of this instance under way. @default {"round-robin"} */
  balance?: Balance | undefined;
}

const serviceOptionTable: OptionTable<ServiceOptions> = {
  balance: option.oneOf("round-robin", "random", "least-in-flight"),
};

/**
 * A service as the destination of a call: `{ to: service("resize") }`.
 *
 * Each call goes to one instance, preferably on this host. Instances that drain, are disconnected, or whose last 5
 * calls failed (tried again after 2 s) are skipped. The messenger needs `discovery`.
 *
 * @throws {TypeError} If the name is not a string, or `balance` is unknown.
 */
export function service(name: string, options?: ServiceOptions): ServiceTarget {
  if (typeof name !== "string" || name === "") {
    throw new TypeError("Cannot call a service: its name must be a non-empty string");
  }
  const { balance = "round-robin" } = readOptions(options, serviceOptionTable, "Cannot call service", name);
  return Object.freeze({ destination: kind, service: name, balance });
}

/** Whether a call's destination is a service. */
export function isService(to: unknown): to is ServiceTarget {
  return isDestination(to) && to.destination === kind;
}
