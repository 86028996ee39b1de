import type { InstanceId, Timed, WorkerId } from "../core/mod.ts";
import type { PeerInfo } from "../wire/mod.ts";

/** Finds peers that were not registered. */
export interface PeerLookup {
  /** The address of an instance; null when unknown. */
  lookup(id: InstanceId): Promise<PeerInfo | null>;
  /** The address of the instance with a worker id; null when unknown. */
  lookupWorker(id: WorkerId): Promise<PeerInfo | null>;
  /** Reports a stale address: no instance, or another one, answers there. */
  stale(id: InstanceId, reason: "replaced" | "unreachable"): void;
}

/** State of an instance: `unmet` has no connection, known or not. */
export type Standing = "unmet" | "connecting" | "up" | "leaving";

/** The peers, as the choice of a service's instance uses them. */
export interface PeerDirectory extends Timed {
  /** State of an instance. */
  standing(id: InstanceId): Standing;
  /** Whether an instance is on this host, by its connection or its addresses; null when unknown. */
  isLocal(id: InstanceId): boolean | null;
  /** Looks an instance's address up, without connecting. @throws {ZeromeshError} Like a call to it. */
  find(id: InstanceId): Promise<void>;
  /** Finds an instance and connects to it. @throws {ZeromeshError} Like a call to it. */
  reach(id: InstanceId, timeoutMs: number): Promise<void>;
  /** Calls back when peers change. */
  watch(changed: () => void): Disposable;
}
