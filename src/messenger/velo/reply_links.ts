import { Shares } from "../../core/mod.ts";
import { copyBytes, type Link, type LinkLoss } from "../../transport/mod.ts";
import type { ResponseId } from "../../wire/mod.ts";
import { isNamed } from "../peers/identity.ts";
import type { PeerTable } from "../peers/peer_table.ts";
import { type Peer, Session } from "../peers/peer.ts";
import { introduced } from "./introductions.ts";
import type { SharedParts } from "../shared_parts.ts";

/** What {@link ReplyLinks} work with. */
export interface ReplyLinksParts
  extends Pick<SharedParts, "transport" | "secure" | "maxStrangerDials" | "drops" | "maxQueuedBytes"> {
  /** Everybody known. */
  readonly peers: PeerTable;
  /** How many descriptors the process may open; `Infinity` where that is not known. */
  descriptorLimit(): number;
}

/** Counters of connections that were dialled because strangers named the address. */
export interface StrangerDialStats {
  /** Open now, or being opened. */
  readonly open: number;
  /** Closed since the start to make room for another one (`maxStrangerDials`). */
  readonly replaced: number;
}

// Of three descriptors each; so however many are allowed, most descriptors are left for others.
const descriptorsForEach = 8;
// Bytes that a waiting answer counts for, besides its own.
const waitingBytes = 512;
// An answer that was sent just before the end may take this long to get there.
const lingerMs = 1_000;
const replaced: LinkLoss = {
  code: "PEER_DISCONNECTED",
  reason: "its connection was needed for another peer (maxStrangerDials)",
};
const left: LinkLoss = { code: "PEER_DISCONNECTED", reason: "the peer's own connection has ended" };

/**
 * The connections by which plain Velo is answered: it takes answers only over one that this side dials, to the address
 * that it has named.
 *
 * Anybody can name addresses. So one of a stranger is dialled when there is something to send, and only as long as a
 * connection of the stranger is open; there are so many of them at a time, and a further one takes the place of one that
 * leads nowhere, or was not used for longest.
 */
export class ReplyLinks {
  readonly #parts: ReplyLinksParts;
  readonly #ofStrangers = new Set<Peer>();
  /** Bytes of answers that wait for a link, by the connection that asked. */
  readonly #resolving: Shares<Session>;
  #max: number | null = null;
  #replaced = 0;

  /** @param parts What they work with. */
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
   * The link by which the peer with a worker id takes replies: now, later, or null when there is none.
   *
   * @param asked The connection that brought what is answered; null for what nobody has asked for.
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
    // With CURVE nothing leaves in clear: whoever has shown no key gets no connection of ours.
    if (this.#parts.secure && peer.publicKey === null) return null;
    if (peer.openingReplies === null) {
      if (!peer.known && !this.#admit(peer, asked)) return null;
      peer.openingReplies = this.#open(peer, endpoint).finally(() => {
        peer.openingReplies = null;
        this.#parts.peers.settle(peer);
      });
    }
    const later = peer.openingReplies.then((session) => session.link);
    // Not everybody who asks waits for it.
    later.catch(() => {});
    return later;
  }

  /** The link by which the messages to a peer leave; null without one. A link to its address is made only for plain Velo. */
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
    // With CURVE an answer goes to the owner of the key that asked, whatever the request says.
    if (session.link.peerKey !== null && !isNamed(session.peer, id)) return drops.count("identityMismatch");
    const link = this.to(id.id0, id.id1, session);
    if (link === null) return drops.count("noRoute");
    if (!(link instanceof Promise)) {
      session.replyLink = link;
      return link.post(type, length, payload, owned);
    }
    // A name may take long to be resolved, and whoever is answered there keeps it.
    const bytes = Math.min(length + payload.length + waitingBytes, maxQueuedBytes);
    if (!this.#resolving.take(session, bytes)) return drops.count("noRoute");
    const header = copyBytes(transport.headerBytes.subarray(0, length));
    const kept = owned ? payload : copyBytes(payload);
    link.then((opened) => {
      transport.headerBytes.set(header);
      opened.post(type, length, kept, true);
    }, () => drops.count("noRoute")).finally(() => this.#resolving.give(session, bytes));
  }

  /** A connection of a peer has ended. The one by which it took answers goes with its last one. */
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

  /** Plain Velo introduces itself and is answered through a connection of ours, before any hello of ours. */
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

  /** Whether a stranger's address may be dialled now; then there is room. */
  #admit(peer: Peer, asked: Session | null): boolean {
    if (peer.introduced.size === 0) {
      // libzmq connects again by itself, and plain Velo does not say hello then.
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
      // Whom this side has called since counts among its own connections.
      if (peer.known) this.#ofStrangers.delete(peer);
      else if (peer.replies?.link.established !== true) victim ??= peer;
    }
    if (this.#ofStrangers.size < max) return;
    victim ??= this.#unused();
    this.#ofStrangers.delete(victim);
    this.#replaced++;
    this.#close(victim, replaced);
  }

  /** The one whose turn it is among those that were not used since the last look at them. */
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
