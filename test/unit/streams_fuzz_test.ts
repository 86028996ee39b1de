import { expect, test } from "bun:test";
import { type StreamOptions, writersAnchor } from "../../src/streams/byte_stream.ts";
import { firstWindow } from "../../src/streams/mux/peer_mux.ts";
import { BatchBuffer, batchRefusals } from "../../src/streams/wire/batch.ts";
import { FrameReader, terminalFrames, transportErrorFrame } from "../../src/streams/wire/frame.ts";
import { type Prng, prng } from "../support/prng.ts";
import { longRun } from "../support/runtime.ts";
import { End } from "../support/streams_pair.ts";
import { FakeClock } from "./core_fake_clock.ts";
import { bytesOf } from "../vectors/hex.ts";
import { batches, frames, heartbeatBatch } from "../vectors/velo_streams.ts";

const count = longRun ? 2_000_000 : 100_000;
const maxGrowthBytes = 64 * 1024 * 1024;
const limits = { maxPeerStreams: 64, maxPeerBytes: 1024 * 1024, maxUnclaimed: 3 };

const vectors = [...batches, heartbeatBatch].map(({ hex }) => bytesOf(hex));
const bodies = [
  ...frames.map(({ hex }) => bytesOf(hex)),
  ...Object.values(terminalFrames),
  transportErrorFrame("x".repeat(300)),
  new Uint8Array(3_000),
];

/** A batch that is well formed, with records that need not make sense together. */
function plausible(random: Prng): Uint8Array {
  const buffer = new BatchBuffer(200_000);
  for (let left = random.below(12); left >= 0; left--) {
    const type = random.below(40) === 0 ? random.below(256) : random.pick([0, 0, 0, 0, 1, 2, 3, 4, 5]);
    const slot = (random.below(20) << 8) | random.below(2);
    const sequence = random.below(10) === 0 ? random.uint32() : random.below(12);
    const body = bodyOf(type, random);
    buffer.bytes.set(body, buffer.open(type, slot, sequence, body.length));
  }
  return buffer.finish(random.below(50) === 0 ? random.below(4) : 3, random.below(5)).slice();
}

function bodyOf(type: number, random: Prng): Uint8Array {
  if (random.below(50) === 0) return random.bytes(random.below(40));
  const bytes = new Uint8Array([16, 1, 4, 0, 9][type - 1] ?? 0);
  const view = new DataView(bytes.buffer);
  switch (type) {
    case 0:
      return random.pick(bodies);
    case 1:
      view.setBigUint64(0, random.pick([1n, writersAnchor]));
      view.setBigUint64(8, BigInt(random.below(40)));
      return bytes;
    case 2:
      bytes[0] = random.below(5);
      return bytes;
    case 3:
      view.setUint32(0, random.pick([1, 1_000, 0xffff_ffff]));
      return random.below(2) === 0 ? bytes : Uint8Array.of(...bytes, ...random.bytes(4));
    case 5:
      view.setBigUint64(0, BigInt(random.below(40)));
      bytes[8] = random.below(3);
      return bytes;
    default:
      return bytes;
  }
}

