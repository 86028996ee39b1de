import {
  type Clock,
  type InstanceId,
  instanceIdFromBytes,
  workerIdOf,
  ZeromeshError,
} from "../../core/mod.ts";
import type { PeerNegotiation, RequestHeader, ResponseId } from "../../wire/mod.ts";
import type { PeerTable } from "./peer_table.ts";
import { type Peer, peerText, type Session } from "./peer.ts";

/** With CURVE an instance belongs to the first key that it showed, as long as anything lasts of it. */
export class KeyBindings {
  readonly #clock: Clock;
  readonly #forgetAfterMs: number;

  /** @param forgetAfterMs How long an id belongs to its key when the last connection is gone. */
  constructor(clock: Clock, forgetAfterMs: number) {
    this.#clock = clock;
    this.#forgetAfterMs = forgetAfterMs;
  }

  /**
   * Binds a peer to a key, or makes sure that it is.
   *
   * @param key What it has proved to own, or what was told of it; null without CURVE.
   * @param registered Whether the user says so, which nobody's absence undoes.
   * @throws {ZeromeshError} `IDENTITY_MISMATCH` when the id belongs to another key.
   */
  bind(peer: Peer, key: string | null, registered = false): void {
    if (key === null) return;
    if (peer.publicKey !== null && peer.publicKey !== key) {
      if (!this.#forgotten(peer)) throw this.#mismatch(peer);
      peer.keyRegistered = false;
    }
    peer.publicKey = key;
    peer.keyRegistered ||= registered;
    this.touch(peer);
  }

  /** A peer was there now. */
  touch(peer: Peer): void {
    peer.lastSeen = this.#clock.now();
  }

  #forgotten(peer: Peer): boolean {
    if (peer.keyRegistered || peer.connected) return false;
    return this.#clock.now() - peer.lastSeen >= this.#forgetAfterMs;
  }

  #mismatch(peer: Peer): ZeromeshError {
    const until = peer.keyRegistered
      ? "until disconnect() forgets it, because it was registered so"
      : `until it has been gone for ${this.#forgetAfterMs} ms (forgetAfterMs)`;
    return new ZeromeshError(
      "IDENTITY_MISMATCH",
      `Instance ${peerText(peer)} belongs to another CURVE key than the one it shows now, ${until}`,
      { peer: peer.instanceId },
    );
  }
}

/**
 * The connection of another process that has the id of the one at the other end of `session`, if there is one: each
 * says in its `_hello` which run of an instance it is.
 */
export function rivalOf(peer: Peer, session: Session): Session | null {
  if (session.run === null) return null;
  const rival = peer.sessions().find((other) =>
    other !== session && other.run !== null && other.run !== session.run && other.usable
  );
  return rival ?? null;
}

/** Another process has the id of the one that was met, and its connection is open. */
export class IdTaken extends ZeromeshError {
  /** The connection of the other one. */
  readonly rival: Session;

  /** @param rival The connection of the one that was there first. */
  constructor(peer: Peer, rival: Session, where: string) {
    super(
      "IDENTITY_MISMATCH",
      `Two instances have the id ${
        peerText(peer)
      }, the one that is connected already and ${where}; give each an id of ` +
        "its own",
      { peer: peer.instanceId },
    );
    this.rival = rival;
  }
}

/**
 * A connection and every `_hello` on it belong to one instance, and with one of ours the routing id as well.
 *
 * @throws {ZeromeshError} `IDENTITY_MISMATCH`.
 */
export function checkIdentity(
  { peer, link: { routingId } }: Session,
  claimed: InstanceId,
  says: PeerNegotiation | null,
  ours: boolean,
): void {
  const fits = (peer === null || peer.instanceId === claimed) &&
    (!ours || (
      (says === null || says.instanceId === claimed) &&
      (routingId === null || (routingId.length >= 16 && instanceIdFromBytes(routingId) === claimed))
    ));
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

/** Whether a connection can bring the answer to a request that left over another one, or the same. */
export function mayAnswer(session: Session, asked: Session | null): boolean {
  // With CURVE only the owner of the key that was asked.
  if (asked === null || asked.link.peerKey !== session.link.peerKey) return false;
  if (asked === session) return true;
  return !asked.sameConnection && (asked.peer === null || answersFor(session, asked.peer));
}

/** Whether a message names this peer as its sender. */
export function isNamed(peer: Peer | null, { id0, id1 }: ResponseId): boolean {
  return peer !== null && peer.worker0 === id0 && peer.worker1 === id1;
}

/** Whether a request names a sender to whom its connection does not belong; `secure` where instances have keys. */
export function isForeign(
  { peer, dialect, link }: Session,
  header: RequestHeader,
  secure: boolean,
): boolean {
  if (peer !== null) return (dialect.namesItself || secure) && !isNamed(peer, header);
  // With CURVE the key is known, and until its _hello nobody has said whose it is.
  return secure && link.kind === "accepted" && header.name !== "_hello";
}

/** A message that was not foreign. */
interface Received extends ResponseId {
  readonly session: Session;
}

/** The sender of a message; null when it is unknown, or an instance that names itself and did not send it. */
export function senderOf(message: Received, peers: PeerTable): Peer | null {
  const { session, id0, id1 } = message;
  if (session.dialect.namesItself) return session.peer;
  const peer = peers.byWorker(id0, id1) ?? null;
  return peer?.dialect.namesItself === true ? null : peer;
}

/**
 * Whether a message comes from an instance, as far as the connection tells.
 *
 * @param ours Whether it is an instance of this library, for which only its own connection speaks.
 */
export function speaksFor({ session, id0, id1 }: Received, id: InstanceId, ours: boolean): boolean {
  const { peer, dialect, link } = session;
  const worker = workerIdOf(id);
  if (Number(worker & 0xffffffffn) !== id0 || Number(worker >> 32n) !== id1) return false;
  if (peer === null) return link.kind === "loopback" || (!dialect.namesItself && !ours);
  return peer.instanceId === id && (dialect.namesItself || !ours);
}
