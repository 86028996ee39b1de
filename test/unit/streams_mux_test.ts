import { expect, test } from "bun:test";
import { writersAnchor } from "../../src/streams/byte_stream.ts";
import { firstWindow } from "../../src/streams/mux/peer_mux.ts";
import type { WriterSlot } from "../../src/streams/mux/writer_slot.ts";
import { BatchBuffer, CloseReason, RecordType } from "../../src/streams/wire/batch.ts";
import { terminalFrames, transportErrorFrame } from "../../src/streams/wire/frame.ts";
import { hexOf } from "../vectors/hex.ts";
import { defaults, End, frameOf, Pair, recordsOf, textsOf } from "../support/streams_pair.ts";

const data = (text: string) => frameOf(`.${text}`);
const { finalized } = terminalFrames;

/** An open stream from `a` to `b`. */
function connected(options: Partial<typeof defaults> = {}, pair = new Pair()) {
  const { reader, seen: heard } = pair.b.read(options);
  const { writer, seen } = pair.a.write(options);
  pair.carry();
  return { pair, reader, heard, writer, seen };
}

/** Fills a writer's window. Returns how many frames it took. */
function fill(writer: { write(frame: Uint8Array): boolean }, frame = data("x")): number {
  let count = 0;
  while (writer.write(frame)) count++;
  return count;
}

test("a stream carries its frames in order, and then its end, once", async () => {
  const { pair, reader, heard, writer, seen } = connected();
  expect(heard).toEqual({ opened: 1, readable: 0 });
  for (const text of ["a", "b", "c"]) expect(writer.write(data(text))).toBe(true);
  writer.end(finalized);
  writer.end(finalized);
  expect(writer.write(data("late"))).toBe(false);
  expect(pair.carry()).toBe(1);
  expect(heard.readable).toBe(2);
  expect(reader.ended?.reason).toBe("finalized");
  expect(reader.size).toBe(3);
  expect(textsOf(reader)).toEqual([".a", ".b", ".c"]);
  await pair.pass(25);
  expect(seen.ends).toEqual([]);
  expect([pair.a.mux.size, pair.b.mux.size]).toEqual([0, 0]);
  expect(pair.a.counts.ends.finalized + pair.b.counts.ends.finalized).toBe(2);
  expect(pair.b.counts).toMatchObject({ itemsReceived: 3, bytesReceived: 6, unreadBytes: 0, readers: 0 });
});

test("the records of a stream are those of Velo, and the last frame goes with the close in one batch", () => {
  const end = new End(new Pair().clock);
  const { writer } = end.write({ anchor: 1n, session: 11n, creditsBytes: false });
  end.mux.flush();
  expect(hexOf(end.sent[0]!)).toBe(
    "02000001000000000000000100000000" + "01000000000000000000000010" + "0000000000000001000000000000000b",
  );
  writer.write(data("7"));
  // So that the two do not fit behind the frames that are there.
  const { writer: other } = end.write({ session: 12n, window: { items: 1_000, bytes: 1e9 } });
  while (end.sent.length === 1) other.write(new Uint8Array(1_000));
  for (let i = 0; i < 15; i++) other.write(new Uint8Array(1_000));
  writer.end(transportErrorFrame("x".repeat(1_400)));
  end.mux.flush();
  // Batches are numbered.
  expect(end.sent.map((batch) => batch[15])).toEqual(end.sent.map((_, i) => i));
  const last = recordsOf(end.sent.at(-1)!).slice(-2);
  expect(last.map(({ type, slot, sequence }) => [type, slot, sequence])).toEqual([
    [RecordType.data, 0, 2],
    [RecordType.close, 0, 3],
  ]);
});

test("a writer stops at its window of items, and goes on when half of it was read", () => {
  const { pair, reader, writer, seen } = connected();
  expect(fill(writer)).toBe(8);
  pair.carry();
  expect(seen.credit).toBe(0);
  for (let i = 0; i < 3; i++) reader.take();
  expect(pair.carry()).toBe(0);
  reader.take();
  pair.carry();
  expect(seen).toMatchObject({ credit: 1, accepted: 1 });
  expect(fill(writer)).toBe(4);
  expect(pair.a.counts.creditWaits).toBe(2);
});