/** A batch to harm a receiver with. */
function hostile(random: Prng): Uint8Array {
  const kind = random.below(10);
  if (kind === 0) return random.bytes(random.below(200));
  const batch = kind < 3 ? random.pick(vectors).slice() : plausible(random);
  if (kind > 5) return batch;
  for (let left = random.below(4); left > 0 && batch.length > 0; left--) {
    batch[random.below(batch.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
  }
  if (random.below(20) === 0) return Uint8Array.of(...batch, 0);
  return random.below(4) === 0 ? batch.subarray(0, random.below(batch.length + 1)) : batch;
}

/** Batches refused, wholly or in part. */
function refusedBy({ counts: { dropped } }: End): number {
  let sum = 0;
  for (const reason of batchRefusals) sum += dropped[reason];
  return sum;
}

/** Batches of one hostile peer, until one of them names an epoch that makes the others stale. */
const batchesOfPeer = 200;

test("hostile batches are each received or counted as refused, and hold bounded memory", async () => {
  const random = prng("hostile batches of streams");
  const clock = new FakeClock();
  const options = (session: number): StreamOptions => ({
    anchor: random.pick([1n, writersAnchor]),
    session: BigInt(session),
    window: random.pick([{ items: 2, bytes: 2_000 }, firstWindow]),
    creditsBytes: random.below(2) === 0,
    heartbeatMs: 1_000,
  });
  const dropped: Record<string, number> = {};
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  for (let left = count / batchesOfPeer; left > 0; left--) {
    const end = new End(clock, limits);
    const readers: ReturnType<End["read"]>["reader"][] = [];
    for (let i = 0; i < batchesOfPeer; i++) {
      const batch = hostile(random);
      const refused = refusedBy(end);
      const { batchesReceived, dropped: { staleEpoch } } = end.counts;
      end.mux.receive(batch, 0, batch.length, random.below(2) === 0);
      const outcomes = refusedBy(end) - refused + end.counts.dropped.staleEpoch - staleEpoch +
        end.counts.batchesReceived - batchesReceived;
      // Refused before it began, or received, perhaps with a rest that was refused.
      if (outcomes !== 1 && outcomes !== 2) throw new Error(`${outcomes} outcomes of a batch`);
      if (end.counts.unreadBytes > 2 * limits.maxPeerBytes + 300_000) throw new Error("too much is unread");
      if (random.below(8) === 0) end.room = !end.room;
      if (end.room) end.mux.resume();
      if (random.below(4) === 0) end.mux.flush();
      if (random.below(16) === 0) end.sent.length = 0;
      if (random.below(8) === 0 && end.mux.size < limits.maxPeerStreams - 20) {
        readers.push(end.read(options(random.below(40))).reader);
        end.write(options(random.below(40)));
      }
      for (const reader of readers) {
        if (random.below(20) === 0) reader.take();
        if (random.below(200) === 0) random.below(2) === 0 ? reader.cancel() : reader.stop();
      }
      if (random.below(200) === 0) {
        await Promise.resolve();
        clock.advance(1_500);
      }
    }
    expect(end.mux.size).toBeLessThanOrEqual(2 * limits.maxPeerStreams);
    expect(end.mux.outbox.late).toBeLessThan(10 * limits.maxPeerStreams);
    for (const reader of readers) reader.cancel();
    end.mux.lose();
    expect(end.counts).toMatchObject({
      readers: 0,
      writers: 0,
      unclaimed: 0,
      unreadBytes: 0,
      unclaimedBytes: 0,
    });
    for (const [reason, times] of Object.entries(end.counts.dropped)) {
      dropped[reason] = (dropped[reason] ?? 0) + times;
    }
    end.deadlines.close();
  }
  const rare = ["bytesExceeded", "stranger", "windowExceeded"];
  expect(Object.keys(dropped).filter((reason) => dropped[reason] === 0 && !rare.includes(reason))).toEqual(
    [],
  );
  Bun.gc(true);
  expect(process.memoryUsage().rss - before).toBeLessThan(maxGrowthBytes);
});

test("hostile frames are read or refused", () => {
  const random = prng("hostile frames of streams");
  const reader = new FrameReader();
  for (let i = 0; i < count; i++) {
    const frame = random.below(4) === 0 ? random.bytes(random.below(30)) : random.pick(bodies).slice();
    for (let left = random.below(3); left > 0 && frame.length > 0; left--) {
      frame[random.below(frame.length)] = random.below(256);
    }
    const end = random.below(3) === 0 ? random.below(frame.length + 1) : frame.length;
    const reason = reader.read(frame, 0, end);
    if (reason !== null && reason !== "frameKind" && reason !== "frameText") throw new Error(reason);
  }
});
