/** Tests of who may answer for a plain node, which dials a connection of its own for its answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newInstanceId } from "../../src/core/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { PlainVelo, requestHeader, responseHeader, unhex } from "../support/plain_velo.ts";
import { until } from "../support/until.ts";
import { bytes, text } from "./messenger_kit.ts";

test("an answer to a call on a plain node counts only over a connection that bears its id", async () => {
  // Four contexts end on threads of their own.
  await using t = await leakCheck({ settleMs: 5_000 });
  const ours = await t.messenger();
  const node = await PlainVelo.open(t);
  const connecting = ours.connect(node.endpoint);
  await node.answerHello(ours);
  const to = await connecting;
  const call = ours.unary("held", { to, rawPayload: bytes("x") });
  const { request: { id } } = await node.nextRequest("held");
  let forged = 0;
  for (const routingId of [newInstanceId(), `${newInstanceId()}0102030405060708`, null]) {
    const thief = await PlainVelo.open(t, { routingId: routingId === null ? null : unhex(routingId) });
    thief.send(ours.endpoint, 1, responseHeader(id), "stolen");
    thief.send(ours.endpoint, 2, `02${id}`, "stolen");
    thief.send(ours.endpoint, 4, requestHeader(2, id, "held"));
    forged += 3;
    await until(() => ours.stats().transport.drops.replyUnknown === forged);
  }
  assert.equal(ours.stats().calls.pending, 1);
  node.send(ours.endpoint, 1, responseHeader(id), "true");
  assert.equal(text(await call), "true");
});

test("when a plain node's own connection bears no id, another that bears one cannot answer for it", async () => {
  await using t = await leakCheck();
  const ours = await t.messenger();
  const node = await PlainVelo.open(t, { routingId: null });
  const to = ours.registerPeer(node.peerInfo());
  const call = ours.unary("held", { to, rawPayload: bytes("x") });
  await node.answerHello(ours);
  const { request: { id } } = await node.nextRequest("held");
  const thief = await PlainVelo.open(t);
  thief.send(ours.endpoint, 1, responseHeader(id), "stolen");
  await until(() => ours.stats().transport.drops.replyUnknown === 1);
  node.send(ours.endpoint, 1, responseHeader(id, true), "true");
  await assert.rejects(call, { code: "REMOTE_ERROR" });
});