test("a writer stops at its window of bytes, which one frame may exceed", () => {
  const { pair, reader, writer, seen } = connected();
  expect(fill(writer, new Uint8Array(600))).toBe(2);
  pair.carry();
  expect(reader.size).toBe(2);
  reader.take();
  pair.carry();
  expect(seen.credit).toBe(1);
  expect(fill(writer, new Uint8Array(600))).toBe(1);
  expect(pair.b.counts.dropped.windowExceeded).toBe(0);
});

test("towards plain Velo credit counts items, and the writer keeps to its bytes by their sizes", () => {
  const { pair, reader, writer, seen } = connected({
    creditsBytes: false,
    window: { items: 4, bytes: 1_000 },
  });
  expect(fill(writer, new Uint8Array(600))).toBe(2);
  pair.carry();
  reader.take();
  pair.b.mux.flush();
  expect(recordsOf(pair.b.sent[0]!)[0]).toEqual({
    type: RecordType.credit,
    slot: 0,
    sequence: 0,
    body: Uint8Array.of(0, 0, 0, 1),
  });
  pair.carry();
  expect(seen.credit).toBe(1);
  expect(writer.write(new Uint8Array(1))).toBe(true);
});

test("credit in bytes is not used where items are agreed on", () => {
  const { pair, writer } = connected({ creditsBytes: false, window: { items: 4, bytes: 1_000 } });
  expect(fill(writer, new Uint8Array(600))).toBe(2);
  pair.carry();
  pair.b.mux.outbox.credit(0, 1, 7);
  pair.carry();
  expect(writer.open).toBe(true);
});

test("reserve() gives room in the batch, and takes nothing without commit()", () => {
  const { pair, reader, writer } = connected();
  const space = writer.reserve(100)!;
  space.bytes.set(data("lost"), space.at);
  expect(writer.reserve(100_000)!.bytes.length).toBeGreaterThan(100_000);
  const again = writer.reserve(100)!;
  again.bytes.set(data("kept"), again.at);
  writer.commit(5);
  pair.carry();
  expect(textsOf(reader)).toEqual([".kept"]);
  for (let i = 0; i < 7; i++) writer.commit((writer.reserve(1), 1));
  expect(writer.reserve(1)).toBeNull();
});

test("a frame above the size of a batch goes alone, in its order", () => {
  const { pair, reader, writer } = connected({ window: { items: 8, bytes: 1e6 } });
  writer.write(data("before"));
  writer.write(new Uint8Array(100_000));
  writer.write(data("after"));
  expect(pair.carry()).toBe(3);
  expect(reader.take()!.length).toBe(7);
  expect(reader.take()!.length).toBe(100_000);
  expect(reader.take()!.length).toBe(6);
});

test("ready() resolves with credit and with the end, and rejects with the signal's reason", async () => {
  const { pair, reader, writer } = connected();
  await writer.ready();
  fill(writer);
  const waiting = writer.ready();
  const aborted = new AbortController();
  const late = writer.ready(aborted.signal);
  aborted.abort(new Error("enough"));
  await expect(late).rejects.toThrow("enough");
  pair.carry();
  textsOf(reader);
  pair.carry();
  await waiting;
  fill(writer);
  const last = writer.ready();
  pair.a.mux.lose();
  await last;
  expect(writer.ended?.reason).toBe("peerLost");
});

test("an idle writer sends heartbeats, which cost credit and are never seen", async () => {
  const { pair, reader, heard, writer } = connected();
  await pair.pass(30_000);
  expect(reader.ended).toBeNull();
  expect(writer.ended).toBeNull();
  expect(heard.readable).toBe(0);
  expect(pair.a.counts.batchesSent).toBeGreaterThan(20);
  // The credit has come back: at most a quarter is kept.
  expect(fill(writer)).toBeGreaterThanOrEqual(6);
});

test("a silent writer is given up after three pauses, and is told", async () => {
  const { pair, reader, heard, seen } = connected();
  pair.a.room = false;
  await pair.pass(2_500);
  expect(reader.ended).toBeNull();
  await pair.pass(2_000);
  expect(reader.ended).toEqual({ reason: "dropped", text: "its writer was silent for too long" });
  expect(heard.readable).toBe(1);
  expect(seen.ends.map(({ reason }) => reason)).toEqual(["dropped"]);
});

test("a writer without credit may be silent", async () => {
  const { pair, reader, writer } = connected();
  fill(writer);
  pair.carry();
  await pair.pass(30_000, 500);
  expect(reader.ended).toBeNull();
  expect(textsOf(reader).length).toBe(8);
  expect(writer.ended).toBeNull();
});

