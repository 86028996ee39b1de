import {
  Backoff,
  type Broadcast,
  type Clock,
  type InstanceId,
  instanceIdFromBytes,
  type Logger,
  ZeromeshError,
} from "../core/mod.ts";
import { type Link, type LinkLoss, SendOutcome, type Transport } from "../transport/mod.ts";
import {
  decodeHello,
  decodeHelloReply,
  encodeHello,
  encodeHelloReply,
  encodeRequest,
  endpointsOf,
  MessageType,
  type PeerInfo,
  peerInfoOf,
  ResponseKind,
} from "../wire/mod.ts";
import type { InboundCall } from "./context.ts";
import type { CallTable, PendingCall } from "./pending.ts";
import { type Peer, PeerTable } from "./peers.ts";
import { Session } from "./session.ts";
import {
  closedWhileDialling,
  helloFailure,
  lostCall,
  plainId,
  tableFull,
  unreachable,
} from "./link_errors.ts";
import type { Status } from "./status.ts";

/** What connections need of the messenger. */
export interface ConnectionsParts {
  /** The own id. */
  readonly instanceId: InstanceId;
  /** The network. */
  readonly transport: Transport<Session>;
  /** Who waits for what. */
  readonly calls: CallTable;
  /** Features offered to peers. */
  readonly features: readonly string[];
  /** Has a link collect small messages. */
  startBatching(link: Link<Session>): void;
  /** Names of the local handlers. */
  handlerNames(): string[];
  /** Where changes are told. */
  readonly status: Broadcast<Status>;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Where trouble is reported. */
  readonly logger: Logger;
  /** The most peers known at a time. */
  readonly maxPeers: number;
  /** Aborts when the instance closes. */
  readonly closing: AbortSignal;
}

const helloName = new TextEncoder().encode("_hello");
// These say that trying again at the same address is no use.
const finalCodes: ReadonlySet<string> = new Set([
  "FORBIDDEN",
  "IDENTITY_MISMATCH",
  "PEER_REPLACED",
  "PEER_LACKS_FEATURE",
  "PEER_DRAINING",
  "CLOSED",
  "QUEUE_FULL",
]);

/** Who is known, who is connected, and how a connection begins and ends. */
export class Connections {
  /** Everybody known. */
  readonly peers: PeerTable;
  readonly #parts: ConnectionsParts;
  readonly #self: Session;

