/** Writers that wait for room at one peer. */
import { expect, test } from "bun:test";
import type { ByteWriter } from "../../src/streams/byte_stream.ts";
import { terminalFrames } from "../../src/streams/wire/frame.ts";
import { prng } from "../support/prng.ts";
import { defaults, Pair } from "../support/streams_pair.ts";

const frame = new Uint8Array(100);

/** Streams whose writers use up the room that the peer gives them together, with frames of 100 bytes. */
function crowded(count: number, maxPeerBytes: number) {
  const pair = new Pair({ maxPeerBytes, maxPeerStreams: count });
  const streams = Array.from({ length: count }, (_, i) => {
    const options = { anchor: BigInt(i + 1), session: BigInt(i + 1), window: { items: 100, bytes: 10_000 } };
    const reader = pair.b.read({ ...defaults, ...options }).reader;
    const { writer, seen } = pair.a.write({ ...defaults, ...options });
    return { reader, writer, seen };
  });
  pair.carry();
  return { pair, streams };
}

test("credit that makes room for one of a thousand waiting writers costs no look at the others", () => {
  const pair = new Pair({ maxPeerBytes: 1_000, maxPeerStreams: 1_000 });
  const { mux } = pair.a;
  let woken = 0;
  const streams = Array.from({ length: 1_000 }, (_, i) => {
    const options = { ...defaults, session: BigInt(i), window: { items: 100, bytes: 10_000 } };
    const { reader } = pair.b.read(options);
    const writer: ByteWriter = mux.openWriter(options, {
      credit: () => {
        woken++;
        while (writer.write(frame));
      },
    });
    return { reader, writer };
  });
  pair.carry();
  for (const { writer } of streams) while (writer.write(frame));
  pair.carry();
  const admits = mux.admits.bind(mux);
  let looks = 0;
  mux.admits = (bytes) => {
    looks++;
    return admits(bytes);
  };
  streams.find(({ reader }) => reader.size > 0)!.reader.cancel();
  pair.carry();
  expect(woken).toBeGreaterThan(0);
  expect(woken).toBeLessThan(10);
  expect(looks).toBeLessThan(30);
});

test("in every order of frames and credit, no writer waits that has room", () => {
  const random = prng("waiting writers");
  for (let round = 0; round < 20; round++) {
    const { pair, streams } = crowded(2 + random.below(30), 500 + random.below(5_000));
    /** Writers that were refused, with how often they had been told of credit before. */
    const refused = new Map<(typeof streams)[number], number>();
    let ended = 0;
    for (let step = 0; step < 400; step++) {
      const one = random.pick(streams);
      switch (random.below(6)) {
        case 0:
        case 1:
        case 2: {
          const told = one.seen.credit;
          if (!one.writer.write(frame.subarray(0, 1 + random.below(100)))) refused.set(one, told);
          break;
        }
        case 3:
          for (let i = random.below(10); i > 0; i--) one.reader.advance();
          break;
        case 4:
          // What is carried may find no room first.
          pair.a.room = random.below(4) > 0;
          pair.carry();
          pair.a.room = true;
          pair.a.mux.resume();
          pair.carry();
          for (const [{ writer, seen }, told] of refused) {
            if (seen.credit === told && writer.ended === null) expect(writer.open).toBe(false);
          }
          break;
        default:
          if (random.below(20) > 0 || ++ended === streams.length) break;
          if (random.below(2) > 0) one.reader.cancel();
          else one.writer.end(terminalFrames.finalized);
      }
    }
    for (let carried = 1; carried > 0; carried = pair.carry()) {
      for (const { reader } of streams) while (reader.advance());
    }
    for (const [{ writer, seen }, told] of refused) {
      if (writer.ended === null) expect([writer.open, seen.credit > told]).toEqual([true, true]);
    }
  }
});
