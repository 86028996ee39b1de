/** The frames of foreign programs: golden vectors, what is refused and why, and bytes at random. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { prng } from "../support/prng.ts";
import { loadBlake2b } from "../../src/broker/plain/blake2b.ts";
import {
  decodeDataFrame,
  encodeDataFrame,
  isDataProblem,
  schemaTag,
} from "../../src/broker/plain/data_frames.ts";
import { controlFrames, frameProblems, isMalformed, readControl } from "../../src/broker/plain/frames.ts";

const blake2b = await loadBlake2b();
const rules = { blake2b, maxBodyBytes: 1_000 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const routingId = bytes("prod.lab.1");
const text = (part: Uint8Array): string => new TextDecoder().decode(part);

/** `BLAKE2b-256("prod.lab.1" "REG_REQ" "c-1")`, made with Python. */
const envelopeHash = "22667007c223047059414f0b9bbaeaace46b511926fb79b92a89baa815d43a07";
const envelopeHashOlder = "0e687b38e2004d30a3d67bb711d061cacb10710273567c333b375fc203e64b9c";
/** Made with Python: the tag 0123456789abcdef, message 4 294 967 303, `{ at: 1, celsius: 20.5 }`. */
const dataFrame =
  "95ce51484c50c4080123456789abcdefcf000000010000000782a2617401a763656c73697573cb4034800000000000c4201b83ce5062907fe1c468ad1fbef0f78b8525410d246f06350e510e98d15f6261";
/** The same in the shortest form, message 7, without schema and checksum. */
const shortFrame =
  "95ce51484c50c40800000000000000000782a2617401a763656c73697573cb4034800000000000c4200000000000000000000000000000000000000000000000000000000000000000";
const payload = "82a2617401a763656c73697573cb4034800000000000";

test("readControl() reads four frames, and the older three, and controlFrames() writes them", () => {
  const body = `{"channel_name":"lab/a","envelope_hash":"${envelopeHash}"}`;
  assert.deepEqual(readControl(routingId, ["C", "REG_REQ", "c-1", body].map(bytes), rules), {
    type: "REG_REQ",
    correlation: bytes("c-1"),
    body: { channel_name: "lab/a", envelope_hash: envelopeHash },
  });
  const older = `{"envelope_hash":"${envelopeHashOlder}"}`;
  assert.deepEqual(readControl(routingId, ["C", "REG_REQ", older].map(bytes), rules), {
    type: "REG_REQ",
    correlation: null,
    body: { envelope_hash: envelopeHashOlder },
  });
  const notice = readControl(routingId, ["C", "HEARTBEAT_NOTIFY", "", "{}"].map(bytes), rules);
  assert.equal(isMalformed(notice), false);
  assert.deepEqual(controlFrames("ERROR", bytes("c-1"), { a: 1 }).map(text), [
    "C",
    "ERROR",
    "c-1",
    '{"a":1}',
  ]);
  assert.deepEqual(controlFrames("ERROR", null, {}).map(text), ["C", "ERROR", "{}"]);
});

