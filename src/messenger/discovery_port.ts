import type { InstanceId, Timed, WorkerId } from "../core/mod.ts";
import type { PeerInfo } from "../wire/mod.ts";

/** How peers are found that nobody has told this instance about. */
export interface PeerLookup {
  /** Where an instance is; null when nobody knows. */
  lookup(id: InstanceId): Promise<PeerInfo | null>;
  /** Where the instance with a worker id is; null when nobody knows. */
  lookupWorker(id: WorkerId): Promise<PeerInfo | null>;
  /** An address that was looked up led nowhere, or to somebody else. */
  stale(id: InstanceId, reason: "replaced" | "unreachable"): void;
}

/** How an instance stands: `unmet` is one without a connection, known or not. */
export type Standing = "unmet" | "connecting" | "up" | "leaving";

/** What choosing among peers needs to know of them. */
export interface PeerDirectory extends Timed {
  /** How an instance stands now. */
  standing(id: InstanceId): Standing;
  /** Whether an instance is on this host, by its connection or else its addresses; null when nothing tells. */
  isLocal(id: InstanceId): boolean | null;
  /** Finds out where an instance is, without connecting to it. @throws {ZeromeshError} Like a call to it. */
  find(id: InstanceId): Promise<void>;
  /** Finds an instance and connects to it. @throws {ZeromeshError} Like a call to it. */
  reach(id: InstanceId, timeoutMs: number): Promise<void>;
  /** Calls back when peers come and go. */
  watch(changed: () => void): Disposable;
}
