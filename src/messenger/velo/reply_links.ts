import { Shares } from "../../core/mod.ts";
import { copyBytes, type Link, type LinkLoss } from "../../transport/mod.ts";
import type { ResponseId } from "../../wire/mod.ts";
import { isNamed } from "../peers/identity.ts";
import type { PeerTable } from "../peers/peer_table.ts";
import { type Peer, Session } from "../peers/peer.ts";
import { introduced } from "./introductions.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of {@link ReplyLinks}. */
export interface ReplyLinksParts
  extends Pick<SharedParts, "transport" | "secure" | "maxStrangerDials" | "drops" | "maxQueuedBytes"> {
  /** The known peers. */
  readonly peers: PeerTable;
  /** The process's limit of descriptors; `Infinity` if unknown. */
  descriptorLimit(): number;
}

/** Counters of connections to addresses of unregistered peers. */
export interface StrangerDialStats {
  /** Open connections and attempts. */
  readonly open: number;
  /** Connections closed for another one at the limit (`maxStrangerDials`). */
  readonly replaced: number;
}

// Each needs three descriptors, so this leaves most of them for others.
const descriptorsForEach = 8;
// Bytes that a waiting answer counts for, besides its own.
const waitingBytes = 512;
// An answer sent just before the end has this long to arrive.
const lingerMs = 1_000;
const replaced: LinkLoss = {
  code: "PEER_DISCONNECTED",
  reason: "its connection was needed for another peer (maxStrangerDials)",
};
const left: LinkLoss = { code: "PEER_DISCONNECTED", reason: "the peer's own connection has ended" };

/**
 * The connections for answers to plain Velo, which takes them only over one that this side dials, to the address that
 * the peer named.
 *
 * Every client can name addresses. So a stranger is dialled only for an answer, and only while a connection of the
 * stranger is open. Their number is limited: a further one replaces one without a listener, or the least recently used.
 */
export class ReplyLinks {
  readonly #parts: ReplyLinksParts;
  readonly #ofStrangers = new Set<Peer>();
  /** Bytes of answers that wait for a link, by the connection that asked. */
  readonly #resolving: Shares<Session>;
  #max: number | null = null;
  #replaced = 0;

  /** @param parts Its parts. */
  constructor(parts: ReplyLinksParts) {
    this.#parts = parts;
    this.#resolving = new Shares(parts.maxQueuedBytes);
  }