test("readControl() says what is wrong with a message, and what it can be answered", () => {
  const many = "x".repeat(65);
  const cases: [problem: string, frames: string[], type: string | null][] = [
    ["frame_count", [], null],
    ["frame_count", ["C", "REG_REQ"], null],
    ["frame_count", ["C", "REG_REQ", "1", "{}", "{}"], null],
    ["frame_type_marker", ["A", "REG_REQ", "1", "{}"], null],
    ["frame_type_marker", ["", "REG_REQ", "1", "{}"], null],
    ["frame_type_marker", ["CC", "REG_REQ", "1", "{}"], null],
    ["msg_type_empty", ["C", "", "1", "{}"], null],
    ["msg_type_too_long", ["C", many, "1", "{}"], null],
    ["msg_type_not_text", ["C", "REG REQ", "1", "{}"], null],
    ["msg_type_not_text", ["C", "RÉG", "1", "{}"], null],
    ["correlation_too_long", ["C", "REG_REQ", many, "{}"], null],
    ["correlation_missing", ["C", "REG_REQ", "", "{}"], "REG_REQ"],
    ["body_too_long", ["C", "REG_REQ", "1", `{"a":"${"x".repeat(1_000)}"}`], "REG_REQ"],
    ["body_not_json", ["C", "REG_REQ", "1", ""], "REG_REQ"],
    ["body_not_json", ["C", "REG_REQ", "1", "{"], "REG_REQ"],
    ["body_not_json", ["C", "REG_REQ", "1", `${"[".repeat(450)}${"]".repeat(450)}`], "REG_REQ"],
    ["body_not_object", ["C", "REG_REQ", "[]"], "REG_REQ"],
    ["body_not_object", ["C", "REG_REQ", "1", "null"], "REG_REQ"],
    ["body_not_object", ["C", "REG_REQ", "1", "7"], "REG_REQ"],
    ["envelope_hash_mismatch", ["C", "REG_REQ", "1", `{"envelope_hash":"${envelopeHash}"}`], "REG_REQ"],
    ["envelope_hash_mismatch", ["C", "REG_REQ", "1", '{"envelope_hash":7}'], "REG_REQ"],
  ];
  for (const [problem, frames, type] of cases) {
    const message = readControl(routingId, frames.map(bytes), rules);
    assert.ok(isMalformed(message), `${frames}`.slice(0, 80));
    assert.equal(message.problem, problem, `${frames}`.slice(0, 80));
    assert.equal(message.answerable?.type ?? null, type);
  }
  const badText = [bytes("C"), bytes("REG_REQ"), bytes("1"), Uint8Array.of(0x22, 0xff, 0x22)];
  assert.equal((readControl(routingId, badText, rules) as { problem: string }).problem, "body_not_json");
  assert.deepEqual(new Set(cases.map(([problem]) => problem)), new Set(frameProblems));
});

test("readControl() and decodeDataFrame() survive bytes at random", () => {
  const random = prng("broker plain frames");
  const whole = ["C", "REG_REQ", "c-1", '{"channel_name":"lab/a"}'].map(bytes);
  const data = Uint8Array.fromHex(dataFrame);
  let read = 0;
  for (let round = 0; round < 20_000; round++) {
    const frames = whole.map((frame) => mutated(frame));
    if (random.below(8) === 0) {
      frames.splice(random.below(4), random.below(3), random.bytes(random.below(70)));
    }
    const message = readControl(routingId, frames, rules);
    if (isMalformed(message)) assert.ok(frameProblems.includes(message.problem));
    else read++;
    const frame = decodeDataFrame(mutated(data), schemaTag(null), blake2b);
    if (!isDataProblem(frame)) assert.ok(Number.isSafeInteger(frame.sequence));
  }
  assert.ok(read > 0);

  function mutated(given: Uint8Array): Uint8Array {
    const copy = given.slice(0, random.below(4) === 0 ? random.below(given.length + 1) : given.length);
    for (let n = random.below(3); n > 0 && copy.length > 0; n--) {
      copy[random.below(copy.length)] = random.below(256);
    }
    return copy;
  }
});

test("encodeDataFrame() and decodeDataFrame() keep to the golden vectors", () => {
  const tag = schemaTag("0123456789abcdef".padEnd(64, "0"));
  const message = Uint8Array.fromHex(payload);
  assert.equal(encodeDataFrame(tag, 2 ** 32 + 7, message, blake2b).toHex(), dataFrame);
  const read = decodeDataFrame(Uint8Array.fromHex(dataFrame), tag, blake2b);
  assert.deepEqual(read, { sequence: 2 ** 32 + 7, payload: message });
  const short = decodeDataFrame(Uint8Array.fromHex(shortFrame), tag, blake2b);
  assert.deepEqual(short, { sequence: 7, payload: message });
});

test("decodeDataFrame() tells a foreign frame, another schema and damaged data apart", () => {
  const tag = schemaTag("0123456789abcdef".padEnd(64, "0"));
  const damaged = (at: number): Uint8Array => {
    const frame = Uint8Array.fromHex(dataFrame);
    frame[at]! ^= 1;
    return frame;
  };
  assert.equal(decodeDataFrame(damaged(0), tag, blake2b), "malformed");
  assert.equal(decodeDataFrame(damaged(3), tag, blake2b), "badMagic");
  assert.equal(decodeDataFrame(damaged(9), tag, blake2b), "tagMismatch");
  assert.equal(decodeDataFrame(damaged(30), tag, blake2b), "badChecksum");
  assert.equal(decodeDataFrame(Uint8Array.fromHex(dataFrame).slice(0, -1), tag, blake2b), "malformed");
  assert.equal(decodeDataFrame(new Uint8Array(), tag, blake2b), "malformed");
  assert.equal(isDataProblem(decodeDataFrame(damaged(9), schemaTag(null), blake2b)), false);
});
