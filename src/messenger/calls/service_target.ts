import {
  type InstanceId,
  option,
  type OptionTable,
  readOptions,
  type ZeromeshError,
} from "../../core/mod.ts";

/** How one of several instances is chosen. */
export type Balance = "round-robin" | "random" | "least-in-flight";

/** A call's destination that is not one instance but any of those that offer a service. */
export interface ServiceTarget {
  /** The service's name. */
  readonly service: string;
  /** How one of its instances is chosen. */
  readonly balance: Balance;
}

/** The destination of a call that is sent again: instances that failed it are chosen only where there is no other. */
export interface RetriedTarget extends ServiceTarget {
  /** The instances that failed it. */
  readonly tried?: ReadonlySet<string> | undefined;
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
  return Object.freeze({ service: name, balance });
}

/** Chooses instances of services, and hears what became of the calls. */
export interface ServiceRouter {
  /** An instance that is connected and may be called at once, or null. */
  pickNow(target: ServiceTarget): InstanceId | null;
  /**
   * An instance that is connected, once there is one.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` when none could be reached for as long as a peer is dialled; `FORBIDDEN`
   * when all refuse this instance.
   */
  pickLater(target: ServiceTarget, signal: AbortSignal): Promise<InstanceId>;
  /**
   * The instances that offer a service and are not leaving, once every back end has told.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` when no back end has told for as long as a peer is dialled.
   */
  instances(target: ServiceTarget, signal: AbortSignal): Promise<InstanceId[]>;
  /** That no instance can be called, and why: `code` after `timeoutMs`, or `FORBIDDEN` when all refuse this one. */
  unavailable(target: ServiceTarget, timeoutMs: number, code: "TIMEOUT" | "PEER_UNREACHABLE"): ZeromeshError;
  /** Follows a call to an instance that was picked, and gives its outcome on. */
  track<T>(id: InstanceId, call: Promise<T>): Promise<T>;
}
