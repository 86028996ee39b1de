/** Lanes of ordered handlers: several senders at once, limits, failures, full queues, and what is forgotten. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amHandler, type Messenger, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { balanced, bytes, counts, fails, gate, pair, text, turn } from "./messenger_kit.ts";

/** A server and several senders that are connected to it. */
async function senders(t: LeakCheck, count: number) {
  const { server, client, peer } = await pair(t);
  const all = [client];
  while (all.length < count) {
    const next = await t.messenger();
    await next.connect(server.endpoint);
    all.push(next);
  }
  return { server, all, to: { to: peer } };
}

test("a lane is kept while it has work, and forgotten when its sender is silent for idleLaneTtlMs", async () => {
  await using t = await leakCheck();
  const { server, all, to } = await senders(t, 4);
  const held = gate(t);
  const seen: string[] = [];
  const handler = (name: string, idleLaneTtlMs: number | undefined) =>
    server.registerHandler(unaryHandler(name, async ({ payload }) => {
      if (text(payload) === "hold") await held.opened;
      else await turn();
      seen.push(text(payload));
    }, { dispatch: { ordered: "sender", idleLaneTtlMs } }));
  handler("soon", 40);
  handler("late", undefined);
  for (const name of ["soon", "late"]) {
    await Promise.all(all.map((from) => from.unary(name, to)));
    assert.equal(counts(server, name).lanes, 4);
  }
  const busy = all[0]!.unary("soon", { ...to, rawPayload: bytes("hold") });
  const waits = all[0]!.unary("soon", { ...to, rawPayload: bytes("next") });
  await until(() => counts(server, "soon").lanes === 1);
  assert.deepEqual([counts(server, "soon").inFlight, counts(server, "soon").queued], [1, 1]);
  assert.equal(counts(server, "late").lanes, 4);
  held.open();
  await Promise.all([busy, waits]);
  await until(() => counts(server, "soon").lanes === 0);
  // A sender that was forgotten is a sender like the others.
  seen.length = 0;
  const again = Array.from(
    { length: 20 },
    (_, i) => all[0]!.unary("soon", { ...to, rawPayload: bytes(`${i}`) }),
  );
  await Promise.all(again);
  assert.deepEqual(seen, Array.from({ length: 20 }, (_, i) => `${i}`));
  assert.equal(counts(server, "soon").lanes, 1);
});

test("ordered by sender with a limit: of several senders never more run, and each one's order is kept", async () => {
  await using t = await leakCheck();
  const { server, all, to } = await senders(t, 6);
  let [now, most] = [0, 0];
  const running = new Set<string>();
  const seen = new Map<string, number[]>();
  server.registerHandler(amHandler("note", async ({ payload, senderInstanceId }) => {
    const from = String(senderInstanceId);
    assert.ok(!running.has(from), "two messages of one sender at a time");
    running.add(from);
    most = Math.max(most, ++now);
    const number = Number(text(payload));
    for (let turns = number % 3; turns >= 0; turns--) await turn();
    seen.set(from, [...seen.get(from) ?? [], number]);
    running.delete(from);
    now--;
  }, { dispatch: { ordered: "sender" }, concurrency: 3 }));
  const each = Array.from({ length: 100 }, (_, i) => i);
  const note = (from: Messenger) =>
    each.map((i) => from.amSync("note", { ...to, rawPayload: bytes(`${i}`) }));
  await Promise.all(all.flatMap(note));
  assert.equal(most, 3);
  for (const from of all) assert.deepEqual(seen.get(String(from.instanceId)), each);
  balanced(counts(server, "note"));
});

test("with a limit a sender that stands still keeps one place, and the others go on with the rest", async () => {
  await using t = await leakCheck();
  const { server, all, to } = await senders(t, 3);
  const held = gate(t);
  server.registerHandler(unaryHandler("step", async ({ payload }) => {
    if (text(payload) === "hold") await held.opened;
    return payload;
  }, { dispatch: { ordered: "sender" }, concurrency: 2 }));
  const [first, ...others] = all;
  const stuck = Array.from({ length: 20 }, () => first!.unary("step", { ...to, rawPayload: bytes("hold") }));
  await until(() => counts(server, "step").queued === 19);
  for (let i = 0; i < 50; i++) {
    await within(Promise.all(others.map((from) => from.unary("step", to))), 2_000, "the other senders");
  }
  assert.deepEqual([counts(server, "step").inFlight, counts(server, "step").queued], [1, 19]);
  held.open();
  await Promise.all(stuck);
});

for (const ordered of ["sender", "global"] as const) {
  test(`ordered by ${ordered}: a lane goes on after failures, and keeps its order`, async () => {
    await using t = await leakCheck();
    const { server, all: [client], to } = await senders(t, 1);
    const seen: number[] = [];
    server.registerHandler(unaryHandler("step", ({ payload }): Promise<Uint8Array> => {
      const number = Number(text(payload));
      seen.push(number);
      if (number % 3 === 1) throw new Error("at once");
      return turn().then(() => {
        if (number % 3 === 2) throw new Error("later");
        return bytes(`${number}`);
      });
    }, { dispatch: { ordered } }));
    const outcomes = await Promise.all(Array.from(
      { length: 90 },
      (_, i) =>
        client!.unary("step", { ...to, rawPayload: bytes(`${i}`) }).then(
          text,
          (error: { code: string }) => error.code,
        ),
    ));
    const expected = (i: number) => i % 3 === 0 ? `${i}` : "HANDLER_FAILED";
    assert.deepEqual(outcomes, outcomes.map((_, i) => expected(i)));
    assert.deepEqual(seen, outcomes.map((_, i) => i));
    const stats = counts(server, "step");
    assert.deepEqual([stats.succeeded, stats.failed, stats.inFlight, stats.queued], [30, 60, 0, 0]);
    balanced(stats);
  });

  test(`ordered by ${ordered}: maxQueued is ${ordered === "sender" ? "each sender's own" : "for all together"}`, async () => {
    await using t = await leakCheck();
    const { server, all: [client, other], to } = await senders(t, 2);
    const held = gate(t);
    server.registerHandler(unaryHandler("step", async () => {
      await held.opened;
    }, { dispatch: { ordered, maxQueued: 2 } }));
    const kept = Array.from({ length: 3 }, () => client!.unary("step", to));
    await until(() => counts(server, "step").queued === 2);
    await fails(client!.unary("step", to), { code: "OVERLOADED", ran: "no" });
    await client!.amSend("step", to);
    await until(() => counts(server, "step").dropped === 1);
    if (ordered === "sender") {
      kept.push(...Array.from({ length: 3 }, () => other!.unary("step", to)));
      await until(() => counts(server, "step").queued === 4);
    }
    await fails(other!.unary("step", to), { code: "OVERLOADED", ran: "no" });
    held.open();
    await Promise.all(kept);
    assert.equal(counts(server, "step").succeeded, kept.length);
    balanced(counts(server, "step"));
  });
}
