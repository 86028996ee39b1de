import { errorText, hold, type InstanceId, isInstanceId, ZeromeshError } from "../../core/mod.ts";
import { closedByUs, type Link, type LinkLoss } from "../../transport/mod.ts";
import { type HelloReply, type PeerInfo, peerInfoOf, publicKeyOf } from "../../wire/mod.ts";
import { Connector } from "./connector.ts";
import { Dialler, dialOrder } from "./dialler.ts";
import { Forgetting } from "./forgetting.ts";
import { HelloHandler } from "./hello_handler.ts";
import { IdTaken, KeyBindings, rivalOf } from "./identity.ts";
import {
  cannotAnswer,
  type Limit,
  lostCall,
  requireKey,
  sameId,
  undialable,
  unreachable,
} from "./link_errors.ts";
import { heartbeatBoundMs, PeerFinder } from "./peer_finder.ts";
import type { PeerLookup } from "../discovery_port.ts";
import { PeerTable } from "./peer_table.ts";
import { type Peer, peerText, Session } from "./peer.ts";
import { tellLoss } from "../velo/plain_loss.ts";
import { ownDialect } from "../velo/dialect.ts";
import { introduced } from "../velo/introductions.ts";
import { ReplyLinks } from "../velo/reply_links.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of {@link Connections}. */
export interface ConnectionsParts extends SharedParts {
  /** Starts batching on a link. */
  startBatching(link: Link<Session>): void;
  /** Names of this instance's handlers. */
  handlerNames(): string[];
  /** The process's limit of descriptors; `Infinity` if unknown. */
  descriptorLimit(): number;
  /** Looks unknown peers up; null without discovery. */
  readonly lookup: PeerLookup | null;
}

// Messages to a peer that says goodbye have this long to arrive.
const goodbyeLingerMs = 1_000;

/** The peers, their connections, and how a connection begins and ends. */
export class Connections {
  /** The known peers. */
  readonly peers: PeerTable;
  /** Finds unknown peers. */
  readonly finder: PeerFinder;
  /** Answers the hellos of dialling peers. */
  readonly hellos: HelloHandler;
  /** The connections that are dialled for answers. */
  readonly replyLinks: ReplyLinks;
  /** Dials an endpoint of an unknown instance. */
  readonly connector: Connector;
  /** The loopback connection. */
  readonly self: Session;
  readonly #parts: ConnectionsParts;
  readonly #dialler: Dialler;
  readonly #keys: KeyBindings;
  readonly #forgetting: Forgetting;

