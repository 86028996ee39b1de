/** What a writer that keeps to no rule may cost its reader. */
import { expect, test } from "bun:test";
import { writersAnchor } from "../../src/streams/byte_stream.ts";
import { firstWindow } from "../../src/streams/mux/peer_mux.ts";
import { streamCounts } from "../../src/streams/mux/stats.ts";
import { UnreadBytes } from "../../src/streams/mux/unread_bytes.ts";
import { BatchBuffer, RecordType } from "../../src/streams/wire/batch.ts";
import { terminalFrames } from "../../src/streams/wire/frame.ts";
import { End, frameOf, Pair, recordsOf } from "../support/streams_pair.ts";
import { FakeClock } from "./core_fake_clock.ts";

const limits = { maxUnclaimed: 1_024, maxPeerStreams: 16_384 };

/** Adds the opening of a stream that its writer names. */
function open(batch: BatchBuffer, slot: number, session: bigint): void {
  const at = batch.open(RecordType.open, slot, 0, 16);
  batch.writeUint64(at, writersAnchor);
  batch.writeUint64(at + 8, session);
}

function add(batch: BatchBuffer, slot: number, sequence: number, body: Uint8Array): void {
  batch.bytes.set(body, batch.open(RecordType.data, slot, sequence, body.length));
}

test("a peer that reads nothing, and breaks the rules or gives up stream after stream, makes nothing wait", () => {
  const end = new End(new FakeClock(), limits);
  end.room = false;
  end.write();
  end.mux.flush();
  const tooEarly = (batch: BatchBuffer, slot: number) => add(batch, slot, 100_000, frameOf("x"));
  const givenUp = (batch: BatchBuffer, slot: number) => {
    add(batch, slot, 1, frameOf(".x"));
    add(batch, slot, 2, terminalFrames.dropped);
  };
  let session = 0n;
  for (let batches = 0; batches < 100; batches++) {
    const batch = new BatchBuffer(1 << 20);
    for (let i = 0; i < 1_000; i++) {
      open(batch, i << 8, session++);
      (i % 2 === 0 ? tooEarly : givenUp)(batch, i << 8);
    }
    const bytes = batch.finish(1, batches);
    end.mux.receive(bytes, 0, bytes.length, false);
  }
  expect(end.mux.outbox.late).toBe(0);
  expect(end.counts).toMatchObject({ unclaimed: 0, readers: 0, unreadBytes: 0, accepted: 100_000 });
  expect(end.counts.dropped).toMatchObject({ holdOverflow: 50_000, repliesRefused: 50_000 });
  end.room = true;
  end.mux.resume();
  // What waited before: the opening of its own stream.
  expect(end.sent.flatMap(recordsOf).map(({ type }) => type)).toEqual([RecordType.open]);
});

test("the writer of an unknown slot is told once for records in succession", () => {
  const end = new End(new FakeClock());
  const batch = new BatchBuffer(10_000);
  for (const slot of [0x100, 0x200, 0x100]) {
    for (let i = 0; i < 100; i++) add(batch, slot, i, frameOf("."));
  }
  const bytes = batch.finish(1, 0);
  end.mux.receive(bytes, 0, bytes.length, false);
  end.flush();
  expect(end.counts.dropped.unknownSlot).toBe(300);
  expect(end.sent.flatMap(recordsOf).map(({ type, slot }) => [type, slot])).toEqual(
    [0x100, 0x200, 0x100].map((slot) => [RecordType.close, slot]),
  );
});

test("a stream that was dropped before its reader came is gone at both ends", () => {
  const pair = new Pair();
  const options = { anchor: writersAnchor, window: firstWindow };
  const { writer } = pair.a.write(options);
  writer.write(frameOf(".a"));
  pair.carry();
  expect(pair.b.counts.unclaimed).toBe(1);
  writer.abandon();
  pair.carry();
  expect([pair.a.mux.size, pair.b.mux.size, pair.b.counts.unclaimed]).toEqual([0, 0, 0]);
});

