/** Tests of the counters of cancelled and failed tasks, of failures per handler, and of error policies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cancelAfter, type HandlerStats, type Messenger, semaphore, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { fails, gate, pair, text } from "./messenger_kit.ts";

function counts(messenger: Messenger, name: string): HandlerStats {
  return messenger.stats().handlers.byHandler[name] ?? assert.fail(`no counters of ${name}`);
}

test("a task that ends because its caller gave up counts as cancelled, one that fails as failed, and policies see the latter only", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: [string, number][] = [];
  const onError = {
    failed: (error: unknown, failures: number) => {
      seen.push([(error as Error).message, failures]);
      return "log" as const;
    },
  };
  server.registerHandler(unaryHandler("work", async ({ payload, signal }) => {
    if (text(payload) === "bad") throw new Error("bad work");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw signal.reason;
  }, { onError }));
  const controller = new AbortController();
  const held = client.unary("work", { to: peer, signal: controller.signal });
  await until(() => counts(server, "work").inFlight === 1);
  controller.abort(new Error("enough"));
  await assert.rejects(held, { message: "enough" });
  await until(() => counts(server, "work").cancelled === 1);
  const bad = { to: peer, rawPayload: new TextEncoder().encode("bad") };
  for (let i = 0; i < 2; i++) await fails(client.unary("work", bad), { code: "HANDLER_FAILED" });
  const { failed, cancelled, succeeded } = counts(server, "work");
  assert.deepEqual({ failed, cancelled, succeeded }, { failed: 2, cancelled: 1, succeeded: 0 });
  assert.deepEqual(seen, [["bad work", 1], ["bad work", 2]]);
});

test("failures are counted per handler: one policy for two stops the one that reached it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const onError = cancelAfter(2);
  for (const name of ["first", "second"]) {
    server.registerHandler(unaryHandler(name, () => {
      throw new Error(name);
    }, { onError }));
  }
  await fails(client.unary("first", { to: peer }), { code: "HANDLER_FAILED" });
  await fails(client.unary("second", { to: peer }), { code: "HANDLER_FAILED" });
  await fails(client.unary("first", { to: peer }), { code: "HANDLER_FAILED" });
  await fails(client.unary("first", { to: peer }), { code: "CANCELLED" });
  await client.amSend("first", { to: peer });
  await until(() => counts(server, "first").dropped === 1);
  assert.deepEqual(server.stats().transport.drops, { handlerStopped: 1 });
  await fails(client.unary("second", { to: peer }), { code: "HANDLER_FAILED", message: "second" });
});

test("a policy of one's own can end the whole instance; a handler that is unregistered does not", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const onError = {
    failed: () => {
      void server.close();
      return "cancel" as const;
    },
  };
  const critical = unaryHandler("critical", () => Promise.reject(new Error("it is over")), { onError });
  server.registerHandler(critical)[Symbol.dispose]();
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  assert.equal((await client.unary("echo", { to: peer })).length, 0);
  server.registerHandler(critical);
  await fails(client.unary("critical", { to: peer }), { code: "HANDLER_FAILED", message: "it is over" });
  await within(server.closed, 2_000, "the instance to end");
});

test("one place is enough for a handler whose tasks make others do the same: its place is given back before the next takes it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  const place = semaphore(1);
  let [now, most, left] = [0, 0, 20];
  server.registerHandler(unaryHandler("step", async ({ messenger }) => {
    most = Math.max(most, ++now);
    // Goes on as a new task, and does not wait for it: that one starts when this one's place is free.
    if (--left > 0) void messenger.amSend("step", { to: messenger.instanceId });
    else held.open();
    await Promise.resolve();
    now--;
  }, { limits: [place], concurrency: 1 }));
  await client.unary("step", { to: peer });
  await within(held.opened, 2_000, "the last step");
  await until(() => counts(server, "step").succeeded === 20);
  assert.equal(most, 1);
  assert.equal(place.available, 1);
});
