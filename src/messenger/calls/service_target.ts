import type { InstanceId, ZeromeshError } from "../../core/mod.ts";

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

const balances: readonly string[] = ["round-robin", "random", "least-in-flight"];

/**
 * Names a service as the destination of a call: `{ to: service("resize") }`.
 *
 * Each call goes to one instance that offers it. Instances on this host come first; those that are draining or
 * disconnected, or whose last 5 calls failed (tried again after 2 s), are passed over. The messenger needs
 * `discovery`.
 *
 * @param options `balance`: in turn (the default), at random, or whoever has the fewest calls of this instance.
 * @throws {TypeError} If the name is no text, or there is no such way to choose.
 */
export function service(name: string, options: { balance?: Balance | undefined } = {}): ServiceTarget {
  if (typeof name !== "string" || name === "") {
    throw new TypeError("Cannot call a service: its name must be a text that is not empty");
  }
  const balance = options.balance ?? "round-robin";
  if (balances.includes(balance)) return Object.freeze({ service: name, balance });
  throw new TypeError(
    `Cannot call service "${name}": balance must be one of ${balances.join(", ")}, got ${String(balance)}`,
  );
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