  /** @param parts Its parts. */
  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
    const peers = this.peers = new PeerTable(parts.maxConnections);
    this.finder = new PeerFinder({ ...parts, peers, register: (info) => void this.register(info) });
    this.#forgetting = new Forgetting({ ...parts, peers });
    const keys = this.#keys = new KeyBindings(parts.clock, parts.forgetAfterMs);
    const lives = (peer: Peer, session: Session) => this.#lives(peer, session);
    this.#dialler = new Dialler({
      ...parts,
      lives,
      peerInfo: () => this.peerInfo(),
      establish: (session, reply, id) => this.#establish(session, reply, id),
    });
    this.hellos = new HelloHandler({
      ...parts,
      peers,
      keys,
      lives,
      duplicated: (peer, reason) => this.#duplicated(peer, reason),
      up: (peer) => this.#announce(peer, null),
    });
    this.replyLinks = new ReplyLinks({ ...parts, peers });
    this.connector = new Connector({
      ...parts,
      peers,
      dialler: this.#dialler,
      peerInfo: () => this.peerInfo(),
    });
    const self = this.self = new Session(parts.transport.loopback());
    const { negotiation } = parts;
    const { features } = negotiation;
    self.dialect = ownDialect;
    self.maxPeerBytes = parts.maxPeerBytes;
    self.errors = self.sameConnection = true;
    self.deadline = self.cancel = self.msgpack = true;
    self.metadata = features.includes("metadata");
    self.kind = features.includes("kind");
    if (features.includes("credit")) {
      self.startCredit(negotiation, negotiation.credit ?? null);
      self.admission = features.includes("admission");
    }
  }

  /** Address and id of this instance. */
  peerInfo(): PeerInfo {
    return peerInfoOf(this.#parts.instanceId, this.#parts.transport.endpoints, this.#parts.curve?.publicKey);
  }

  /** The instance with this worker id; null when unknown. */
  instanceOf(word0: number, word1: number): InstanceId | null {
    const { calls: { ownWorker: { id0, id1 } }, instanceId } = this.#parts;
    if (word0 === id0 && word1 === id1) return instanceId;
    return this.peers.byWorker(word0, word1)?.instanceId ?? null;
  }

  /** An established connection to a peer, or null. */
  sessionOf(id: InstanceId): Session | null {
    if (id === this.#parts.instanceId) return this.self;
    return this.peers.get(id)?.session ?? null;
  }

  /** Whether a peer is known, or can be looked up. */
  canReach(id: InstanceId): boolean {
    return this.peers.get(id) !== undefined || (this.finder.able && isInstanceId(id));
  }

  /** Registers a peer of the user or of discovery. The first call dials it. */
  register(info: PeerInfo, byUser = false): InstanceId {
    if (info.instanceId === this.#parts.instanceId) return info.instanceId;
    const peer = this.peers.know(info.instanceId);
    this.#keys.bind(peer, publicKeyOf(info), byUser);
    this.peers.learn(peer, info);
    return info.instanceId;
  }

  /** Takes the address with which an unregistered peer introduces itself. */
  introduce(info: PeerInfo, session: Session): void {
    const peer = this.peers.meet(info.instanceId);
    this.peers.learn(peer, info);
    if (session.peer === null) introduced(session, peer);
  }

  /** The connection to a known peer, dialled if necessary. Concurrent callers share one attempt. */
  ensure(peer: Peer, timeoutMs: number, limit: Limit = null): Promise<Session> {
    const session = peer.session;
    if (session !== null) return Promise.resolve(session);
    if (peer.connecting !== null) return this.#joined(peer, peer.connecting, timeoutMs, limit);
    if (peer.endpoints.length === 0 && peer.replies === null) return Promise.reject(undialable(peer));
    try {
      return this.#attempt(peer, timeoutMs, limit);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Waits for a shared attempt, which may last longer than this caller's timeout. */
  #joined(peer: Peer, attempt: Promise<Session>, timeoutMs: number, limit: Limit): Promise<Session> {
    const late = () => unreachable(peer.endpoints.join(" or "), timeoutMs, limit, undefined);
    return hold(attempt, { clock: this.#parts.clock, timeoutMs, late });
  }

  /** Handles the end of a connection, which ends the waits on it. */
  gone(link: Link<Session>, loss: LinkLoss): void {
    const session = link.session;
    if (session === null) return;
    const now = this.#parts.clock.now();
    this.#parts.calls.failWhere((call) =>
      call.session === session && call.awaitsPeer ? lostCall(call, loss, session.leaving, now) : undefined
    );
    const peer = session.peer;
    tellLoss(this.#parts, session, loss);
    if (peer === null) return;
    const dialled = peer.dialled === session;
    this.replyLinks.ended(peer, session);
    this.#keys.touch(peer);
    // A peer that says goodbye returns as another instance, and an accepted one may have no address.
    const forGood = !peer.connected && (session.leaving || peer.endpoints.length === 0);
    this.peers.settle(peer, forGood);
    if (forGood) this.#forgetting.begin();
    if (dialled && !session.leaving && loss.code === "PEER_DISCONNECTED") this.#redial(peer);
    if (peer.session !== null || !peer.announced) return;
    peer.announced = false;
    this.#parts.status.publish({
      type: "peerDown",
      peer: peer.instanceId,
      code: loss.code,
      reason: loss.reason,
      name: peer.name,
    });
  }

  /** Handles a peer's goodbye: no new messages are sent to it. */
  leave(session: Session): void {
    session.leaving = true;
    const { link, peer } = session;
    if (peer === null || link.kind === "loopback") return;
    const loss = { code: "PEER_DRAINING", reason: "it shut down" } as const;
    // The dialling side closes; the other end has a lingering socket.
    if (link.kind === "dialled") link.close(goodbyeLingerMs, loss);
    else if (peer.session === null && peer.announced) {
      peer.announced = false;
      this.#parts.status.publish({ type: "peerDown", peer: peer.instanceId, ...loss, name: peer.name });
    }
  }

  /** Ends the connections to a peer and forgets it. */
  disconnect(peer: Peer): void {
    this.peers.remove(peer);
    for (const session of peer.sessions()) {
      // Only the peer can close a connection that it dialled; until then its calls are answered.
      if (session.link.kind === "accepted") this.gone(session.link, closedByUs);
      else session.link.close(0);
    }
  }

  /** Takes a connection whose `_hello` was answered. */
  #establish(session: Session, reply: HelloReply, id: InstanceId): Session {
    const link = session.link;
    // In a microtask, because this runs inside the answer of a call that would end with the link.
    const closeSoon = () => queueMicrotask(() => link.close(0));
    if (id === this.#parts.instanceId) {
      if (!link.leadsHere) throw sameId(`the one at ${link.endpoint}`, id);
      closeSoon();
      return this.self;
    }
    session.negotiate(this.#parts.negotiation, reply.negotiation);
    if (!session.sameConnection && this.#parts.transport.endpoints.length === 0) {
      throw cannotAnswer(link.endpoint, id);
    }
    const peer = this.peers.know(id);
    this.#keys.bind(peer, link.peerKey);
    const rival = rivalOf(peer, session);
    if (rival !== null) throw new IdTaken(peer, rival, `the one at ${link.endpoint}`);
    const known = peer.dialled;
    if (known !== null && known !== session && known.usable) {
      closeSoon();
      return known;
    }
    session.peer = peer;
    if (peer.meet(session)) this.#duplicated(peer, "two processes with this id answer in turns");
    peer.dialled = session;
    if (peer.endpoints.length === 0) peer.endpoints = [link.endpoint];
    if (session.batch) this.#parts.startBatching(link);
    link.open();
    // Synchronously, because observers of the connection may send at once.
    for (const send of peer.waiting.splice(0)) send(session);
    this.#announce(peer, link.endpoint);
    return session;
  }

  /** Redials a lost peer in the background. Calls in the meantime share the attempt. */
  #redial(peer: Peer): void {
    const redialForMs = this.finder.redialForMs(peer, this.#parts.redialForMs);
    if (redialForMs <= 0 || peer.endpoints.length === 0) return;
    if (this.#parts.closing.aborted || this.peers.get(peer.instanceId) !== peer) return;
    if (peer.connecting !== null) {
      // A call has begun to dial before the loss was told. It ends with the time of the call, and the redial does not.
      peer.connecting.catch((error) => {
        if (error instanceof ZeromeshError && error.code === "PEER_UNREACHABLE") this.#redial(peer);
      });
      return;
    }
    const limit = redialForMs === this.#parts.redialForMs ? "redialForMs" : null;
    this.#attempt(peer, redialForMs, limit).catch((error) => {
      this.#parts.logger.info("redialling a peer ended", { peer: peerText(peer), reason: errorText(error) });
    });
  }

  #attempt(peer: Peer, timeoutMs: number, limit: Limit): Promise<Session> {
    if (this.peers.get(peer.instanceId) === peer) this.peers.know(peer.instanceId);
    const replies = peer.replies;
    const who = peerText(peer);
    const expected = { id: peer.instanceId, who, unmet: peer.fixed && !peer.met };
    const target = {
      endpoints: dialOrder(peer.dialable()),
      expected,
      serverKey: requireKey(peer.instanceId, peer.publicKey, this.#parts.secure, who),
      met: peer.dialect.ours,
      limit,
      attempting: (link: Link<Session>) => {
        peer.attempted = { link, at: this.#parts.clock.now() };
      },
    };
    const attempt = replies !== null && replies.link.state === "open"
      ? this.#dialler.handshake(replies, expected, timeoutMs, undefined)
      : this.#dialler.reach(target, timeoutMs, undefined);
    peer.connecting = attempt;
    this.finder.dialling(peer);
    attempt.then(
      () => this.#attempted(peer, attempt, null),
      (error) => this.#attempted(peer, attempt, error),
    );
    return attempt;
  }

  #attempted(peer: Peer, attempt: Promise<Session>, error: unknown): void {
    if (peer.connecting === attempt) {
      peer.connecting = peer.attempted = null;
      peer.waiting.length = 0;
    }
    this.peers.settle(peer);
    this.finder.dialled(peer, error);
    if (!(error instanceof ZeromeshError) || error.code !== "PEER_REPLACED") return;
    const { successor } = error.details as { successor: InstanceId };
    this.#parts.status.publish({ type: "peerReplaced", peer: peer.instanceId, successor });
  }

  /** Whether the process behind a connection lives: it answers, or its connection ends. */
  async #lives(peer: Peer, session: Session): Promise<boolean> {
    this.#parts.transport.noticeLosses();
    if (!session.usable) return false;
    // One request at a time, however many connections claim the id.
    peer.asking ??= this.#parts.call("_health_check", peer.instanceId, {
      session,
      timeoutMs: heartbeatBoundMs,
    })
      .then(() => {}, () => {}).finally(() => peer.asking = null);
    await peer.asking;
    return session.usable;
  }

  #duplicated(peer: Peer, reason: string): void {
    this.#parts.logger.warn("two processes have one instance id", { peer: peerText(peer), reason });
    this.#parts.status.publish({ type: "peerDuplicated", peer: peer.instanceId, reason });
  }

  #announce(peer: Peer, endpoint: string | null): void {
    if (peer.announced) return;
    peer.announced = true;
    this.#parts.status.publish({
      type: "peerUp",
      peer: peer.instanceId,
      endpoint,
      zeromesh: peer.dialect.ours,
      name: peer.name,
    });
  }
}
