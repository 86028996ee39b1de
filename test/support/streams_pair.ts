/** Two ends of a connection's streams, without a connection: batches wait until they are carried over. */
import { Deadlines } from "../../src/core/mod.ts";
import type {
  ByteReader,
  ReaderEvents,
  StreamEnd,
  StreamOptions,
  WriterEvents,
} from "../../src/streams/byte_stream.ts";
import { BatchMemory } from "../../src/streams/mux/batch_memory.ts";
import { type MuxLimits, PeerMux } from "../../src/streams/mux/peer_mux.ts";
import { streamCounts } from "../../src/streams/mux/stats.ts";
import { RecordReader } from "../../src/streams/wire/batch.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";

/** A record of a batch, for comparison. */
export interface SeenRecord {
  readonly type: number;
  readonly slot: number;
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** The records of a batch. */
export function recordsOf(batch: Uint8Array): SeenRecord[] {
  const reader = new RecordReader();
  const records: SeenRecord[] = [];
  if (reader.begin(batch, 0, batch.length) !== null) throw new Error("a batch that was sent is malformed");
  while (reader.next() === null) {
    const { type, slot, sequence, start, end } = reader;
    records.push({ type, slot, sequence, body: batch.slice(start, end) });
  }
  return records;
}

/** One end. */
export class End {
  readonly counts = streamCounts();
  readonly mux: PeerMux;
  /** Batches that have left and not arrived. */
  readonly sent: Uint8Array[] = [];
  readonly deadlines: Deadlines;
  #due = false;
  /** Unread bytes, as the share of the peer knows them. */
  kept = 0;
  /** Whether the connection takes batches. */
  room = true;

  constructor(clock: FakeClock, limits: Partial<MuxLimits> = {}, ours = true, epoch = 1) {
    this.deadlines = new Deadlines(clock);
    const parts = {
      maxPeerStreams: 100,
      maxPeerBytes: 16 * 1024 * 1024,
      shareBytes: 2 * (limits.maxPeerBytes ?? 16 * 1024 * 1024),
      maxUnclaimed: 10,
      maxUnclaimedBytes: 256 * 1024 * 1024,
      ...limits,
      counts: this.counts,
      deadlines: this.deadlines,
      memory: new BatchMemory(),
    };
    this.mux = new PeerMux(parts, {
      text: "other",
      ours,
      maxFrameBytes: 1 << 20,
      shareBytes: parts.shareBytes,
      keeps: (bytes) => this.kept += bytes,
      send: (batch) => {
        if (this.room) this.sent.push(batch.slice());
        return this.room;
      },
      collected: () => this.#due = true,
      push() {},
      opening() {},
    }, epoch);
  }

  /** Sends what was collected, if there is something that says so. */
  flush(): void {
    if (this.#due) this.mux.flush();
    this.#due = false;
  }

  /** Opens a stream, and notes what happens to it. */
  write(options: Partial<StreamOptions> = {}) {
    const seen = { accepted: 0, credit: 0, stop: 0, ends: [] as StreamEnd[] };
    const events: WriterEvents = {
      accepted: () => seen.accepted++,
      credit: () => seen.credit++,
      stop: () => seen.stop++,
      ended: (end) => seen.ends.push(end),
    };
    return { writer: this.mux.openWriter({ ...defaults, ...options }, events), seen };
  }

  /** Reads a stream, and notes what happens to it. */
  read(options: Partial<StreamOptions> = {}) {
    const seen = { readable: 0, opened: 0 };
    const events: ReaderEvents = { readable: () => seen.readable++, opened: () => seen.opened++ };
    return { reader: this.mux.bind({ ...defaults, ...options }, events), seen };
  }
}

/** What {@link End.write} and {@link End.read} use unless they are told otherwise. */
export const defaults: StreamOptions = {
  anchor: 1n,
  session: 5n,
  window: { items: 8, bytes: 1_000 },
  creditsBytes: true,
  heartbeatMs: 1_000,
};

/** Two connected ends. */
export class Pair {
  readonly clock = new FakeClock();
  readonly a: End;
  readonly b: End;

  constructor(limits: Partial<MuxLimits> = {}, ours = true) {
    this.a = new End(this.clock, limits, ours);
    this.b = new End(this.clock, limits, ours);
  }

  /** Carries batches until nothing is under way. Returns how many there were. */
  carry(): number {
    let carried = 0;
    for (let quiet = false; !quiet;) {
      quiet = true;
      for (const [from, to] of [[this.a, this.b], [this.b, this.a]] as const) {
        from.flush();
        for (const batch of from.sent.splice(0)) {
          to.mux.receive(batch, 0, batch.length, false);
          carried++;
          quiet = false;
        }
      }
    }
    return carried;
  }

  /** Lets time pass in steps, and carries what is sent. */
  async pass(ms: number, step = 100): Promise<void> {
    for (let at = 0; at < ms; at += step) {
      await Promise.resolve();
      this.clock.advance(step);
      this.carry();
    }
  }
}

/** The frames that wait at a reader, as text. */
export function textsOf(reader: ByteReader): string[] {
  const texts: string[] = [];
  for (let frame = reader.take(); frame !== undefined; frame = reader.take()) {
    texts.push(new TextDecoder().decode(frame));
  }
  return texts;
}

/** Text as a frame. */
export const frameOf = (text: string): Uint8Array => new TextEncoder().encode(text);