  /** Counters. */
  stats(): StrangerDialStats {
    const open = [...this.#ofStrangers].filter((peer) => !peer.known).length;
    return { open, replaced: this.#replaced };
  }

  /**
   * The link for replies to the peer with a worker id: now, later, or null without one.
   *
   * @param asked The connection of the request; null without a request.
   */
  to(word0: number, word1: number, asked: Session | null): Link<Session> | Promise<Link<Session>> | null {
    const peer = this.#parts.peers.byWorker(word0, word1);
    if (peer === undefined) return null;
    const open = peer.dialled ?? peer.replies;
    if (open !== null && open.link.state === "open") {
      peer.repliesUsed = true;
      return open.link;
    }
    const { accepted } = peer;
    if (accepted !== null && accepted.sameConnection && accepted.link.state === "open") return accepted.link;
    const endpoint = peer.endpoints[0];
    if (endpoint === undefined) return null;
    // With CURVE nothing is sent unencrypted: a peer without a key gets no connection.
    if (this.#parts.secure && peer.publicKey === null) return null;
    if (peer.openingReplies === null) {
      if (!peer.known && !this.#admit(peer, asked)) return null;
      peer.openingReplies = this.#open(peer, endpoint).finally(() => {
        peer.openingReplies = null;
        this.#parts.peers.settle(peer);
      });
    }
    const later = peer.openingReplies.then((session) => session.link);
    // A caller may not wait for it.
    later.catch(() => {});
    return later;
  }

  /**
   * The link by which the messages to a peer leave; null without one. A link to its address is made only for plain
   * Velo.
   */
  wayTo(peer: Peer): Link<Session> | Promise<Link<Session>> | null {
    return peer.session?.link ?? (peer.dialect.ours ? null : this.to(peer.worker0, peer.worker1, null));
  }

  /**
   * Sends the answer to a request, whose header lies at the start of the transport's header memory, by the link to its
   * sender.
   */
  answer(
    session: Session,
    id: ResponseId,
    type: number,
    length: number,
    payload: Uint8Array,
    owned: boolean,
  ): void {
    const { drops, transport, maxQueuedBytes } = this.#parts;
    // With CURVE the answer goes to the owner of the key that sent the request, whatever the request names.
    if (session.link.peerKey !== null && !isNamed(session.peer, id)) return drops.count("identityMismatch");
    const link = this.to(id.id0, id.id1, session);
    if (link === null) return drops.count("noRoute");
    if (!(link instanceof Promise)) {
      session.replyLink = link;
      return link.post(type, length, payload, owned);
    }
    // Resolving a name may take long, during which the answer is held.
    const bytes = Math.min(length + payload.length + waitingBytes, maxQueuedBytes);
    if (!this.#resolving.take(session, bytes)) return drops.count("noRoute");
    const header = copyBytes(transport.headerBytes.subarray(0, length));
    const kept = owned ? payload : copyBytes(payload);
    link.then((opened) => {
      transport.headerBytes.set(header);
      opened.post(type, length, kept, true);
    }, () => drops.count("noRoute")).finally(() => this.#resolving.give(session, bytes));
  }

  /** A connection of a peer has ended. Its last one takes the connection for replies with it. */
  ended(peer: Peer, session: Session): void {
    const { link } = session;
    if (link.kind === "dialled" && peer.replies === session) {
      if (!link.established) peer.replyAddress++;
      this.#ofStrangers.delete(peer);
    }
    peer.drop(session);
    const leaves = link.kind === "accepted" && !peer.known && peer.introduced.size === 0;
    if (leaves && this.#ofStrangers.delete(peer)) this.#close(peer, left);
  }

  /** Dials a peer: plain Velo introduces itself, and is answered over this connection without a hello. */
  async #open(peer: Peer, endpoint: string): Promise<Session> {
    const { transport, secure } = this.#parts;
    const addresses = await transport.resolve(endpoint);
    if (!peer.known && !this.#ofStrangers.has(peer)) throw new Error("It was given up meanwhile");
    const address = addresses[peer.replyAddress % addresses.length]!;
    const session = new Session(
      transport.dial(address, { endpoint, serverKey: secure ? peer.publicKey : null }),
    );
    session.peer = peer;
    peer.replies = session;
    peer.repliesUsed = true;
    session.link.open();
    return session;
  }

  /** Whether a stranger's address may be dialled now, after making room. */
  #admit(peer: Peer, asked: Session | null): boolean {
    if (peer.introduced.size === 0) {
      // libzmq reconnects by itself, and plain Velo does not repeat its hello.
      const anew = asked !== null && asked.peer === null && !asked.dialect.ours &&
        asked.link.kind === "accepted" &&
        asked.link.state === "open";
      if (!anew) return false;
      introduced(asked, peer);
    }
    this.#makeRoom();
    this.#ofStrangers.add(peer);
    return true;
  }

  #makeRoom(): void {
    const { maxStrangerDials, descriptorLimit } = this.#parts;
    const max = this.#max ??= Math.max(1, Math.min(maxStrangerDials, descriptorLimit() / descriptorsForEach));
    if (this.#ofStrangers.size < max) return;
    let victim: Peer | null = null;
    for (const peer of this.#ofStrangers) {
      // A peer that this side has called counts among its own connections.
      if (peer.known) this.#ofStrangers.delete(peer);
      else if (peer.replies?.link.established !== true) victim ??= peer;
    }
    if (this.#ofStrangers.size < max) return;
    victim ??= this.#unused();
    this.#ofStrangers.delete(victim);
    this.#replaced++;
    this.#close(victim, replaced);
  }

  /** The next of the connections that were not used since the last check. */
  #unused(): Peer {
    for (const peer of this.#ofStrangers) {
      if (!peer.repliesUsed) return peer;
      peer.repliesUsed = false;
      this.#ofStrangers.delete(peer);
      this.#ofStrangers.add(peer);
    }
    throw new Error("Nobody is dialled");
  }

  #close(peer: Peer, loss: LinkLoss): void {
    const link = peer.replies?.link;
    link?.close(link.established ? lingerMs : 0, loss);
  }
}
