import { expect, test } from "bun:test";
import {
  decodeEnvelope,
  Envelope,
  type EnvelopeParts,
  EnvelopeWriter,
  maxChainLength,
} from "../../src/actors/remote/envelope.ts";
import { NameCache } from "../../src/wire/mod.ts";
import { prng } from "../support/prng.ts";
import { longRun } from "../support/runtime.ts";
import { bytesOfVector, envelopes } from "../vectors/actors.ts";

const count = longRun ? 2_000_000 : 100_000;
const names = new NameCache();
const encodeEnvelope = (parts: EnvelopeParts, value: Uint8Array, names: NameCache): Uint8Array =>
  new EnvelopeWriter(names).write(parts.target, parts.name, parts.encoding, parts, value);
const outside = { sender: null, headers: {}, chain: [] } as const;
const plain = { target: "counter", name: "add", encoding: "json", ...outside } as const;

for (const { what, parts, value, bytes } of envelopes) {
  test(`the envelope of ${what} has the bytes of its vector`, () => {
    const expected = bytesOfVector(bytes);
    expect(encodeEnvelope(parts, new TextEncoder().encode(value), names)).toEqual(expected);
    const around = new Uint8Array([...Array(7).fill(0xff), ...expected, 0xff]);
    const read = new Envelope();
    expect(decodeEnvelope(around, 7, around.length - 1, read, names)).toBeNull();
    const { valueAt, ...rest } = read;
    expect({ ...rest, headers: { ...rest.headers } }).toEqual(parts as unknown as typeof rest);
    expect(new TextDecoder().decode(around.subarray(valueAt, around.length - 1))).toBe(value);
  });
}

test("an envelope that is cut off anywhere is refused", () => {
  for (const { bytes, value } of envelopes) {
    const whole = bytesOfVector(bytes);
    for (let end = 0; end < whole.length - value.length; end++) {
      expect(decodeEnvelope(whole, 0, end, new Envelope(), names)).not.toBeNull();
    }
  }
});

test("envelopes with unknown flags, without a target or with a chain that is too long are refused", () => {
  const refuse = (bytes: Uint8Array) => decodeEnvelope(bytes, 0, bytes.length, new Envelope(), names);
  const good = encodeEnvelope(plain, new Uint8Array(3), names);
  expect(refuse(good)).toBeNull();
  expect(refuse(good.with(0, 0x80))).toBe("its flags are unknown");
  expect(refuse(good.with(0, 0x60))).toBe("its flags are unknown");
  expect(refuse(new Uint8Array([0, 0, 1, 97]))).toBe("its target is empty");
  expect(refuse(new Uint8Array([0, 1, 0xff, 1, 97]))).toBe("a name is not UTF-8");
  expect(refuse(new Uint8Array([16, 1, 97, 1, 97, maxChainLength + 1, ...new Uint8Array(4_000)]))).toBe(
    "its chain of asks has a wrong length",
  );
  expect(refuse(new Uint8Array([4, 1, 97, 1, 97, 1, 0, 0xc1]))).toBe("its headers cannot be read");
});

test("an EnvelopeWriter refuses names and chains that are too long", () => {
  const link = `${"01020304-0506-4708-890a-0b0c0d0e0f10"}@${"01020304-0506-4708-890a-0b0c0d0e0f10"}#1`;
  const code = (change: object): unknown => {
    try {
      encodeEnvelope({ ...plain, ...change }, new Uint8Array(), names);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return null;
  };
  expect(code({ name: "x".repeat(255), chain: Array(maxChainLength).fill(link) })).toBeNull();
  expect(code({ name: "x".repeat(256) })).toBe("NAME_INVALID");
  expect(code({ target: "é".repeat(128) })).toBe("NAME_INVALID");
  expect(code({ chain: Array(maxChainLength + 1).fill(link) })).toBe("LIMIT_REACHED");
  expect(code({ headers: { x: "x".repeat(2_000) } })).toBe("HEADERS_TOO_LARGE");
});

test("a message of 1 KiB needs less than 20 bytes around it", () => {
  expect(encodeEnvelope(plain, new Uint8Array(1024), names).length - 1024).toBeLessThan(20);
});

test("decodeEnvelope() never throws, and reads nothing beyond the end", () => {
  const random = prng("envelopes");
  const vectors = envelopes.map(({ bytes }) => bytesOfVector(bytes));
  const read = new Envelope();
  const own = new NameCache({ maxNames: 64 });
  let accepted = 0;
  for (let i = 0; i < count; i++) {
    const bytes = random.below(4) === 0 ? random.bytes(random.below(200)) : random.pick(vectors).slice();
    for (let changes = random.below(4); changes > 0; changes--) {
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    }
    const end = random.below(3) === 0 ? random.below(bytes.length + 1) : bytes.length;
    if (decodeEnvelope(bytes, 0, end, read, own) !== null) continue;
    accepted++;
    expect(read.valueAt).toBeGreaterThan(0);
    expect(read.valueAt).toBeLessThanOrEqual(end);
    expect(read.chain.length).toBeLessThanOrEqual(maxChainLength);
    // What is accepted can be sent on.
    if (i % 16 === 0 && read.target !== "") encodeEnvelope(read, bytes.subarray(read.valueAt, end), own);
  }
  expect(accepted).toBeGreaterThan(count / 20);
});

test("an EnvelopeWriter uses its memory again, and gives each message of a large size memory of its own", () => {
  const writer = new EnvelopeWriter(names);
  const write = (size: number, fill: number) =>
    writer.write("counter", "add", "bytes", plain, new Uint8Array(size).fill(fill));
  for (const [size, fill] of [[3, 1], [3, 2], [5_000, 3], [3, 4], [5_000, 5], [4_000, 6]] as const) {
    const bytes = write(size, fill);
    expect(bytes.length).toBe(13 + size);
    expect(bytes.subarray(13).every((byte) => byte === fill)).toBe(true);
    expect(writer.borrowed).toBe(true);
  }
  const large = write(3 * 1024 * 1024, 7);
  expect(writer.borrowed).toBe(false);
  write(3, 8);
  expect(large[large.length - 1]).toBe(7);
});

test("an EnvelopeWriter writes text as its bytes, and each message with its own envelope", () => {
  const writer = new EnvelopeWriter(names);
  const others = { ...outside, headers: { a: "b" } };
  const texts = ["7", '"é€😀"', "x".repeat(3_000), '"é"', "y".repeat(800_000)];
  const messages = [
    ["counter", "add", outside],
    ["counter", "add", outside],
    ["counter", "get", outside],
    ["other", "get", outside],
    ["other", "get", others],
    ["other", "get", outside],
  ] as const;
  for (const text of texts) {
    for (const [target, name, origin] of messages) {
      const value = new TextEncoder().encode(text);
      const expected = new EnvelopeWriter(names).write(target, name, "json", origin, value).slice();
      expect(writer.write(target, name, "json", origin, text)).toEqual(expected);
      expect(writer.write(target, name, "json", origin, value)).toEqual(expected);
    }
  }
});