test("a stream that nobody opens in time ends", async () => {
  const pair = new Pair();
  const { reader } = pair.b.read({ openMs: 1_000 });
  await pair.pass(1_500);
  expect(reader.ended?.reason).toBe("dropped");
  expect(pair.b.mux.size).toBe(0);
});

test("a reader that cancels ends its writer once, and frames under way are dropped", () => {
  const { pair, reader, writer, seen } = connected();
  writer.write(data("a"));
  pair.carry();
  writer.write(data("under way"));
  reader.cancel();
  reader.cancel();
  expect(reader.take()).toBeUndefined();
  pair.carry();
  expect(seen.ends).toEqual([{ reason: "cancelled", text: "" }]);
  expect([pair.a.mux.size, pair.b.mux.size]).toEqual([0, 0]);
  expect(pair.b.counts.unreadBytes).toBe(0);
});

test("a reader that stops asks its writer, which ends when it suits it", () => {
  const { pair, reader, writer, seen } = connected();
  reader.stop();
  pair.carry();
  expect(seen).toMatchObject({ stop: 1, accepted: 1, ends: [] });
  writer.write(data("last"));
  writer.end(finalized);
  pair.carry();
  expect(textsOf(reader)).toEqual([".last"]);
  expect(reader.ended?.reason).toBe("finalized");
});

test("a reader that stops before the stream is open asks when it is", () => {
  const pair = new Pair();
  pair.b.read().reader.stop();
  const { seen } = pair.a.write();
  pair.carry();
  expect(seen.stop).toBe(1);
});

test("lifecycle records of another session change nothing", () => {
  const { pair, writer, seen } = connected();
  pair.b.mux.outbox.lifecycle(0, 99n, 1);
  pair.carry();
  expect(writer.ended).toBeNull();
  expect(seen.accepted).toBe(0);
});

test("each last frame is an end of its own", () => {
  const cases = [
    [terminalFrames.finalized, { reason: "finalized", text: "" }],
    [terminalFrames.detached, { reason: "detached", text: "" }],
    [terminalFrames.dropped, { reason: "dropped", text: "" }],
    [transportErrorFrame("no disk"), { reason: "failed", text: "no disk" }],
  ] as const;
  for (const [frame, end] of cases) {
    const { pair, reader, writer } = connected();
    writer.end(frame);
    pair.carry();
    expect(reader.ended).toEqual(end);
    expect(writer.ended).toEqual(end);
  }
  expect(() => connected().writer.end(data("x"))).toThrow(TypeError);
});

test("a stream that the reader does not know ends with a reason", () => {
  const pair = new Pair();
  const { seen } = pair.a.write();
  pair.carry();
  expect(seen.ends).toEqual([{ reason: "failed", text: "the reader does not know the stream" }]);
  expect(pair.a.mux.size).toBe(0);
});

test("the loss of the connection ends every stream of both directions once", () => {
  const { pair, reader, heard, writer, seen } = connected();
  const back = { reader: pair.a.read({ session: 6n }), writer: pair.b.write({ session: 6n }) };
  const bound = pair.b.read({ session: 7n });
  writer.write(data("kept"));
  pair.carry();
  for (let i = 0; i < 2; i++) {
    pair.a.mux.lose();
    pair.b.mux.lose();
  }
  const ends = [reader, writer, back.reader.reader, back.writer.writer, bound.reader].map(({ ended }) =>
    ended!.reason
  );
  expect(new Set(ends)).toEqual(new Set(["peerLost"]));
  expect(seen.ends.length + back.writer.seen.ends.length).toBe(2);
  expect([heard.readable, back.reader.seen.readable, bound.seen.readable]).toEqual([2, 1, 1]);
  // What arrived can still be taken.
  expect(textsOf(reader)).toEqual([".kept"]);
  expect([pair.a.counts.readers, pair.a.counts.writers, pair.b.counts.readers, pair.b.counts.writers])
    .toEqual([0, 0, 0, 0]);
});

