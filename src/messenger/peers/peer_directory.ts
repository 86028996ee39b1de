import type { Clock } from "../../core/mod.ts";
import { isLoopback } from "../../transport/mod.ts";
import type { PeerDirectory } from "../discovery_port.ts";
import type { Connections } from "./connections.ts";
import type { StatusFeed } from "./status.ts";

/** The peers of a messenger. */
export function peerDirectoryOf(connections: Connections, status: StatusFeed, clock: Clock): PeerDirectory {
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
      // Every host has IPC endpoints; whether it is this host shows when they are dialled.
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
