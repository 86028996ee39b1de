import { Deadlines, type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { PeerConnection, SystemMessage, SystemPort } from "../messenger/mod.ts";
import type {
  ByteReader,
  ByteWriter,
  ReaderEvents,
  StreamMux,
  StreamOptions,
  StreamWindow,
  WriterEvents,
} from "./byte_stream.ts";
import { BatchMemory } from "./mux/batch_memory.ts";
import type { MuxParts } from "./mux/peer_mux.ts";
import { type MuxStats, type StreamCounts, streamCounts } from "./mux/stats.ts";
import type { ResolvedStreamLimits } from "./options.ts";
import { batchHeaderSize, recordHeaderSize } from "./wire/batch.ts";
import { batchHandler, PeerStreams } from "./peer_streams.ts";

const muxes = new WeakMap<SystemPort, StreamPort>();

/**
 * The streams of a messenger, given its port. @throws {TypeError} If the messenger was made without them.
 *
 * @ignore
 */
export function streamsAt(port: SystemPort): StreamPort {
  const mux = muxes.get(port);
  if (mux === undefined) throw new TypeError("Cannot use streams: the messenger was made without them");
  return mux;
}

/**
 * The streams of a messenger, over its port.
 *
 * @ignore
 */
export class StreamPort implements StreamMux {
  readonly window: StreamWindow;
  /** The largest frame that this instance takes. */
  readonly maxFrameBytes: number;
  readonly #port: SystemPort;
  readonly #limits: ResolvedStreamLimits;
  readonly #counts: StreamCounts = streamCounts();
  readonly #peers = new Map<InstanceId, PeerStreams>();
  /** Streams that one peer, whichever comes first, may open, by anchor and session. */
  readonly #prepared = new Map<bigint, (peer: InstanceId) => void>();
  readonly #beforeClose: (() => void)[] = [];
  #parts: MuxParts | null = null;
  #lastId = 0n;
  #lastEpoch = 0;
  #closed = false;

  constructor(port: SystemPort, limits: ResolvedStreamLimits) {
    this.#port = port;
    this.#limits = limits;
    this.window = Object.freeze({ items: limits.windowItems, bytes: limits.windowBytes });
    this.maxFrameBytes = port.maxPayloadBytes - batchHeaderSize - recordHeaderSize;
    muxes.set(port, this);
    // Streams go on until the calls that they belong to have ended.
    port.handle(batchHandler, "am", (message) => this.#receive(message), { whileDraining: true });
    port.watch({
      lost: (peer, _rest, connection) => {
        if (this.#peers.get(peer)?.uses(connection) === true) this.#lose(peer);
      },
      closing: () => this.#close(),
    });
  }

  newId(): bigint {
    return ++this.#lastId;
  }

  supports(peer: InstanceId): boolean {
    return peer === this.#port.instanceId || this.#port.supports(peer, "streams");
  }

  openWriter(peer: InstanceId, options: StreamOptions, events: WriterEvents): ByteWriter {
    return this.#streams(peer, options.connection).mux.openWriter(options, events);
  }

  bind(peer: InstanceId, options: StreamOptions, events: ReaderEvents): ByteReader {
    return this.#streams(peer, options.connection).mux.bind(options, events);
  }

  prepare(anchor: bigint, session: bigint, opened: (peer: InstanceId) => void): Disposable {
    const key = anchor << 64n | session;
    this.#prepared.set(key, opened);
    return { [Symbol.dispose]: () => void this.#prepared.delete(key) };
  }

  forgotten(): void {
    this.#counts.forgotten++;
  }

  flush(peer: InstanceId): void {
    this.#peers.get(peer)?.mux.flush();
  }

  beforeClose(run: () => void): void {
    this.#beforeClose.push(run);
  }

  /** Whether there has been a stream. */
  get used(): boolean {
    return this.#parts !== null;
  }

  /** A snapshot of the counters. */
  counters(): MuxStats {
    const { ends, dropped, ...counts } = this.#counts;
    return { ...counts, ends: { ...ends }, dropped: { ...dropped } };
  }

  #receive(message: SystemMessage): void {
    const { session, lent: { source, payloadStart, payloadEnd, owned } } = message;
    const peer = this.#port.senderOf(message)?.instanceId;
    const streams = peer === undefined ? null : this.#peers.get(peer) ?? this.#make(peer, session);
    if (streams === null) this.#counts.dropped.stranger++;
    else streams.receive(session, source, payloadStart, payloadEnd, owned);
  }

  #streams(peer: InstanceId, over?: PeerConnection): PeerStreams {
    const streams = this.#closed ? null : this.#peers.get(peer) ?? this.#make(peer, over);
    if (streams !== null) return streams;
    throw new ZeromeshError(
      "PEER_DISCONNECTED",
      `Cannot open a stream with peer ${this.#port.textOf(peer)}: there is no connection`,
      { peer, ran: "no" },
    );
  }

  /**
   * The streams with a peer, which are none yet; null without a connection.
   *
   * @param over The connection by which the peer asked for them. Another one may be about to end, if both have dialled, or
   * one has been dialled anew.
   */
  #make(peer: InstanceId, over?: PeerConnection): PeerStreams | null {
    const asked = over !== undefined && this.#port.supports(peer, "streams") ? over : null;
    const connection = this.#closed ? null : asked ?? this.#port.connectionTo(peer);
    if (connection === null) return null;
    const { clock } = this.#port;
    this.#parts ??= {
      ...this.#limits,
      shareBytes: this.#port.maxPeerBytes,
      counts: this.#counts,
      deadlines: new Deadlines(clock),
      memory: new BatchMemory(),
    };
    // Plain Velo keeps the epoch of a peer, so it must not fall with another run of the same instance.
    const epoch = this.#lastEpoch = Math.max(this.#lastEpoch + 1, Math.floor(clock.wallNow()));
    const streams: PeerStreams = new PeerStreams(this.#port, peer, connection, {
      parts: this.#parts,
      epoch,
      lost: () => {
        if (this.#peers.get(peer) === streams) this.#lose(peer);
      },
      opening: (anchor, session) => this.#opening(peer, anchor, session),
    });
    this.#peers.set(peer, streams);
    return streams;
  }

  #opening(peer: InstanceId, anchor: bigint, session: bigint): void {
    if (this.#prepared.size === 0) return;
    const key = anchor << 64n | session;
    const opened = this.#prepared.get(key);
    this.#prepared.delete(key);
    opened?.(peer);
  }

  #lose(peer: InstanceId): void {
    const streams = this.#peers.get(peer);
    this.#peers.delete(peer);
    streams?.mux.lose();
  }

  #close(): void {
    for (const run of this.#beforeClose) run();
    this.#closed = true;
    for (const { mux } of this.#peers.values()) mux.flush();
    for (const peer of [...this.#peers.keys()]) this.#lose(peer);
    this.#parts?.deadlines.close();
  }
}