  /** @param parts What they need. */
  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
    this.peers = new PeerTable(parts.maxPeers);
    this.#self = new Session(parts.transport.loopback());
    this.#self.zeromesh = this.#self.errors = this.#self.sameConnection = true;
    this.#self.deadline = this.#self.cancel = this.#self.msgpack = true;
  }

  /** The connection to oneself. */
  get self(): Session {
    return this.#self;
  }

  /** Address and id of this instance. */
  peerInfo(): PeerInfo {
    return peerInfoOf(this.#parts.instanceId, this.#parts.transport.endpoints);
  }

  /** The connection to a peer that is up, or null. */
  sessionOf(id: InstanceId): Session | null {
    if (id === this.#parts.instanceId) return this.#self;
    return this.peers.get(id)?.session ?? null;
  }

  /** Makes a peer known. It is dialled when the first call needs it. */
  register(info: PeerInfo): InstanceId {
    if (info.instanceId !== this.#parts.instanceId) this.peers.learn(info, endpointsOf(info));
    return info.instanceId;
  }

  /** Dials an endpoint until somebody answers there. Resolves to who it is. */
  async connect(endpoint: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<InstanceId> {
    for (const peer of this.peers.values()) {
      const dialled = peer.dialled;
      if (dialled?.link.state === "open" && dialled.link.endpoint === endpoint) return peer.instanceId;
    }
    const session = await this.#reach([endpoint], null, timeoutMs, signal);
    return session === this.#self ? this.#parts.instanceId : session.peer!.instanceId;
  }

  /** The connection to a known peer, made if need be. Concurrent callers share one attempt. */
  ensure(peer: Peer, timeoutMs: number): Promise<Session> {
    const session = peer.session;
    if (session !== null) return Promise.resolve(session);
    if (peer.connecting !== null) return peer.connecting;
    const replies = peer.replies;
    const attempt = replies !== null && replies.link.state === "open"
      ? this.#handshake(replies, peer.instanceId, timeoutMs, undefined)
      : peer.endpoints.length === 0
      ? Promise.reject(this.#undialable(peer))
      : this.#reach(peer.endpoints, peer.instanceId, timeoutMs, undefined);
    peer.connecting = attempt;
    const done = () => {
      if (peer.connecting === attempt) peer.connecting = null;
    };
    attempt.then(done, done);
    return attempt;
  }

  /** The link by which a plain peer takes replies: now, later, or null when there is none. */
  replyLink(word0: number, word1: number): Link<Session> | Promise<Link<Session>> | null {
    const peer = this.peers.byWorker(word0, word1);
    if (peer === undefined) return null;
    const open = peer.dialled ?? peer.replies;
    if (open !== null && open.link.state === "open") return open.link;
    const accepted = peer.accepted;
    if (accepted !== null && accepted.sameConnection && accepted.link.state === "open") return accepted.link;
    const endpoint = peer.endpoints[0];
    if (endpoint === undefined) return null;
    // Plain Velo introduces itself and is answered through a connection of ours, before any hello of ours.
    peer.openingReplies ??= this.#parts.transport.dial(endpoint).then((link) => {
      const session = new Session(link);
      session.peer = peer;
      peer.replies = session;
      link.open();
      return session;
    }).finally(() => peer.openingReplies = null);
    return peer.openingReplies.then((session) => session.link);
  }

  /** Answers `_hello`: who calls, where it can be dialled, and what both sides speak. */
  answerHello(call: InboundCall): Uint8Array {
    const session = call.session;
    const hello = decodeHello(call.lentPayload);
    if (hello === null) {
      throw new ZeromeshError("PAYLOAD_INVALID", "Failed to deserialize input: no peer_info", {
        handler: "_hello",
      });
    }
    const id = hello.peerInfo.instanceId;
    if (hello.zeromesh !== null) this.#checkIdentity(call, id, hello.zeromesh.instanceId);
    const peer = this.peers.learn(hello.peerInfo, endpointsOf(hello.peerInfo));
    if (hello.zeromesh === null) {
      if (peer.endpoints.length === 0) throw new Error("No compatible transports found");
      session.peer = peer;
    } else {
      session.negotiate(this.#parts.features, hello.zeromesh);
      session.peer = peer;
      peer.zeromesh = true;
      if (session.sameConnection) {
        peer.accepted = session;
        this.#announce(peer, null);
      }
      if (session.batch && session.sameConnection) this.#parts.startBatching(session.link);
    }
    return encodeHelloReply({
      handlers: this.#parts.handlerNames(),
      zeromesh: { features: this.#parts.features as never, instanceId: this.#parts.instanceId },
    });
  }

  /** A connection ended: whatever waited on it ends too. */
  gone(link: Link<Session>, loss: LinkLoss): void {
    const session = link.session;
    if (session === null) return;
    this.#parts.calls.failWhere((call) => call.session === session ? lostCall(call, loss) : undefined);
    const peer = session.peer;
    if (peer === null) return;
    if (peer.dialled === session) peer.dialled = null;
    if (peer.accepted === session) peer.accepted = null;
    if (peer.replies === session) peer.replies = null;
    if (peer.session !== null || !peer.announced) return;
    peer.announced = false;
    this.#parts.status.publish({
      type: "peerDown",
      peer: peer.instanceId,
      code: loss.code,
      reason: loss.reason,
    });
  }

  /** Ends the connections to a peer and forgets it. */
  disconnect(peer: Peer): void {
    this.peers.remove(peer);
    for (const session of [peer.dialled, peer.accepted, peer.replies]) session?.link.close(0);
  }

  async #reach(
    endpoints: readonly string[],
    expected: InstanceId | null,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    const { clock } = this.#parts;
    const giveUpAt = clock.now() + timeoutMs;
    const backoff = new Backoff();
    const where = endpoints.join(" or ");
    let last: unknown = undefined;
    for (let attempt = 0;; attempt++) {
      signal?.throwIfAborted();
      if (this.#parts.closing.aborted) throw closedWhileDialling(where);
      const left = giveUpAt - clock.now();
      if (left <= 0) throw unreachable(where, timeoutMs, last);
      const endpoint = endpoints[attempt % endpoints.length]!;
      const link = await this.#parts.transport.dial(endpoint);
      try {
        return await this.#handshake(new Session(link), expected, left, signal);
      } catch (error) {
        link.close(0);
        if (signal?.aborted) throw signal.reason;
        if (!(error instanceof ZeromeshError) || finalCodes.has(error.code)) throw error;
        last = error;
      }
      await this.#pause(Math.min(backoff.next(), Math.max(0, giveUpAt - clock.now())), signal);
    }
  }

  async #handshake(
    session: Session,
    expected: InstanceId | null,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    const { calls, transport, features, instanceId } = this.#parts;
    const link = session.link;
    const call = calls.open(expected ?? undefined, "_hello", timeoutMs, signal, (outcome) => outcome.keep());
    call.session = session;
    if (!call.settled && !calls.enlist(call)) call.fail(tableFull());
    if (!call.settled) {
      const payload = encodeHello({
        peerInfo: this.peerInfo(),
        zeromesh: { features: features as never, instanceId },
      });
      const { headerBytes, headerView } = transport;
      const length = encodeRequest(headerBytes, headerView, 0, ResponseKind.unary, call, helloName, null);
      if (link.sendFirst(MessageType.message, length, payload) !== SendOutcome.sent) {
        call.fail(new ZeromeshError("PEER_UNREACHABLE", `Cannot send to ${link.endpoint}`));
      }
    }
    let reply: Uint8Array;
    try {
      reply = await call.promise as Uint8Array;
    } catch (error) {
      throw helloFailure(link, error, timeoutMs, transport.endpoints.length > 0);
    }
    return this.#establish(session, call, reply, expected);
  }

  #establish(session: Session, call: PendingCall, bytes: Uint8Array, expected: InstanceId | null): Session {
    const link = session.link;
    const reply = decodeHelloReply(bytes);
    if (reply === null) {
      throw new ZeromeshError("PEER_UNREACHABLE", `${link.endpoint} answers _hello with something else`);
    }
    const id = reply.zeromesh?.instanceId ?? plainId(call.answeredBy) ?? expected;
    if (id === null) {
      throw new ZeromeshError(
        "PEER_LACKS_FEATURE",
        `${link.endpoint} answers, but does not say which instance it is; use registerPeer with its peer info`,
      );
    }
    if (expected !== null && id !== expected) {
      throw new ZeromeshError(
        "PEER_REPLACED",
        `Another instance (${id}) answers at ${link.endpoint}, where ${expected} used to be`,
        { peer: expected, details: { successor: id } },
      );
    }
    if (id === this.#parts.instanceId) {
      link.close(0);
      return this.#self;
    }
    const peer = this.peers.ensure(id);
    const known = peer.dialled;
    if (known !== null && known !== session && known.link.state === "open") {
      link.close(0);
      return known;
    }
    session.negotiate(this.#parts.features, reply.zeromesh);
    session.peer = peer;
    peer.zeromesh = session.zeromesh;
    peer.dialled = session;
    if (peer.endpoints.length === 0) peer.endpoints = [link.endpoint];
    if (session.batch) this.#parts.startBatching(link);
    link.open();
    this.#announce(peer, link.endpoint);
    return session;
  }

  #announce(peer: Peer, endpoint: string | null): void {
    if (peer.announced) return;
    peer.announced = true;
    this.#parts.status.publish({ type: "peerUp", peer: peer.instanceId, endpoint, zeromesh: peer.zeromesh });
  }

  #checkIdentity(call: InboundCall, claimed: InstanceId, named: InstanceId): void {
    const routingId = call.session.link.routingId;
    const known = call.session.peer;
    const fits = claimed === named &&
      (routingId === null || (routingId.length >= 16 && instanceIdFromBytes(routingId) === claimed)) &&
      (known === null || known.instanceId === claimed);
    if (fits) return;
    throw new ZeromeshError(
      "IDENTITY_MISMATCH",
      `The connection does not belong to the instance that it names (${claimed})`,
      { peer: claimed },
    );
  }

  #undialable(peer: Peer): ZeromeshError {
    return new ZeromeshError(
      "PEER_DISCONNECTED",
      `Peer ${peer.instanceId} is not connected and has no address to dial; it has to connect again`,
      { peer: peer.instanceId },
    );
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, closing } = this.#parts;
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        closing.removeEventListener("abort", done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const cancel = clock.after(ms, done);
      closing.addEventListener("abort", done);
      signal?.addEventListener("abort", done);
    });
  }
}
