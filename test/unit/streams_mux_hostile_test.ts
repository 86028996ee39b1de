/** What a writer that keeps to no rule may cost its reader. */
import { expect, test } from "bun:test";
import { writersAnchor } from "../../src/streams/byte_stream.ts";
import { firstWindow } from "../../src/streams/mux/peer_mux.ts";
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
