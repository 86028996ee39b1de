import type { Clock, InstanceId } from "../../core/mod.ts";
import { isLoopback } from "../../transport/mod.ts";
import type { Connections } from "./connections.ts";
import type { StatusFeed } from "./status.ts";

/** How an instance stands: `unmet` is one without a connection, known or not. */
export type Standing = "unmet" | "connecting" | "up" | "leaving";

/** What choosing among peers needs to know of them. */
export interface Roster {
  /** Where time comes from. */
  readonly clock: Clock;
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

/** The roster of a messenger. */
export function rosterOf(connections: Connections, status: StatusFeed, clock: Clock): Roster {
  return {
    clock,
    standing(id) {
      if (connections.sessionOf(id) !== null) return "up";
      const peer = connections.peers.get(id);
      if (peer === undefined) return "unmet";
      if (peer.sessions().some((session) => session.leaving)) return "leaving";
      return peer.connecting === null ? "unmet" : "connecting";
    },
    isLocal(id) {
      const session = connections.sessionOf(id);
      if (session !== null) return session.link.local;
      const endpoints = connections.peers.get(id)?.endpoints ?? [];
      if (endpoints.some(isLoopback)) return true;
      // Every host has instances that listen on IPC; whether it is this host shows when they are dialled.
      return endpoints.length === 0 || endpoints.some((endpoint) => endpoint.startsWith("ipc://"))
        ? null
        : false;
    },
    async find(id) {
      if (connections.sessionOf(id) === null) await connections.finder.find(id);
    },
    async reach(id, timeoutMs) {
      if (connections.sessionOf(id) !== null) return;
      await connections.ensure(await connections.finder.find(id), timeoutMs);
    },
    watch: (changed) =>
      status.watch((entry) => {
        if (entry.type === "peerUp" || entry.type === "peerDown") changed();
      }),
  };
}
