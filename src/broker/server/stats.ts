import type { RelayStats } from "../channels/mod.ts";
import type { BrokerRequest } from "../protocol/contracts.ts";
import type { PlainDoorStats } from "../plain/mod.ts";
import type { RegistryStats } from "../registry/registry_client.ts";

/** The counters of a broker. */
export interface BrokerStats {
  /** Clients that have introduced themselves. */
  readonly clients: number;
  /** Channels, presences and what has happened to them. */
  readonly registry: RegistryStats;
  /** Notices that wait for clients, and those dropped for clients that were too slow. */
  readonly notices: { readonly waiting: number; readonly dropped: number };
  /** The door for foreign programs; null without one. */
  readonly plain: PlainDoorStats | null;
  /** Consumers whose messages go through the broker, since neither they nor the producer can be dialled. */
  readonly relay: RelayStats;
  /** Requests, by their names. */
  readonly requests: Readonly<Record<string, number>>;
  /** Requests that were answered with an error, by its code. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Counts requests. */
export class RequestCounts {
  readonly #requests: Record<string, number> = {};
  readonly #refused: Record<string, number> = {};

  /** A request was answered. @param code The code of its error; null without one. */
  answered(request: BrokerRequest, code: string | null): void {
    this.#requests[request] = (this.#requests[request] ?? 0) + 1;
    if (code !== null) this.#refused[code] = (this.#refused[code] ?? 0) + 1;
  }

  /** A copy of the counters. */
  snapshot(): Pick<BrokerStats, "requests" | "refused"> {
    return { requests: { ...this.#requests }, refused: { ...this.#refused } };
  }
}
