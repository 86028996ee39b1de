import type { InstanceId } from "../core/mod.ts";
import type { PeerConnection, SystemPort } from "../messenger/mod.ts";
import { encodeUtf8 } from "../wire/mod.ts";
import { type MuxParts, type MuxPeer, PeerMux } from "./mux/peer_mux.ts";
import { afterTurn } from "./turn_share.ts";
import { batchHeaderSize, recordHeaderSize } from "./wire/batch.ts";

/** The handler that takes the batches of lane 0, the only one over ZeroMQ. */
export const batchHandler = "_stream_batch";

const handlerName = encodeUtf8(batchHandler);
// Continuations of promises resolved in one turn add their records before the batch leaves. As in the batches of
// messages, a turn is over after some microtasks without a new one, and the chain of them is bounded.
const maxHops = 16;
const maxQuietHops = 4;
// A turn that adds records as fast as this goes on collecting until its end or a full batch: a generator that yields, or a
// loop that awaits each send, adds one in a few microtasks. A slower one would hold its records back.
const busyMs = 0.5;

/** The streams with one peer, and the connection that they use. All of them end with it. */
export class PeerStreams implements MuxPeer {
  /** The streams. */
  readonly mux: PeerMux;
  readonly text: string;
  readonly ours: boolean;
  readonly maxFrameBytes: number;
  readonly shareBytes: number;
  readonly #port: SystemPort;
  readonly #peer: InstanceId;
  readonly #lost: () => void;
  readonly #opening: (anchor: bigint, session: bigint) => void;
  /** The connection by which batches leave; null until it is there. */
  #outgoing: PeerConnection | null = null;
  /** The connection by which the last batch came. */
  #incoming: PeerConnection | null = null;
  /** Bytes that count in the share of the peer, by that connection. */
  #kept = 0;
  #scheduled = false;
  #seen = 0;
  #since = 0;
  #hops = 0;
  #quietHops = 0;

  /**
   * @param connection The connection to the peer, or a promise of it.
   * @param lost Called when a batch finds the connection closed.
   * @param opening Called when the peer opens a stream without a reader.
   */
  constructor(
    port: SystemPort,
    peer: InstanceId,
    connection: PeerConnection | Promise<PeerConnection>,
    { parts, epoch, lost, opening }: {
      parts: MuxParts;
      epoch: number;
      lost: () => void;
      opening: (anchor: bigint, session: bigint) => void;
    },
  ) {
    this.#port = port;
    this.#peer = peer;
    this.#lost = lost;
    this.#opening = opening;
    this.text = port.textOf(peer);
    this.ours = peer === port.instanceId || port.supports(peer, "streams");
    let most = port.maxPayloadBytes;
    let share = port.maxPeerBytes;
    if (connection instanceof Promise) {
      connection.then((made) => {
        this.#outgoing = made;
        this.mux.resume();
      }, lost);
    } else {
      this.#outgoing = connection;
      most = Math.min(most, connection.maxPayloadBytes);
      share = connection.maxPeerBytes;
    }
    this.shareBytes = share;
    this.maxFrameBytes = most - batchHeaderSize - recordHeaderSize;
    this.mux = new PeerMux(parts, this, epoch);
  }

  /** Whether it uses a connection. */
  uses(connection: PeerConnection): boolean {
    return connection === this.#outgoing || connection === this.#incoming;
  }

  /** Takes a batch of the peer. */
  receive(connection: PeerConnection, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    if (connection !== this.#incoming) {
      if (this.#incoming !== null) this.#port.keep(this.#incoming, -this.#kept);
      this.#port.keep(connection, this.#kept);
      this.#incoming = connection;
    }
    this.mux.receive(bytes, start, end, owned);
  }

  keeps(bytes: number): void {
    this.#kept += bytes;
    if (this.#incoming !== null) this.#port.keep(this.#incoming, bytes);
  }

  send(batch: Uint8Array): boolean {
    // Its promise resumes what waits.
    if (this.#outgoing === null) return false;
    const outcome = this.#port.sendOver(this.#outgoing, handlerName, batch, this.#resume);
    // In a microtask, since the ends of streams call back.
    if (outcome === "closed") queueMicrotask(this.#lost);
    return outcome === "sent";
  }

  collected(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#hops = this.#quietHops = 0;
    this.#seen = this.mux.outbox.activity;
    queueMicrotask(this.#step);
  }

  opening(anchor: bigint, session: bigint): void {
    this.#opening(anchor, session);
  }

  push(): void {
    if (this.#outgoing !== null) this.#port.flushOver(this.#outgoing);
  }

  readonly #resume = (): void => this.mux.resume();

  readonly #step = (): void => {
    const { activity, empty } = this.mux.outbox;
    // What was collected has left, as with the end of a call.
    if (empty) return void (this.#scheduled = false);
    if (activity !== this.#seen) {
      this.#seen = activity;
      this.#hops++;
      this.#quietHops = 0;
      if (this.#hops === 1) this.#since = this.#port.clock.now();
    } else this.#quietHops++;
    if (this.#quietHops < maxQuietHops) {
      if (this.#hops < maxHops) return queueMicrotask(this.#step);
      if (this.#port.clock.now() - this.#since < busyMs) return afterTurn(this.#end);
    }
    this.#end();
  };

  readonly #end = (): void => {
    this.mux.flush();
    this.#scheduled = false;
  };
}
