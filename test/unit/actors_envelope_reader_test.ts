import { expect, test } from "bun:test";
import { decodeEnvelope, Envelope } from "../../src/actors/remote/envelope.ts";
import { EnvelopeReader } from "../../src/actors/remote/envelope_reader.ts";
import { NameCache } from "../../src/wire/mod.ts";
import { prng } from "../support/prng.ts";
import { bytesOfVector, envelopes } from "../vectors/actors.ts";

test("an EnvelopeReader reads each of many messages as one that knows none before", () => {
  const random = prng("envelope reader");
  const vectors = envelopes.map(({ bytes }) => bytesOfVector(bytes));
  const reader = new EnvelopeReader();
  const names = new NameCache();
  let bytes = vectors[0]!;
  let repeated = 0;
  for (let i = 0; i < 20_000; i++) {
    const same = random.below(3) > 0;
    if (!same) bytes = random.pick(vectors).slice();
    // One byte differs from the message before, which may be the last of the envelope.
    if (random.below(4) === 0) bytes[random.below(bytes.length)] = random.below(256);
    const start = random.below(5);
    const end = start + (random.below(8) === 0 ? random.below(bytes.length + 1) : bytes.length);
    const around = new Uint8Array(start + bytes.length);
    around.set(bytes, start);
    const fresh = new Envelope();
    const why = decodeEnvelope(around, start, end, fresh, names);
    expect(reader.read(around, start, end)).toBe(why);
    if (why !== null) continue;
    expect(reader.last).toEqual(fresh);
    if (same) repeated++;
  }
  expect(repeated).toBeGreaterThan(1_000);
});
