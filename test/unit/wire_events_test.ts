/** The messages about events: Velo's JSON, byte for byte, and the frames between peers with feature `events`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceId } from "../../src/core/mod.ts";
import { type EventHandle, handleWords, joinHandle, splitHandle } from "../../src/events/handle.ts";
import {
  decodeCompletion,
  decodeCompletionRequest,
  decodeEventFrame,
  decodeSubscribe,
  encodeCompletion,
  encodeCompletionRequest,
  encodeEventFrame,
  encodeEventRequest,
  encodeSubscribe,
  EventFrame,
  EventFrameKind,
  eventFrameSize,
  eventRequestSize,
  isEventJson,
  responseIdFromBigInt,
} from "../../src/wire/mod.ts";
import { prng } from "../support/prng.ts";
import { hexOf } from "../vectors/hex.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const handle = 56234154719799553934924405423673966593n;
const worker = 7328158447628002822n;
const instance = instanceId("a0112233-4455-4677-8899-aabbccddeeff");
const responseId = 1339673755198211113409445321679119878n;
const texts = {
  subscribe: `{"handle":${handle},"subscriber_worker":${worker},"subscriber_instance":"${instance}"}`,
  triggered: `{"handle":${handle},"poisoned":null}`,
  poisoned: `{"handle":${handle},"poisoned":"bad"}`,
  request: `{"handle":${handle},"requester_worker":${worker},"requester_instance":"${instance}",` +
    `"poisoned":null,"response_id":${responseId}}`,
};

test("a subscription is Velo's, both directions", () => {
  assert.equal(decoder.decode(encodeSubscribe({ handle, worker, instance })), texts.subscribe);
  assert.deepEqual(decodeSubscribe(encoder.encode(texts.subscribe)), { handle, worker, instance });
});

test("a completion is Velo's, both directions", () => {
  for (const [text, poisoned] of [[texts.triggered, null], [texts.poisoned, "bad"]] as const) {
    assert.equal(decoder.decode(encodeCompletion({ handle, poisoned })), text);
    assert.deepEqual(decodeCompletion(encoder.encode(text)), { handle, poisoned });
  }
});

test("a request to complete is Velo's, both directions, also without an id to confirm under", () => {
  const request = { handle, worker, instance, poisoned: null, responseId };
  assert.equal(decoder.decode(encodeCompletionRequest(request)), texts.request);
  assert.deepEqual(decodeCompletionRequest(encoder.encode(texts.request)), request);
  const other = { ...request, poisoned: 'a "reason"\n', responseId: null };
  assert.deepEqual(decodeCompletionRequest(encodeCompletionRequest(other)), other);
});

test("decoding takes any JSON with the right fields, in any order and with more of them", () => {
  const spread =
    `{ "subscriber_instance": "${instance}", "new": [1], "handle": ${handle},\n"subscriber_worker":1}`;
  assert.deepEqual(decodeSubscribe(encoder.encode(spread)), { handle, worker: 1n, instance });
  assert.deepEqual(decodeCompletion(encoder.encode('{"handle":5}')), { handle: 5n, poisoned: null });
  assert.deepEqual(
    decodeCompletion(encoder.encode(`{"handle":${handle},"poisoned":"é\\u0000","extra":{}}`)),
    { handle, poisoned: "é\u0000" },
  );
});

test("decoding refuses what is no event message, and never throws", () => {
  const tooLarge = `${2n ** 128n}`;
  for (
    const text of [
      "",
      "null",
      "[]",
      "{}",
      '{"handle":"5","poisoned":null}',
      '{"handle":-1,"poisoned":null}',
      '{"handle":1.5,"poisoned":null}',
      `{"handle":${tooLarge},"poisoned":null}`,
      '{"handle":1,"poisoned":5}',
    ]
  ) {
    const bytes = encoder.encode(text);
    assert.equal(decodeSubscribe(bytes), null, text);
    assert.equal(decodeCompletion(bytes), null, text);
    assert.equal(decodeCompletionRequest(bytes), null, text);
  }
  for (
    const text of [
      `{"handle":1,"subscriber_worker":${2n ** 64n},"subscriber_instance":"${instance}"}`,
      '{"handle":1,"subscriber_worker":1,"subscriber_instance":"nobody"}',
    ]
  ) assert.equal(decodeSubscribe(encoder.encode(text)), null, text);
  assert.equal(decodeCompletion(Uint8Array.of(0x7b, 0xff)), null);
});

const handleHex = "01000000 00000000 02874525e34d4e2a".replaceAll(" ", "");

test("a frame without a text is 17 bytes: kind and the handle, little-endian", () => {
  splitHandle(handle as EventHandle);
  for (const kind of [EventFrameKind.about, EventFrameKind.triggered]) {
    const bytes = encodeEventFrame(kind, handleWords, "", new Uint8Array(eventFrameSize));
    assert.equal(hexOf(bytes), `0${kind}${handleHex}`);
    const frame = new EventFrame();
    assert.equal(decodeEventFrame(bytes, 0, bytes.length, frame), true);
    assert.equal(joinHandle(frame.words), handle);
    assert.equal(isEventJson(bytes, 0), false);
  }
  assert.equal(isEventJson(encoder.encode(texts.triggered), 0), true);
});

test("a frame carries the JSON of a value, a reason, or code and reason", () => {
  splitHandle(handle as EventHandle);
  const head = new Uint8Array(eventFrameSize);
  for (
    const [kind, text] of [
      [EventFrameKind.value, '{"left":0}'],
      [EventFrameKind.poisoned, "größer"],
      [EventFrameKind.refused, "EVENT_UNKNOWN\nnever made"],
    ] as const
  ) {
    const bytes = encodeEventFrame(kind, handleWords, text, head);
    assert.equal(hexOf(bytes), `0${kind}${handleHex}${hexOf(encoder.encode(text))}`);
    const frame = new EventFrame();
    assert.equal(decodeEventFrame(bytes, 0, bytes.length, frame), true);
    assert.deepEqual([frame.kind, frame.text, joinHandle(frame.words)], [kind, text, handle]);
  }
});

test("a request's frame carries the id under which it is confirmed", () => {
  splitHandle(handle as EventHandle);
  const id = responseIdFromBigInt(responseId);
  const bytes = encodeEventRequest(
    EventFrameKind.triggerValue,
    handleWords,
    id,
    "7",
    new Uint8Array(eventRequestSize),
  );
  assert.equal(hexOf(bytes), `07${handleHex}0626a52848d9b265341206050403020137`);
  const frame = new EventFrame();
  assert.equal(decodeEventFrame(bytes, 0, bytes.length, frame), true);
  const { id0, id1, id2, id3, text } = frame;
  assert.deepEqual([{ id0, id1, id2, id3 }, text], [id, "7"]);
});

test("a frame at an offset is read there; one that is cut, longer, or of no kind is refused", () => {
  splitHandle(handle as EventHandle);
  const bare = encodeEventFrame(EventFrameKind.about, handleWords, "", new Uint8Array(eventFrameSize));
  const request = encodeEventRequest(
    EventFrameKind.trigger,
    handleWords,
    responseIdFromBigInt(1n),
    "",
    new Uint8Array(eventRequestSize),
  );
  const frame = new EventFrame();
  const room = new Uint8Array(60);
  room.set(bare, 9);
  assert.equal(decodeEventFrame(room, 9, 9 + bare.length, frame), true);
  assert.equal(decodeEventFrame(room, 9, 10 + bare.length, frame), false, "a byte too many");
  for (let cut = 0; cut < bare.length; cut++) assert.equal(decodeEventFrame(bare, 0, cut, frame), false);
  for (let cut = 0; cut < request.length; cut++) {
    assert.equal(decodeEventFrame(request, 0, cut, frame), false);
  }
  assert.equal(decodeEventFrame(bare, 0, bare.length + 1, frame), false, "beyond the bytes");
  for (const kind of [0, 9, 255]) {
    assert.equal(decodeEventFrame(Uint8Array.of(kind, ...bare.subarray(1)), 0, bare.length, frame), false);
  }
  const notUtf8 = Uint8Array.of(EventFrameKind.poisoned, ...bare.subarray(1), 0xff);
  assert.equal(decodeEventFrame(notUtf8, 0, notUtf8.length, frame), false);
});

test("decoders take arbitrary bytes without throwing", () => {
  const random = prng("event messages");
  const frame = new EventFrame();
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: random.below(60) }, () => random.below(256));
    if (random.below(2) === 0 && bytes.length > 0) bytes[0] = random.below(10);
    decodeEventFrame(bytes, 0, bytes.length, frame);
    decodeSubscribe(bytes);
    decodeCompletion(bytes);
    decodeCompletionRequest(bytes);
  }
});