test("a slot used again has another generation, and late answers to the earlier one change nothing", () => {
  const pair = new Pair();
  const slots: number[] = [];
  for (let i = 0; i < 300; i++) {
    pair.b.read({ session: BigInt(i) });
    const { writer } = pair.a.write({ session: BigInt(i) });
    pair.a.mux.flush();
    slots.push(recordsOf(pair.a.sent.at(-1)!).at(-1)!.slot);
    writer.end(finalized);
    pair.carry();
  }
  expect(new Set(slots).size).toBe(300);
  expect(Math.max(...slots.map((slot) => slot >>> 8))).toBeLessThan(70);
  const { writer } = pair.a.write({ session: 1_000n });
  pair.b.read({ session: 1_000n });
  pair.carry();
  const { id } = writer as WriterSlot;
  for (const [slot, drop] of [[slots[299]!, "unknownSlot"], [id ^ 1, "generation"]] as const) {
    pair.b.mux.outbox.credit(slot, 5, 0);
    pair.b.mux.outbox.close(slot, 0, CloseReason.protocolError);
    pair.carry();
    expect(writer.ended).toBeNull();
    expect(pair.a.counts.dropped[drop]).toBe(2);
  }
});

test("batches of an earlier epoch are dropped, and a later one ends the writer's streams", () => {
  const { pair, reader, writer } = connected();
  writer.write(data("kept"));
  pair.carry();
  const restarted = new End(pair.clock, {}, true, 2);
  restarted.write({ session: 6n });
  restarted.mux.flush();
  const next = pair.b.read({ session: 6n });
  const [batch] = restarted.sent;
  pair.b.mux.receive(batch!, 0, batch!.length, false);
  expect(reader.ended?.reason).toBe("peerLost");
  expect(textsOf(reader)).toEqual([".kept"]);
  expect(next.reader.opened).toBe(true);
  writer.write(data("stale"));
  pair.carry();
  expect(pair.b.counts.dropped.staleEpoch).toBe(1);
  expect(next.reader.ended).toBeNull();
});

test("missing batches are counted, across the end of the numbers", () => {
  const end = new End(new Pair().clock);
  const empty = new BatchBuffer(16);
  for (const batch of [0xffff_fffe, 0xffff_ffff, 3, 1, 4]) {
    const bytes = empty.finish(1, batch);
    end.mux.receive(bytes, 0, bytes.length, false);
  }
  expect(end.counts).toMatchObject({ batchGaps: 3, batchesReceived: 5 });
});

/** Gives records to a reader that is open with slot 0. */
function handmade(end: End, ...records: [type: number, sequence: number, body: Uint8Array][]): void {
  const buffer = new BatchBuffer(10_000);
  for (const [type, sequence, body] of records) {
    buffer.bytes.set(body, buffer.open(type, 0, sequence, body.length));
  }
  const bytes = buffer.finish(1, 1);
  end.mux.receive(bytes, 0, bytes.length, false);
}

test("records that come too early wait for the earlier ones, and repeated ones are dropped", () => {
  const { pair, reader } = connected();
  const { data: item, close } = RecordType;
  handmade(pair.b, [item, 3, data("c")], [close, 6, Uint8Array.of(0)], [item, 5, finalized]);
  handmade(pair.b, [item, 3, data("again")], [item, 4, data("d")]);
  expect(reader.size).toBe(0);
  handmade(pair.b, [item, 1, data("a")], [item, 2, data("b")]);
  expect(reader.ended?.reason).toBe("finalized");
  expect(textsOf(reader)).toEqual([".a", ".b", ".c", ".d"]);
  expect(pair.b.counts).toMatchObject({ unreadBytes: 0, readers: 0 });
  const other = connected();
  handmade(other.pair.b, [item, 1, data("a")], [item, 1, data("a")], [item, 2, data("b")]);
  expect(textsOf(other.reader)).toEqual([".a", ".b"]);
  expect(other.pair.b.counts.dropped.duplicate).toBe(1);
});

test("records of another generation of an open slot are dropped", () => {
  const { pair, reader } = connected();
  const buffer = new BatchBuffer(1_000);
  for (const [type, body] of [[RecordType.data, data("x")], [RecordType.close, Uint8Array.of(0)]] as const) {
    buffer.bytes.set(body, buffer.open(type, 1, 1, body.length));
  }
  const bytes = buffer.finish(1, 1);
  pair.b.mux.receive(bytes, 0, bytes.length, false);
  expect([reader.size, reader.ended]).toEqual([0, null]);
  expect(pair.b.counts.dropped.generation).toBe(2);
});

