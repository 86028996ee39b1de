/** Tests that errors name another instance by its id, and by the `name` that it was given. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { joinCohort } from "../../src/cohort/mod.ts";
import { amHandler, contract, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { lead } from "./cohort_kit.ts";
import { bytes, fails, gate, pair } from "./messenger_kit.ts";

/** A client, and a server that is called printer. */
async function printer(t: LeakCheck) {
  const parts = await pair(t, {
    server: { name: "printer", maxCreditMessages: 64, maxPayloadBytes: 1_000, features: { metadata: false } },
    client: { overflow: "fail", redialForMs: 0, events: { ownerGraceMs: 100 } },
  });
  return { ...parts, who: `${parts.peer} (printer)` };
}

test("errors of calls, ACKs, questions and full queues show a peer with its name", async () => {
  await using t = await leakCheck();
  const { server, client, peer, who } = await printer(t);
  const held = gate(t);
  server.registerHandler(amHandler("hold", () => held.opened));
  server.registerHandler(unaryHandler("odd", () => bytes("5")));
  const odd = contract("odd", {
    input: z.undefined(),
    output: z.string(),
    errors: { SHORT: z.string() },
  });
  await fails(client.typedUnary(odd, { to: peer }), {
    code: "RESULT_INVALID",
    message: new RegExp(`^Result of "odd" from ${peer} \\(printer\\) is invalid: `),
  });
  await fails(client.unary("odd", { to: peer, rawPayload: new Uint8Array(1_001) }), {
    code: "PAYLOAD_TOO_LARGE",
    message: `Cannot call "odd": the payload has 1001 bytes, more than maxPayloadBytes of ${who} (1000)`,
  });
  await fails(client.unary("odd", { to: peer, metadata: "x".repeat(1_100) }), {
    code: "HEADERS_TOO_LARGE",
    message: 'Cannot call "odd": its metadata has 1102 bytes of JSON, more than the 1024 that ' +
      `${who} takes (it lacks feature metadata)`,
  });
  await fails(client.waitForHandler(peer, "never", { timeoutMs: 0 }), {
    code: "HANDLER_NOT_FOUND",
    message: `Peer ${who} has no handler "never" after 0 ms`,
  });
  await fails(client.registerAck({ id: "mine", from: peer, timeoutMs: 5 }).received, {
    code: "TIMEOUT",
    message: `ACK mine did not come from ${who} within 5 ms`,
  });
  const flood = async () => {
    for (;;) await client.amSend("hold", { to: peer });
  };
  const full = await fails(flood(), { code: "QUEUE_FULL", peer });
  assert.ok(full.message.startsWith(`Cannot call "hold": ${who} takes no more messages`), full.message);
  held.open();
});

test("errors about a peer that is gone still show its name", async () => {
  await using t = await leakCheck();
  const { server, client, peer, who } = await printer(t);
  const held = gate(t);
  server.registerHandler(unaryHandler("hold", () => held.opened.then(() => null)));
  const event = client.events.awaiter(server.events.newEvent().handle);
  const ended = fails(event, { code: "EVENT_OWNER_LOST" });
  const ack = fails(client.registerAck({ id: "mine", from: peer }).received, {
    code: "PEER_DISCONNECTED",
    message: `Peer ${who} was lost before its ACK mine came`,
  });
  await client.availableHandlers(peer);
  await server.close({ timeoutMs: 500 });
  await ack;
  const lost = await ended;
  assert.ok(lost.message.includes(`: its owner ${who} is lost, `), lost.message);
  await fails(client.unary("x", { to: peer, timeoutMs: 50 }), {
    code: "TIMEOUT",
    message: `Call of "x" on peer ${who} found no connection within 50 ms`,
  });
});

test("errors and statuses of a cohort show a worker's name, also of a lost one", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 1, lostAfterMs: 5_000 });
  const worker = await t.messenger({ listen: false, name: "press" });
  worker.registerHandler(unaryHandler("fail", () => Promise.reject(new Error("no paper"))));
  const place = await joinCohort(worker, { leader: led.leader.endpoint });
  t.defer(() => place.close());
  const [member] = led.cohort.workers();
  assert.equal(member?.name, "press");
  const results = await led.cohort.call("fail");
  assert.throws(() => results.values(), {
    message: `Failed at 1 of 1 workers: ${worker.instanceId} (press): no paper`,
  });
  const lost = led.cohort.map("fail", () => new Promise<never>(() => {}), { timeoutMs: 50 });
  assert.match(
    (await lost).failures[0]!.error.message,
    /^There was no payload for worker \S+ \(press\) when/,
  );
  await worker.close();
  await until(() => led.statuses.some((status) => status.type === "left" && status.worker.name === "press"));
});
