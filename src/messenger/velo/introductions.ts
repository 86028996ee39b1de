import { type InstanceId, instanceIdFromBytes, ZeromeshError } from "../../core/mod.ts";
import type { Link } from "../../transport/mod.ts";
import { endpointsOf, type PeerInfo } from "../../wire/mod.ts";
import type { PeerTable } from "../peers/peer_table.ts";
import type { Peer, Session } from "../peers/peer.ts";
import type { SharedParts } from "../shared_parts.ts";

// Velo's own text.
const noAddress = "No compatible transports found";

/** The parts that a `_hello` of plain Velo changes. */
export interface IntroductionParts extends Pick<SharedParts, "instanceId" | "secure" | "transport"> {
  /** Known peers. */
  readonly peers: PeerTable;
  /** Reports that two processes have the id of a peer. */
  duplicated(peer: Peer, reason: string): void;
}

/** Refuses a peer without an address, since the answers go there. */
export function requireAddress(info: PeerInfo): void {
  if (endpointsOf(info).length === 0) throw new Error(noAddress);
}

/** Notes that a peer has introduced itself over this connection, but takes no answers over it. */
export function introduced(session: Session, peer: Peer): void {
  session.peer = peer;
  // The end of a connection that has ended already is not reported again.
  if (session.link.kind === "accepted" && session.link.state === "open") peer.introduced.add(session);
}

/** Admits a peer that gets answers at the address it names. */
export function admitByAddress(parts: IntroductionParts, peer: Peer, session: Session, info: PeerInfo): void {
  const moved = peer.replies !== null && peer.session === null &&
    !endpointsOf(info).includes(peer.replies.link.endpoint);
  parts.peers.learn(peer, info);
  introduced(session, peer);
  parts.transport.noticeLosses();
  if (moved && peer.replies?.link.state === "open") {
    parts.duplicated(peer, "it says hello from another address while the one before is connected");
  }
}

/** Learns the address of a peer with a refused `_hello`, since the refusal goes there. */
export function meetByAddress(
  { peers, secure, instanceId }: IntroductionParts,
  session: Session,
  info: PeerInfo,
): void {
  if (session.peer !== null || secure || info.instanceId === instanceId) return;
  if (peers.crowded || peers.get(info.instanceId) !== undefined) return;
  const peer = peers.meet(info.instanceId);
  peers.learn(peer, info);
  introduced(session, peer);
}

/** A plain peer's id: the first 16 bytes of its routing id. */
export function idOfSocket(session: Session | null): InstanceId | null {
  const routingId = session?.link.routingId ?? null;
  return routingId !== null && routingId.length >= 16 ? instanceIdFromBytes(routingId) : null;
}

/**
 * Whether a connection may bring the answers of a peer that dials a connection for them: it bears the peer's id. If the
 * peer's connections bear none, others without an id are accepted.
 */
export function answersFor(session: Session, peer: Peer): boolean {
  if (session.answersFor === peer) return true;
  const { routingId } = session.link;
  // Plain Velo's routing id is the id's 16 bytes; zeromesh's has 8 more. Other clients choose their own.
  const named = routingId !== null && (routingId.length === 16 || routingId.length === 24);
  const fits = named
    ? peer.idBytes.every((byte, at) => byte === routingId[at])
    : session.peer === peer || (routingId !== null && session.peer === null && !peer.named);
  if (!fits) return false;
  if (named) peer.named = true;
  session.answersFor = peer;
  return true;
}

/**
 * The error for an instance that does not listen and was refused by {@link requireAddress}; null for another refusal.
 */
export function unanswerable(link: Link<Session>, cause: ZeromeshError): ZeromeshError | null {
  if (!cause.message.includes(noAddress)) return null;
  const why =
    `${link.endpoint} is plain Velo and can only answer instances that listen; do not use listen: false`;
  return new ZeromeshError("PEER_LACKS_FEATURE", why, { cause });
}