test("records too far ahead end their stream alone", () => {
  const { pair, reader, seen } = connected();
  const other = pair.b.read({ session: 6n });
  pair.a.write({ session: 6n });
  pair.carry();
  handmade(pair.b, [RecordType.data, 30, data("x")]);
  expect(reader.ended?.reason).toBe("failed");
  pair.carry();
  expect(seen.ends[0]?.reason).toBe("failed");
  expect(other.reader.ended).toBeNull();
  expect(pair.b.counts.dropped.holdOverflow).toBe(1);
  const bytes = connected();
  for (let i = 8; i > 1; i--) handmade(bytes.pair.b, [RecordType.data, i, new Uint8Array(400)]);
  expect(bytes.reader.ended?.reason).toBe("failed");
  expect(bytes.pair.b.counts.unreadBytes).toBe(0);
});

test("a writer that exceeds its window of items or bytes ends its stream alone", () => {
  for (const [count, size] of [[9, 1], [3, 600]] as const) {
    const { pair, reader } = connected();
    const items = Array.from(
      { length: count },
      (_, i) => [0, i + 1, new Uint8Array(size)] as [number, number, Uint8Array],
    );
    handmade(pair.b, ...items);
    expect(reader.ended?.text).toBe("its writer sent more than the window");
    expect(pair.b.counts.dropped.windowExceeded).toBe(1);
  }
});

test("a malformed record drops the rest of its batch, and is counted", () => {
  const { pair, reader } = connected();
  handmade(pair.b, [RecordType.data, 1, data("a")], [9, 2, data("b")], [RecordType.data, 2, data("c")]);
  expect(textsOf(reader)).toEqual([".a"]);
  expect(pair.b.counts.dropped.recordType).toBe(1);
  expect(reader.ended).toBeNull();
});

test("a stream named by its writer waits for its reader, frames and end included", async () => {
  const pair = new Pair();
  const options = { anchor: writersAnchor | 3n, window: firstWindow };
  const { writer, seen } = pair.a.write(options);
  writer.write(data("a"));
  pair.carry();
  expect(pair.b.counts.unclaimed).toBe(1);
  expect(seen.accepted).toBe(0);
  const { reader } = pair.b.read(options);
  expect(textsOf(reader)).toEqual([".a"]);
  pair.carry();
  expect(seen.accepted).toBe(1);
  const short = pair.a.write({ ...options, session: 6n });
  short.writer.write(data("b"));
  short.writer.end(finalized);
  pair.carry();
  expect(pair.b.counts.unclaimed).toBe(1);
  const late = pair.b.read({ ...options, session: 6n });
  expect(late.reader.ended?.reason).toBe("finalized");
  expect(textsOf(late.reader)).toEqual([".b"]);
  writer.end(finalized);
  await pair.pass(25);
  expect([pair.a.mux.size, pair.b.mux.size, pair.b.counts.unclaimed]).toEqual([0, 0, 0]);
});

test("a writer that has finished before its reader comes is still told of it, with frames or without", async () => {
  for (const frames of [["a", "b"], []]) {
    const pair = new Pair();
    const options = { anchor: writersAnchor, window: firstWindow };
    const { writer, seen } = pair.a.write(options);
    for (const text of frames) writer.write(data(text));
    writer.end(finalized);
    pair.carry();
    expect(seen.accepted).toBe(0);
    const { reader } = pair.b.read(options);
    pair.carry();
    expect(seen.accepted).toBe(1);
    expect(textsOf(reader)).toEqual(frames.map((text) => `.${text}`));
    await pair.pass(25);
    expect([pair.a.mux.size, pair.b.mux.size, seen.ends.length]).toEqual([0, 0, 0]);
    expect([pair.a.counts.dropped.unknownSlot, pair.b.counts.dropped.unknownSlot]).toEqual([0, 0]);
  }
});