test("a stream that its writer has finished can be taken back until a reader has come", async () => {
  const pair = new Pair();
  const options = { anchor: writersAnchor, window: firstWindow };
  for (const [session, frames] of [[1n, 0], [2n, 1]] as const) {
    const { writer } = pair.a.write({ ...options, session });
    for (let i = 0; i < frames; i++) writer.write(frameOf(".a"));
    writer.end(terminalFrames.finalized);
    pair.carry();
    expect(pair.b.counts.unclaimed).toBe(1);
    writer.abandon();
    writer.abandon();
    pair.carry();
    expect([pair.a.mux.size, pair.b.mux.size, pair.b.counts.unclaimed]).toEqual([0, 0, 0]);
  }
  const { writer } = pair.a.write({ ...options, session: 3n });
  writer.write(frameOf(".a"));
  writer.end(terminalFrames.finalized);
  pair.carry();
  const { reader } = pair.b.read({ ...options, session: 3n });
  writer.abandon();
  pair.carry();
  expect([reader.size, reader.ended?.reason]).toEqual([1, "finalized"]);
  // One that nobody takes back, and nobody reads, is gone in time.
  const forgotten = pair.a.write({ ...options, session: 4n });
  forgotten.writer.write(frameOf(".a"));
  forgotten.writer.end(terminalFrames.finalized);
  await pair.pass(220_000, 10_000);
  expect([pair.b.counts.unclaimed, pair.a.mux.size]).toEqual([0, 0]);
});

test("credit beyond what was sent does not widen a window", () => {
  for (const creditsBytes of [true, false]) {
    const pair = new Pair();
    const options = { window: { items: 8, bytes: 1_000 }, creditsBytes };
    pair.b.read(options);
    const { writer } = pair.a.write(options);
    pair.carry();
    for (let i = 0; i < 3; i++) writer.write(frameOf("."));
    const batch = new BatchBuffer(100);
    const at = batch.open(RecordType.credit, 0, 0, 8);
    batch.writeUint32(at, 0xffff_ffff);
    batch.writeUint32(at + 4, 0xffff_ffff);
    const bytes = batch.finish(1, 0);
    pair.a.mux.receive(bytes, 0, bytes.length, false);
    let sent = 0;
    while (sent < 100 && writer.write(frameOf("."))) sent++;
    expect(sent).toBe(8);
  }
});

test("what waits for readers is bounded for all peers together, and each has a share", () => {
  const counts = streamCounts();
  const limits = { shareBytes: 1 << 30, maxUnclaimedBytes: 100_000 };
  const peers = Array.from({ length: 20 }, () => new UnreadBytes(limits, counts, () => {}));
  const added = peers.map((peer) => {
    let bytes = 0;
    for (; peer.hasRoom(100, true); bytes += 100) peer.add(100, true);
    return bytes;
  });
  expect(counts.unclaimedBytes).toBeLessThanOrEqual(100_000);
  expect(added[0]).toBeGreaterThan(90_000);
  expect(added[1]).toBeGreaterThan(1_000);
  // What has a reader is bounded by its window.
  expect(peers[19]!.hasRoom(100_000, false)).toBe(true);
  peers[0]!.claim(added[0]!);
  expect(peers[19]!.hasRoom(10_000, true)).toBe(true);
});

test("a stream that exceeds the bytes that may wait for readers ends, and its bytes are free again", () => {
  const pair = new Pair({ maxUnclaimedBytes: 1_000 });
  const options = { anchor: writersAnchor, window: firstWindow };
  const streams = [1n, 2n].map((session) => pair.a.write({ ...options, session }));
  for (const { writer } of streams) writer.write(new Uint8Array(600));
  pair.carry();
  expect(streams.map(({ seen }) => seen.ends.length)).toEqual([0, 1]);
  expect(pair.b.counts.dropped.bytesExceeded).toBe(1);
  expect(pair.b.counts).toMatchObject({ unclaimed: 1, unclaimedBytes: 600, unreadBytes: 600 });
  const { reader } = pair.b.read({ ...options, session: 1n });
  expect(pair.b.counts).toMatchObject({ unclaimedBytes: 0, unreadBytes: 600 });
  reader.cancel();
  // A record before its time is held for a stream without a reader, and counts too.
  const batch = new BatchBuffer(4_000);
  open(batch, 0x900, 3n);
  add(batch, 0x900, 3, new Uint8Array(400));
  add(batch, 0x900, 4, new Uint8Array(400));
  add(batch, 0x900, 5, new Uint8Array(400));
  const bytes = batch.finish(1, 7);
  pair.b.mux.receive(bytes, 0, bytes.length, false);
  expect(pair.b.counts.dropped.holdOverflow).toBe(1);
  expect(pair.b.counts).toMatchObject({ unclaimed: 0, unclaimedBytes: 0, unreadBytes: 0 });
});
