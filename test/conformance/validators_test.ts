/** Schemas of contracts whose validators take their time, or never settle: every call ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AnySchema, contract, type StandardSchema } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { counts, fails, pair } from "./messenger_kit.ts";

function schema(validate: AnySchema["~standard"]["validate"]): StandardSchema<unknown, unknown> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

const anything = schema((value) => ({ value }));
const later = schema(async (value) => ({ value: await Promise.resolve(value) }));
const never = schema(() => new Promise(() => {}));
/** Settles at the caller, and never at the service, or the other way round. */
function settlesOnlyAt(time: number): StandardSchema<unknown, unknown> {
  let asked = 0;
  return schema((value) => ++asked === time ? { value } : new Promise(() => {}));
}

test("validators that take their time at both sides cost a call nothing but the time", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const slow = contract("slow", { input: later, output: later });
  server.handle(slow, ({ input }) => input);
  assert.equal(await client.typedUnary(slow, { to: peer, payload: "a" }), "a");
  assert.equal(await client.typedUnary(slow, { to: peer, payload: "b", timeoutMs: Infinity }), "b");
});

const cases = {
  "the caller's, of the input": { input: never, output: anything, ran: "no" },
  "the service's, of the input": { input: settlesOnlyAt(1), output: anything, ran: "maybe" },
  "the service's, of the output": { input: anything, output: never, ran: "maybe" },
  "the caller's, of the output": { input: anything, output: settlesOnlyAt(1), ran: "yes" },
};

for (const [whose, { input, output, ran }] of Object.entries(cases)) {
  test(`a validator that never settles ends with the deadline and the signal: ${whose}`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    const held = contract("held", { input, output });
    const began: unknown[] = [];
    server.handle(held, ({ input }) => {
      began.push(input);
      return input;
    });
    const call = client.typedUnary(held, { to: peer, payload: 1, timeoutMs: 60 });
    await fails(call, { code: "TIMEOUT", ran }, 1_000);
    assert.equal(began.length, ran === "no" || whose === "the service's, of the input" ? 0 : 1);
    await until(() => server.stats().handlers.running === 0 && counts(server, "held").inFlight === 0);
    const controller = new AbortController();
    const aborted = client.typedUnary(held, { to: peer, payload: 2, signal: controller.signal });
    setImmediate(() => controller.abort(new Error("enough")));
    await fails(aborted, { message: "enough" }, 1_000);
    await until(() => server.stats().handlers.running === 0 && client.stats().calls.pending === 0);
  });
}

test("close() ends a call whose answer is still being checked", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const output = settlesOnlyAt(1);
  const held = contract("held", { input: anything, output });
  server.handle(held, ({ input }) => input);
  const call = fails(client.typedUnary(held, { to: peer, payload: 1 }), { code: "CLOSED" });
  await until(() => counts(server, "held").succeeded === 1);
  await client.close({ timeoutMs: 50 });
  await call;
});