test("what a writer abandons, also after its end, waits for no reader, and a stream that has one goes on", () => {
  const pair = new Pair({ maxUnclaimed: 2 });
  const options = { anchor: writersAnchor, window: firstWindow };
  for (let session = 1n; session <= 10n; session++) {
    const { writer } = pair.a.write({ ...options, session });
    if (session % 2n === 0n) writer.write(data("x"));
    if (session % 3n !== 0n) writer.end(finalized);
    pair.carry();
    expect(pair.b.counts.unclaimed).toBe(1);
    writer.abandon();
    pair.carry();
    expect(pair.b.counts).toMatchObject({ unclaimed: 0, readers: 0, unreadBytes: 0 });
    expect([pair.a.mux.size, pair.b.mux.size]).toEqual([0, 0]);
  }
  const { writer } = pair.a.write(options);
  writer.write(data("kept"));
  writer.end(finalized);
  pair.carry();
  const { reader } = pair.b.read(options);
  writer.abandon();
  pair.carry();
  expect(textsOf(reader)).toEqual([".kept"]);
  pair.carry();
  expect(pair.a.mux.size).toBe(0);
  expect(pair.b.counts.dropped.unclaimedLimit).toBe(0);
});

test("a reader that comes before a stream named by its writer tells the writer when it is open", () => {
  const { seen } = connected({ anchor: writersAnchor });
  expect(seen.accepted).toBe(1);
});

test("streams that wait for readers are bounded in number and time, and end when their writer ends them", async () => {
  const pair = new Pair({ maxUnclaimed: 2 });
  const options = { anchor: writersAnchor, window: firstWindow, heartbeatMs: 60_000 };
  const streams = [1n, 2n, 3n].map((session) => pair.a.write({ ...options, session }));
  for (const { writer } of streams) writer.write(data("x"));
  pair.carry();
  expect(streams.map(({ seen }) => seen.ends.length)).toEqual([0, 0, 1]);
  expect(pair.b.counts.dropped.unclaimedLimit).toBe(1);
  streams[0]!.writer.end(terminalFrames.dropped);
  await pair.pass(200_000, 10_000);
  expect(streams[1]!.seen.ends.map(({ reason }) => reason)).toEqual(["dropped"]);
  expect(pair.b.counts).toMatchObject({ unclaimed: 0, readers: 0, unreadBytes: 0 });
  // Plain Velo does not open streams of its own accord.
  const plain = new Pair({}, false);
  const { seen } = plain.a.write(options);
  plain.carry();
  expect(seen.ends.map(({ reason }) => reason)).toEqual(["failed"]);
});

test("the number of streams with a peer is bounded", () => {
  const pair = new Pair({ maxPeerStreams: 2 });
  for (const session of [1n, 2n]) {
    pair.a.write({ session });
    pair.b.read({ session });
  }
  expect(() => pair.a.write({ session: 3n })).toThrow("streams.maxPeerStreams");
  expect(() => pair.b.read({ session: 3n })).toThrow("streams.maxPeerStreams");
});

test("the bytes on their way to a peer are bounded, and one writer leaves others as much as it takes", () => {
  const pair = new Pair({ maxPeerBytes: 8_000 });
  const window = { items: 1_000, bytes: 1e6 };
  const streams = Array.from({ length: 5 }, (_, i) => {
    const session = BigInt(i);
    return { ...pair.b.read({ session, window }), ...pair.a.write({ session, window }) };
  });
  const taken = streams.map(({ writer }) => fill(writer, new Uint8Array(100)));
  expect(taken).toEqual([40, 20, 10, 5, 3]);
  pair.carry();
  expect(pair.b.counts.dropped.bytesExceeded).toBe(0);
  while (streams[0]!.reader.take() !== undefined);
  pair.carry();
  // The others are woken, although their own credit has not changed.
  expect(streams[4]!.writer.open).toBe(true);
});

test("a peer that leaves more unread than it may ends the stream that did it", () => {
  const pair = new Pair();
  const small = new End(pair.clock, { maxPeerBytes: 1_000 });
  const { reader } = small.read({ window: { items: 100, bytes: 1e6 } });
  const { writer } = pair.a.write({ window: { items: 100, bytes: 1e6 } });
  for (let i = 0; i < 5; i++) {
    writer.write(new Uint8Array(900));
    pair.a.mux.flush();
    for (const batch of pair.a.sent.splice(0)) small.mux.receive(batch, 0, batch.length, false);
  }
  expect(reader.ended?.reason).toBe("failed");
  expect(small.counts.dropped.bytesExceeded).toBe(1);
  expect(reader.size).toBe(3);
});

