/** Instances whose anchors and senders use the multiplexer itself, over connections in memory, in virtual time. */
import { Deadlines, type InstanceId } from "../../src/core/mod.ts";
import type { StreamMux } from "../../src/streams/byte_stream.ts";
import { BatchMemory } from "../../src/streams/mux/batch_memory.ts";
import { PeerMux } from "../../src/streams/mux/peer_mux.ts";
import { type StreamCounts, streamCounts } from "../../src/streams/mux/stats.ts";
import { StreamNet, type StreamNode } from "./streams_kit.ts";

const limits = {
  maxPeerStreams: 20_000,
  maxPeerBytes: 64 * 1024 * 1024,
  maxUnclaimed: 10,
  maxUnclaimedBytes: 1 << 28,
};

/** The streams of one instance: one multiplexer for each peer. */
class NodeMux implements StreamMux {
  readonly window = { items: 8, bytes: 10_000 };
  readonly counts: StreamCounts = streamCounts();
  readonly deadlines: Deadlines;
  readonly peers = new Map<InstanceId, PeerMux>();
  readonly sent = new Map<InstanceId, Uint8Array[]>();
  /** Peers whose connection has no room. */
  readonly blocked = new Set<InstanceId>();
  readonly #net: MuxNet;
  readonly #node: StreamNode;
  readonly #prepared = new Map<string, (peer: InstanceId) => void>();
  readonly #memory = new BatchMemory();
  #lastId = 0n;
  #epoch = 0;

  constructor(net: MuxNet, node: StreamNode) {
    this.#net = net;
    this.#node = node;
    this.deadlines = new Deadlines(net.clock);
  }

  newId = (): bigint => ++this.#lastId;
  supports = (peer: InstanceId): boolean => this.#net.get(peer).ours && this.#node.ours;
  flush = (peer: InstanceId): void => this.peers.get(peer)?.flush();
  forgotten = (): void => {};
  beforeClose = (): void => {};
  bind: StreamMux["bind"] = (peer, options, events) => this.of(peer).bind(options, events);
  openWriter: StreamMux["openWriter"] = (peer, options, events) => this.of(peer).openWriter(options, events);

  prepare: StreamMux["prepare"] = (anchor, session, opened) => {
    const key = `${anchor}.${session}`;
    this.#prepared.set(key, opened);
    return { [Symbol.dispose]: () => void this.#prepared.delete(key) };
  };

  /** The streams with a peer. */
  of(peer: InstanceId): PeerMux {
    const known = this.peers.get(peer);
    if (known !== undefined) return known;
    const sent: Uint8Array[] = [];
    const mux = new PeerMux({
      ...limits,
      shareBytes: 2 * limits.maxPeerBytes,
      counts: this.counts,
      deadlines: this.deadlines,
      memory: this.#memory,
    }, {
      text: peer,
      ours: this.supports(peer),
      maxFrameBytes: 1 << 20,
      shareBytes: 2 * limits.maxPeerBytes,
      keeps() {},
      send: (batch) => {
        if (this.blocked.has(peer)) return false;
        sent.push(batch.slice());
        return true;
      },
      collected() {},
      push() {},
      opening: (anchor, session) => {
        const key = `${anchor}.${session}`;
        const opened = this.#prepared.get(key);
        this.#prepared.delete(key);
        opened?.(peer);
      },
    }, ++this.#epoch);
    this.peers.set(peer, mux);
    this.sent.set(peer, sent);
    return mux;
  }
}

/** Such instances. What one of them sends arrives when it is carried over. */
export class MuxNet extends StreamNet {
  readonly #muxes: Map<InstanceId, NodeMux>;
  readonly #cut = new Set<string>();

  constructor() {
    const muxes = new Map<InstanceId, NodeMux>();
    // The nodes call it, so later than this constructor.
    super((node): StreamMux => {
      const mux = new NodeMux(this, node);
      muxes.set(node.id, mux);
      return mux;
    });
    this.#muxes = muxes;
  }

  /** The counters of an instance's streams. */
  counts(of: StreamNode): StreamCounts {
    return this.#muxes.get(of.id)!.counts;
  }

  /** The streams of an instance. */
  muxOf(node: StreamNode): StreamMux {
    return this.#muxes.get(node.id)!;
  }

  /** Carries one batch of one connection, if there is one, which leaves the others where they are. */
  carryOne(pick: <T>(items: readonly T[]) => T): void {
    const [from, mux] = pick([...this.#muxes]);
    if (mux.peers.size === 0) return;
    const [to, peer] = pick([...mux.peers]);
    peer.flush();
    const batch = mux.sent.get(to)!.shift();
    if (batch !== undefined) this.#muxes.get(to)!.of(from).receive(batch, 0, batch.length, false);
  }

  /** Whether a connection takes batches of one of its ends. */
  setRoom(from: StreamNode, to: StreamNode, room: boolean): void {
    const mux = this.#muxes.get(from.id)!;
    if (!room) return void mux.blocked.add(to.id);
    mux.blocked.delete(to.id);
    mux.peers.get(to.id)?.resume();
  }

  /** Carries batches until nothing is under way, and lets promises settle in between. */
  async carry(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      quiet++;
      for (const [from, mux] of this.#muxes) {
        for (const [to, peer] of mux.peers) {
          peer.flush();
          for (const batch of mux.sent.get(to)!.splice(0)) {
            if (this.#cut.has(`${from} ${to}`)) continue;
            this.#muxes.get(to)!.of(from).receive(batch, 0, batch.length, false);
            quiet = 0;
          }
        }
      }
    }
  }

  /** Lets time pass in steps, and carries what is sent. */
  async pass(ms: number, step = 100): Promise<void> {
    for (let at = 0; at < ms; at += step) {
      await this.carry();
      this.clock.advance(step);
    }
    await this.carry();
  }

  /** From now on, nothing of one instance reaches another one, which does not notice. */
  silence(from: StreamNode, to: StreamNode): void {
    this.#cut.add(`${from.id} ${to.id}`);
  }

  /** The connection between two instances is lost, and another one takes its place. */
  lose(one: StreamNode, other: StreamNode): void {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      const mux = this.#muxes.get(from.id)!;
      const lost = mux.peers.get(to.id);
      mux.peers.delete(to.id);
      mux.sent.delete(to.id);
      lost?.lose();
    }
  }
}
