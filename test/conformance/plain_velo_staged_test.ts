/** Payloads that a plain node keeps back and we fetch: what is asked, and what a node that lies gets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { isReply, Kind, PlainVelo, requestHeader, responseHeader, utf8 } from "../support/plain_velo.ts";
import { until } from "../support/until.ts";

const failed = (why: string): string => `Failed to resolve large payload: ${why}`;

test("pieces of a staged payload that are too short, or do not add up, end with a nack and a detach", async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ maxPayloadBytes: 1_000 });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  const worker = (server.peers()[0]!.workerId << 64n) | 7n;
  const ready = (total: number, size: number, count: number): object => ({
    Ready: { lease_id: 3, transfer_id: 4, total_len: total, chunk_size: size, chunk_count: count },
  });
  const cases: [answer: object, piece: string | null, wrong: string | null][] = [
    [ready(4, 4, 1), "abcd", null],
    [ready(0, 4, 0), null, null],
    [ready(4, 4, 1), "abc", "piece 0 has 3 bytes instead of 4"],
    [ready(4, 4, 1), "abcde", "piece 0 has 5 bytes instead of 4"],
    [ready(9, 4, 2), null, "9 bytes do not come in 2 pieces of 4"],
    [ready(1_001, 1_001, 1), null, "it has 1001 bytes, more than maxPayloadBytes (1000)"],
    [{ Rdma: { lease_id: 3, descriptor: [] } }, null, "the answer of _rv_acquire offers no pieces"],
  ];
  for (const [answer, piece, wrong] of cases) {
    const id = node.nextId();
    const value = utf8(worker.toString());
    const map = `81a3${utf8("_rv")}d9${(value.length / 2).toString(16)}${value}`;
    node.send(server.endpoint, 0, requestHeader(Kind.unary, id, "echo", map));
    const acquire = await node.nextRequest("_rv_acquire");
    assert.equal(acquire.text, `{"handle":{"hi":${worker >> 64n},"lo":7}}`);
    node.send(server.endpoint, 1, responseHeader(acquire.request.id), answer);
    if (piece !== null) {
      const pull = await node.nextRequest("_rv_pull");
      assert.equal(pull.text, '{"transfer_id":4,"chunk_index":0}');
      node.send(server.endpoint, 1, responseHeader(pull.request.id), piece);
    }
    const end = await node.nextRequest(wrong === null ? "_rv_release" : "_rv_detach");
    assert.equal(end.text, `{"handle":{"hi":${worker >> 64n},"lo":7},"lease_id":3}`);
    const reply = await node.next((message) => isReply(message, id));
    assert.deepEqual([reply.type, reply.text], wrong === null ? [1, piece ?? ""] : [2, failed(wrong)]);
  }
  await until(() => server.stats().staged.fetching === 0);
  assert.deepEqual(server.stats().staged, { fetching: 0, bytes: 0, fetched: 2, failed: 5 });
});

test("a handle that is no number, or of another owner, is refused, and not fetched", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  for (const value of ["7", "-1x"]) {
    const map = `81a3${utf8("_rv")}a${value.length}${utf8(value)}`;
    const reply = await node.ask(server.endpoint, "echo", new Uint8Array(0), { map });
    assert.deepEqual([reply.type, reply.text.startsWith(failed("its handle"))], [2, true]);
  }
  assert.deepEqual(server.stats().staged, { fetching: 0, bytes: 0, fetched: 0, failed: 2 });
});