test("without room writers wait and nothing that must arrive is lost", () => {
  const { pair, reader, writer, seen } = connected();
  const other = pair.b.read({ session: 6n });
  pair.a.room = false;
  writer.write(data("a"));
  pair.carry();
  expect(writer.open).toBe(false);
  expect(writer.write(data("b"))).toBe(false);
  const { writer: late, seen: lateSeen } = pair.a.write({ session: 6n });
  expect(late.write(data("c"))).toBe(false);
  late.end(finalized);
  pair.carry();
  expect(reader.size).toBe(0);
  pair.a.room = true;
  pair.a.mux.resume();
  expect([seen.credit, lateSeen.credit]).toEqual([1, 0]);
  pair.carry();
  expect(textsOf(reader)).toEqual([".a"]);
  expect(other.reader.ended?.reason).toBe("finalized");
});

test("credit waits for room as well, and adds up", () => {
  const { pair, reader, writer } = connected();
  fill(writer);
  pair.carry();
  pair.b.room = false;
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 4; i++) reader.take();
    pair.carry();
  }
  pair.b.room = true;
  pair.b.mux.resume();
  pair.carry();
  expect(fill(writer)).toBe(8);
});

test("the last credit of finished streams leaves with others, and within a while", async () => {
  const pair = new Pair();
  const pass = (session: bigint) => {
    const { reader } = pair.b.read({ session });
    const { writer } = pair.a.write({ session });
    writer.write(data("x"));
    writer.end(finalized);
    pair.carry();
    expect(textsOf(reader)).toEqual([".x"]);
    return pair.b.sent.length;
  };
  let sent = 0;
  for (let i = 0n; i < 64n; i++) sent += pass(i);
  expect(sent).toBe(1);
  pair.carry();
  expect(pair.a.mux.size).toBe(0);
  expect(pass(64n)).toBe(0);
  await pair.pass(20);
  expect(pair.a.mux.size).toBe(0);
  expect(pair.b.counts.batchesSent).toBe(2);
});

test("a stream may open with its first frame, or its end, in one batch", () => {
  const pair = new Pair();
  const later = { opensLater: true };
  const { reader, seen: heard } = pair.b.read();
  const { writer } = pair.a.write(later);
  expect(pair.carry()).toBe(0);
  writer.write(data("x"));
  writer.end(finalized);
  expect(pair.carry()).toBe(1);
  expect(textsOf(reader)).toEqual([".x"]);
  const { reader: other, seen: heardOther } = pair.b.read({ session: 6n });
  pair.a.write({ ...later, session: 6n }).writer.end(finalized);
  expect(pair.carry()).toBe(1);
  expect(other.ended?.reason).toBe("finalized");
  expect([heard.opened, heardOther.opened]).toEqual([1, 1]);
});

test("a stream without a frame opens after a while, and given up before it says nothing", async () => {
  const pair = new Pair();
  const options = { opensLater: true, heartbeatMs: 3_600_000 };
  const { seen: heard } = pair.b.read(options);
  const { writer } = pair.a.write(options);
  pair.carry();
  expect(writer.opened).toBe(false);
  await pair.pass(10, 5);
  expect([writer.opened, heard.opened]).toEqual([true, 1]);
  const { writer: second, seen } = pair.a.write({ ...options, session: 6n });
  second.abandon();
  await pair.pass(20, 5);
  expect([second.opened, second.ended?.reason]).toEqual([false, "dropped"]);
  expect(seen.ends).toEqual([]);
  expect(pair.a.counts).toMatchObject({ batchesSent: 1, writers: 1 });
});

test("a stream in the middle of others loses and mixes nothing", () => {
  const pair = new Pair();
  const streams = Array.from({ length: 20 }, (_, i) => {
    const session = BigInt(i);
    return {
      reader: pair.b.read({ session }).reader,
      writer: pair.a.write({ session }).writer,
      sent: 0,
      got: 0,
    };
  });
  for (let round = 0; round < 200; round++) {
    streams.forEach((stream, i) => {
      for (let n = (round * 7 + i) % 5; n > 0; n--) {
        if (stream.writer.write(data(`${i}:${stream.sent}`))) stream.sent++;
      }
    });
    pair.carry();
    streams.forEach((stream, i) => {
      for (let n = (round * 3 + i) % 7; n > 0; n--) {
        const frame = stream.reader.take();
        if (frame === undefined) break;
        expect(new TextDecoder().decode(frame)).toBe(`.${i}:${stream.got++}`);
      }
    });
  }
  for (const { writer } of streams) writer.end(finalized);
  pair.carry();
  for (const { reader, sent, got } of streams) expect(textsOf(reader).length).toBe(sent - got);
  pair.carry();
  expect([pair.a.mux.size, pair.b.mux.size, pair.b.counts.unreadBytes]).toEqual([0, 0, 0]);
});

