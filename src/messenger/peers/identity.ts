import { type InstanceId, instanceIdFromBytes, ZeromeshError } from "../../core/mod.ts";
import type { PeerNegotiation, RequestHeader } from "../../wire/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import type { Peer } from "./peers.ts";
import type { Session } from "./session.ts";

/** With CURVE an instance belongs to the first key that it showed. */
export function bindKey(peer: Peer, key: string | null): void {
  if (key === null) return;
  if (peer.publicKey === null) peer.publicKey = key;
  if (peer.publicKey === key) return;
  throw new ZeromeshError(
    "IDENTITY_MISMATCH",
    `Instance ${peer.instanceId} belongs to another CURVE key than the one it shows now`,
    { peer: peer.instanceId },
  );
}

/** A connection, the routing id it has, and every `_hello` on it belong to one instance. */
export function checkIdentity(call: InboundCall, claimed: InstanceId, says: PeerNegotiation | null): void {
  const { session } = call;
  const routingId = session.link.routingId;
  const known = session.peer;
  const fits = (says === null || says.instanceId === claimed) &&
    (routingId === null || (routingId.length >= 16 && instanceIdFromBytes(routingId) === claimed)) &&
    (known === null || known.instanceId === claimed);
  if (fits) return;
  throw new ZeromeshError(
    "IDENTITY_MISMATCH",
    `The connection does not belong to the instance that it names (${claimed})`,
    { peer: claimed },
  );
}

/**
 * Whether a connection can bring the answers of a peer that dials one of its own for them, as plain Velo does: it
 * bears the peer's id. Where the peer's connections bear none, any that bears none will do.
 */
export function answersFor(session: Session, peer: Peer): boolean {
  if (session.answersFor === peer) return true;
  const { routingId } = session.link;
  // Plain Velo's is the id's 16 bytes; ours has 8 more. Others bear whatever name they chose for the connection.
  const named = routingId !== null && (routingId.length === 16 || routingId.length === 24);
  const fits = named
    ? peer.idBytes.every((byte, at) => byte === routingId[at])
    : session.peer === peer || (routingId !== null && session.peer === null && !peer.named);
  if (!fits) return false;
  if (named) peer.named = true;
  session.answersFor = peer;
  return true;
}

/** Whether a request names a sender to whom its connection does not belong; `secure` where instances have keys. */
export function isForeign(
  { peer, zeromesh, link }: Session,
  header: RequestHeader,
  secure: boolean,
): boolean {
  if (peer !== null) {
    return (zeromesh || secure) && (header.id0 !== peer.worker0 || header.id1 !== peer.worker1);
  }
  // With CURVE the key is known, and until its _hello nobody has said whose it is.
  return secure && link.kind === "accepted" && header.name !== "_hello";
}
