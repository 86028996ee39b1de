import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import { endpointsOf, type PeerInfo } from "../../wire/mod.ts";
import { Peer, peerText } from "./peer.ts";

/**
 * The known peers: a limited number of registered, found or dialled ones, and as many strangers, which dialled this
 * instance. So strangers replace strangers only; the one without a connection for longest goes first.
 */
export class PeerTable {
  readonly #byId = new Map<InstanceId, Peer>();
  readonly #byWorker = new Map<bigint, Peer>();
  /** Strangers without a connection, longest first, and some that have got one since. */
  readonly #silent = new Set<Peer>();
  /** Strangers that are gone for good, longest first. */
  readonly #left = new Set<Peer>();
  readonly #maxPeers: number;
  #strangers = 0;

  /** @param maxPeers The most peers of each kind. */
  constructor(maxPeers: number) {
    this.#maxPeers = maxPeers;
  }

  /** Number of peers. */
  get size(): number {
    return this.#byId.size;
  }

  /** Whether the limit of strangers is reached. */
  get crowded(): boolean {
    return this.#strangers >= this.#maxPeers;
  }

  /** All peers. */
  values(): IterableIterator<Peer> {
    return this.#byId.values();
  }

  /** The peer with this id. */
  get(id: InstanceId): Peer | undefined {
    return this.#byId.get(id);
  }

  /** The text of an instance for messages, with its name if known. */
  textOf(id: InstanceId): string {
    const peer = this.#byId.get(id);
    return peer === undefined ? id : peerText(peer);
  }

  /** The peer whose worker id has these halves. */
  byWorker(word0: number, word1: number): Peer | undefined {
    return this.byWorkerId((BigInt(word1) << 32n) | BigInt(word0));
  }

  /** The peer with a worker id. */
  byWorkerId(id: bigint): Peer | undefined {
    return this.#byWorker.get(id);
  }

  /**
   * The peer with this id, as a stranger if it is unknown.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED` at the limit of strangers, when all have connections.
   */
  meet(id: InstanceId): Peer {
    const met = this.#byId.get(id);
    if (met !== undefined) return met;
    if (this.crowded && !this.#forgetStranger()) throw this.#full("are connected");
    return this.#add(id);
  }

  /**
   * The peer with this id, which is registered, found or dialled.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED` at the limit of such peers, when all have connections.
   */
  know(id: InstanceId): Peer {
    let peer = this.#byId.get(id);
    if (peer?.known === true) return peer;
    if (this.#byId.size - this.#strangers >= this.#maxPeers && !this.#forgetKnown()) {
      throw this.#full("that were registered, dialled or found are connected");
    }
    peer ??= this.#add(id);
    peer.known = true;
    this.#strangers--;
    this.#silent.delete(peer);
    return peer;
  }

  /** Stores a peer's address. */
  learn(peer: Peer, info: PeerInfo): void {
    const endpoints = endpointsOf(info);
    if (endpoints.length > 0) peer.endpoints = endpoints;
    peer.fixed ||= info.fixed === true;
  }

  /**
   * Notes the end of a peer's connection or of an attempt to connect.
   *
   * @param forGood Whether the peer cannot be reached any more.
   */
  settle(peer: Peer, forGood = false): void {
    if (peer.known || this.#byId.get(peer.instanceId) !== peer) return;
    this.#silent.delete(peer);
    this.#silent.add(peer);
    this.#left.delete(peer);
    if (forGood) this.#left.add(peer);
  }

  /**
   * Forgets strangers that are gone for good.
   *
   * @param until Latest time at which they were seen.
   * @returns When the next one was last seen; null without one.
   */
  forgetLeft(until: number): number | null {
    for (const peer of this.#left) {
      if (peer.lastSeen > until) return peer.lastSeen;
      this.#left.delete(peer);
      if (!peer.known && isIdle(peer)) this.remove(peer);
    }
    return null;
  }

  /** Forgets a peer. */
  remove(peer: Peer): void {
    if (this.#byId.get(peer.instanceId) !== peer) return;
    if (!peer.known) this.#strangers--;
    this.#byId.delete(peer.instanceId);
    this.#byWorker.delete(peer.workerId);
    this.#silent.delete(peer);
    this.#left.delete(peer);
  }

  #add(id: InstanceId): Peer {
    const peer = new Peer(id);
    this.#byId.set(id, peer);
    this.#byWorker.set(peer.workerId, peer);
    this.#silent.add(peer);
    this.#strangers++;
    return peer;
  }

  /** Forgets a stranger. Skipped ones have returned to the list by new connections, so the list is walked once. */
  #forgetStranger(): boolean {
    for (const peer of this.#silent) {
      this.#silent.delete(peer);
      if (!isIdle(peer)) continue;
      this.remove(peer);
      return true;
    }
    return false;
  }

  #forgetKnown(): boolean {
    for (const peer of this.#byId.values()) {
      if (!peer.known || !isIdle(peer)) continue;
      this.remove(peer);
      return true;
    }
    return false;
  }

  #full(are: string): ZeromeshError {
    return new ZeromeshError(
      "LIMIT_REACHED",
      `Cannot add another peer: ${this.#maxPeers} ${are}, which is the limit (maxConnections)`,
    );
  }
}

function isIdle(peer: Peer): boolean {
  return !peer.connected && peer.connecting === null && peer.openingReplies === null;
}