test("what a reader has not taken when the writer has ended still counts for the writer", () => {
  const pair = new Pair({ maxPeerBytes: 1_000 });
  const { reader } = pair.b.read();
  const { writer } = pair.a.write();
  expect(fill(writer, new Uint8Array(100))).toBe(5);
  writer.end(finalized);
  pair.carry();
  pair.b.read({ session: 6n });
  const { writer: next } = pair.a.write({ session: 6n });
  expect(fill(next, new Uint8Array(100))).toBe(3);
  while (reader.take() !== undefined);
  pair.carry();
  expect(next.open).toBe(true);
  expect(pair.a.mux.size).toBe(1);
});

test("the share of a peer is told of its unread bytes, not of each item", () => {
  const { pair, reader, writer } = connected({ window: { items: 1_000, bytes: 1 << 20 } });
  for (let i = 0; i < 3; i++) writer.write(new Uint8Array(20_000));
  pair.carry();
  expect(pair.b.kept).toBe(0);
  for (let i = 0; i < 10; i++) writer.write(new Uint8Array(20_000));
  pair.carry();
  const { kept } = pair.b;
  expect(kept).toBeGreaterThan(260_000 - 64 * 1024);
  reader.take();
  expect(pair.b.kept).toBe(kept);
  for (let i = 0; i < 12; i++) reader.take();
  expect([pair.b.kept, pair.b.counts.unreadBytes]).toEqual([0, 0]);
});

test("a writer keeps to half of its share at the peer, however small that is, and always sends something", () => {
  const pair = new Pair({ shareBytes: 20_000 });
  const streams = Array.from({ length: 10 }, (_, i) => ({
    ...pair.a.write({ session: BigInt(i), window: { items: 100, bytes: 1 << 20 } }),
    ...pair.b.read({ session: BigInt(i), window: { items: 100, bytes: 1 << 20 } }),
  }));
  for (const { writer } of streams) fill(writer, new Uint8Array(1_000));
  pair.carry();
  expect(pair.b.counts.unreadBytes).toBeGreaterThanOrEqual(10_000);
  expect(pair.b.counts.unreadBytes).toBeLessThanOrEqual(20_000);
  for (const { reader } of streams) expect(textsOf(reader).length).toBeGreaterThan(0);
  const tiny = connected({}, new Pair({ shareBytes: 1 }));
  expect(fill(tiny.writer)).toBe(1);
  tiny.pair.carry();
  expect(textsOf(tiny.reader)).toEqual([".x"]);
  tiny.pair.carry();
  expect(tiny.writer.open).toBe(true);
  expect(pair.b.counts.dropped.bytesExceeded + tiny.pair.b.counts.dropped.bytesExceeded).toBe(0);
});

test("items of streams that take turns in a batch arrive whole and in order", () => {
  const pair = new Pair();
  const { a, b } = pair;
  const window = { items: 1_000, bytes: 1 << 20 };
  const ends = [1n, 2n, 3n].map((anchor) => ({
    reader: b.read({ anchor, window }).reader,
    writer: a.write({ anchor, window }).writer,
    sent: [] as string[],
    read: [] as string[],
  }));
  for (let n = 0; n < 300; n++) {
    for (const [i, { writer, sent }] of ends.entries()) {
      const frame = Uint8Array.from(
        { length: 3 + (n * (i + 7)) % (n % 20 === 0 ? 700 : 70) },
        (_, k) => n + i + k,
      );
      frame[0] = 0;
      expect(writer.write(frame)).toBe(true);
      sent.push(frame.join());
    }
    if (n % 17 === 16) pair.carry();
    // One of them reads in between, and one all that has come.
    if (n % 5 === 0) ends[0]!.read.push(...[ends[0]!.reader.take()].flatMap((frame) => frame?.join() ?? []));
    for (let frame = ends[1]!.reader.take(); frame !== undefined; frame = ends[1]!.reader.take()) {
      ends[1]!.read.push(frame.join());
    }
  }
  pair.carry();
  for (const { reader, sent, read } of ends) {
    for (let frame = reader.take(); frame !== undefined; frame = reader.take()) read.push(frame.join());
    expect(read).toEqual(sent);
  }
});
