import {
  type Clock,
  type InstanceId,
  instanceIdFromBytes,
  workerIdOf,
  ZeromeshError,
} from "../../core/mod.ts";
import type { PeerNegotiation, RequestHeader, ResponseId } from "../../wire/mod.ts";
import type { PeerTable } from "./peer_table.ts";
import { answersFor } from "../velo/introductions.ts";
import { type Peer, peerText, type Session } from "./peer.ts";

/** The CURVE keys of instance ids: an id belongs to the first key that it showed, while it is remembered. */
export class KeyBindings {
  readonly #clock: Clock;
  readonly #forgetAfterMs: number;

  /** @param forgetAfterMs How long an id belongs to its key after its last connection. */
  constructor(clock: Clock, forgetAfterMs: number) {
    this.#clock = clock;
    this.#forgetAfterMs = forgetAfterMs;
  }

  /**
   * Binds a peer to a key, or checks the binding.
   *
   * @param key The key that it has proved to own, or that was registered; null without CURVE.
   * @param registered Whether the user registered the key, which never expires.
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

  /** Notes that a peer is present. */
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
 * The connection of another process with the same id as the other end of `session`, if there is one: each `_hello`
 * names the run of its instance.
 */
export function rivalOf(peer: Peer, session: Session): Session | null {
  if (session.run === null) return null;
  const rival = peer.sessions().find((other) =>
    other !== session && other.run !== null && other.run !== session.run && other.usable
  );
  return rival ?? null;
}

/** Another live process has the id. */
export class IdTaken extends ZeromeshError {
  /** The connection of that process. */
  readonly rival: Session;

  /** @param rival The earlier connection. */
  constructor(peer: Peer, rival: Session, where: string) {
    super(
      "IDENTITY_MISMATCH",
      `Two instances have the id ${peerText(peer)}, the one that is connected already and ${where}; ` +
        "give each an id of its own",
      { peer: peer.instanceId },
    );
    this.rival = rival;
  }
}

/**
 * Checks that a connection, every `_hello` on it, and for a zeromesh instance its routing id belong to one instance.
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

/** Whether a connection may bring the answer to a request that was sent over this or another connection. */
export function mayAnswer(session: Session, asked: Session | null): boolean {
  // With CURVE only the owner of the called key.
  if (asked === null || asked.link.peerKey !== session.link.peerKey) return false;
  if (asked === session) return true;
  return !asked.sameConnection && (asked.peer === null || answersFor(session, asked.peer));
}

/** Whether a message names this peer as its sender. */
export function isNamed(peer: Peer | null, { id0, id1 }: ResponseId): peer is Peer {
  return peer !== null && peer.worker0 === id0 && peer.worker1 === id1;
}

/** Whether a request names a sender that does not own its connection; `secure` if instances have keys. */
export function isForeign(
  { peer, dialect, link }: Session,
  header: RequestHeader,
  secure: boolean,
): boolean {
  if (peer !== null) return (dialect.namesItself || secure) && !isNamed(peer, header);
  // With CURVE the key is known, but until its _hello not its instance.
  return secure && link.kind === "accepted" && header.name !== "_hello";
}

/** A message that was not foreign. */
interface Received extends ResponseId {
  readonly session: Session;
}

/**
 * The sender of a message; null when it is unknown, or an instance that names itself and did not send it.
 *
 * @param own This instance, which is the sender of what it sends to itself.
 */
export function senderOf<Own>(message: Received, peers: PeerTable, own: Own): Peer | Own | null {
  const { session, id0, id1 } = message;
  if (session.link.kind === "loopback") return own;
  if (session.dialect.namesItself) return session.peer;
  const peer = peers.byWorker(id0, id1) ?? null;
  return peer?.dialect.namesItself === true ? null : peer;
}

/**
 * Whether a message comes from an instance, according to its connection.
 *
 * @param ours Whether it is a zeromesh instance, for which only its own connection counts.
 */
export function speaksFor({ session, id0, id1 }: Received, id: InstanceId, ours: boolean): boolean {
  const { peer, dialect, link } = session;
  const worker = workerIdOf(id);
  if (Number(worker & 0xffffffffn) !== id0 || Number(worker >> 32n) !== id1) return false;
  if (peer === null) return link.kind === "loopback" || (!dialect.namesItself && !ours);
  return peer.instanceId === id && (dialect.namesItself || !ours);
}
