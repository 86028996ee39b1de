import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { MessengerCore } from "../core.ts";

/** A peer's answer to one of the system's questions is none that this version knows. */
export function unreadableAnswer(core: MessengerCore, peer: InstanceId, handler: string): ZeromeshError {
  const who = core.connections.peers.textOf(peer);
  return new ZeromeshError("RESULT_INVALID", `Peer ${who} answers ${handler} with something else`, {
    peer,
    handler,
    ran: "yes",
  });
}
