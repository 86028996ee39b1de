/** Handles and control messages of streams: the bytes that Velo writes, both ways. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AttachAnswer,
  decodeAbort,
  decodeAttach,
  decodeAttachAnswer,
  decodeDetachMany,
  decodeHandle,
  decodeRenewals,
  decodeSenderMessage,
  encodeAbort,
  encodeAttach,
  encodeAttachAnswer,
  encodeDetachMany,
  encodeHandle,
  encodeRenewals,
  encodeSenderMessage,
} from "../../src/streams/wire/control.ts";
import {
  handleOf,
  handleText,
  hasManySenders,
  localOfHandle,
  manySendersBit,
  streamHandle,
  workerOfHandle,
} from "../../src/streams/wire/handle.ts";
import { controlTexts, workers } from "../vectors/streams.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (encoded: Uint8Array): string => new TextDecoder().decode(encoded);
const many = handleOf(workers.a, 1n | manySendersBit);

test("a stream handle is the reader's worker id, its number, and whether there are many senders", () => {
  const one = handleOf(workers.a, 7n);
  assert.equal(one, (workers.a << 64n) | 7n);
  assert.deepEqual([workerOfHandle(one), localOfHandle(one), hasManySenders(one)], [workers.a, 7n, false]);
  assert.deepEqual([localOfHandle(many), hasManySenders(many)], [(1n << 63n) | 1n, true]);
  assert.equal(handleText(one), "StreamAnchorHandle(worker=7328158447628002822, local=7, kind=spsc)");
  assert.equal(handleText(many), "StreamAnchorHandle(worker=7328158447628002822, local=1, kind=mpsc)");
  for (const handle of [one, many]) assert.equal(streamHandle(String(handle)), handle);
  for (const wrong of ["", "01", "-1", "1n", String(1n << 128n), -1n, 1n << 128n]) {
    assert.throws(() => streamHandle(wrong), TypeError);
  }
});

test("requests of attachment have Velo's bytes, both ways", () => {
  const requests = {
    attachFromA: {
      handle: handleOf(workers.b, 1n),
      session: 1n,
      sender: { worker: workers.a, stream: 1n },
      transports: ["tcp-stream"],
    },
    attachLive: {
      handle: handleOf(workers.a, 1n),
      session: 1n,
      sender: { worker: workers.live, stream: 1n },
      transports: ["messenger-mux-v2", "tcp-stream"],
    },
  } as const;
  for (const [name, request] of Object.entries(requests)) {
    const vector = controlTexts[name as keyof typeof requests];
    assert.equal(text(encodeAttach(request)), vector);
    assert.deepEqual(decodeAttach(bytes(vector)), request);
  }
  const abort = { handle: handleOf(workers.a, 4n), sender: { worker: workers.live, stream: 5n } };
  assert.equal(text(encodeAbort(abort.handle, abort.sender)), controlTexts.abortLive);
  assert.deepEqual(decodeAbort(bytes(controlTexts.abortLive)), abort);
});

test("a request from before transports were negotiated offers none", () => {
  const old = controlTexts.attachFromA.replace(/,"supported.*/, "}");
  assert.deepEqual(decodeAttach(bytes(old))?.transports, []);
});

test("a peer with several lanes may name one, which changes nothing over ZeroMQ", () => {
  const asking = decodeAttach(bytes(controlTexts.attachLive));
  const keyed = controlTexts.attachLive.replace(/\}$/, ',"lane_key":18446744073709551615}');
  assert.deepEqual(decodeAttach(bytes(keyed)), asking);
  const answer = decodeAttachAnswer(bytes(controlTexts.answerLive));
  const placed = controlTexts.answerLive.replace(/\}\}$/, ',"lane":3}}');
  assert.deepEqual(decodeAttachAnswer(bytes(placed)), answer);
});

test("answers to attachments have Velo's bytes, both ways", () => {
  const terms = {
    transport: "messenger-mux-v2",
    heartbeatMs: 5000,
    session: 5n,
    items: 32,
    bytes: 1_048_576,
    senderId: null,
  };
  const answers: Record<"answerLive" | "answerMany" | "refused", AttachAnswer> = {
    answerLive: { terms },
    answerMany: { terms: { ...terms, session: 2n ** 64n - 1n, senderId: 3n } },
    refused: { refused: 'anchor "x" not found' },
  };
  for (const [name, answer] of Object.entries(answers)) {
    const vector = controlTexts[name as keyof typeof answers];
    assert.equal(text(encodeAttachAnswer(answer)), vector);
    assert.deepEqual(decodeAttachAnswer(bytes(vector)), answer);
  }
  // What older peers leave out.
  assert.deepEqual(decodeAttachAnswer(bytes(`{"Ok":{"streaming_transport_key":"tcp-stream"}}`)), {
    terms: { ...terms, transport: "tcp-stream", session: 0n, items: 0, bytes: 0 },
  });
});

test("the other control messages have Velo's bytes, both ways", () => {
  assert.equal(text(encodeHandle(many)), controlTexts.handle);
  assert.equal(decodeHandle(bytes(controlTexts.handle)), many);
  assert.equal(text(encodeDetachMany(many, 7n)), controlTexts.detachMany);
  assert.deepEqual(decodeDetachMany(bytes(controlTexts.detachMany)), { handle: many, senderId: 7n });
  assert.equal(text(encodeSenderMessage(2n ** 64n - 1n)), controlTexts.sender);
  assert.equal(decodeSenderMessage(bytes(controlTexts.sender)), 2n ** 64n - 1n);
  const renewals = [
    { handle: handleOf(workers.a, 1n), session: null },
    { handle: handleOf(workers.a, 2n), session: 9n },
  ];
  assert.equal(text(encodeRenewals(renewals)), controlTexts.renewals);
  assert.deepEqual(decodeRenewals(bytes(controlTexts.renewals)), renewals);
  assert.deepEqual(decodeRenewals(bytes("[]")), []);
  assert.equal(decodeRenewals(encodeRenewals(new Array(257).fill(renewals[0]))), null);
});

test("control messages that lack a part, or have a wrong one, are refused", () => {
  const decoders = [
    decodeAttach,
    decodeAttachAnswer,
    decodeAbort,
    decodeHandle,
    decodeDetachMany,
    decodeSenderMessage,
    decodeRenewals,
  ];
  const wrong = [
    "",
    "null",
    "{}",
    "[1]",
    '"text"',
    '{"handle":{"hi":1}}',
    '{"handle":{"hi":1,"lo":1.5},"sender_id":1}',
    '{"handle":{"hi":-1,"lo":1},"sender_id":1}',
    '{"handle":{"hi":18446744073709551616,"lo":1},"sender_id":1}',
    '{"sender_stream_id":"1"}',
    '{"Ok":{}}',
    '{"Ok":{"streaming_transport_key":"m","initial_credit":-1}}',
    '[{"handle":{"hi":1,"lo":1},"session":"1"}]',
  ];
  for (const one of wrong) {
    for (const decode of decoders) {
      assert.equal(decode(bytes(one)), null, `${decode.name} of ${one}`);
    }
  }
});

test("an attachment with transports that are no texts is refused", () => {
  const wrong = controlTexts.attachFromA.replace('["tcp-stream"]', "[1]");
  assert.equal(decodeAttach(bytes(wrong)), null);
});
