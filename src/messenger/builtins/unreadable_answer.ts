import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { PeerTable } from "../peers/peer_table.ts";

/** A peer's answer to one of the system's questions is none that this version knows. */
export function unreadableAnswer(peers: PeerTable, peer: InstanceId, handler: string): ZeromeshError {
  const who = peers.textOf(peer);
  return new ZeromeshError("RESULT_INVALID", `The answer of peer ${who} to "${handler}" cannot be read`, {
    peer,
    handler,
    ran: "yes",
  });
}
