import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { fails, pair } from "./messenger_kit.ts";

const take = contract("take", {
  input: z.string(),
  output: z.string(),
  errors: {
    OUT_OF_STOCK: z.object({
      left: z.number(),
      until: z.string().transform((text) => new Date(text)).optional(),
    }),
    SLOW: z.object({ ms: z.number() }).refine(() => Promise.resolve(true)),
    GONE: null,
  },
});

test("a declared error arrives with its details as their schema gives them, and isError() knows it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(take, ({ input, fail }) => {
    if (input === "gone") throw fail("GONE");
    if (input === "slow") throw fail("SLOW", { ms: 5 });
    if (input === "by hand") throw new ZeromeshError("OUT_OF_STOCK", "by hand", { details: { left: 1 } });
    throw fail("OUT_OF_STOCK", { left: 3, until: "2026-01-01T00:00:00Z" }, "only three left");
  });
  const call = (payload: string) => client.typedUnary(take, { to: peer, payload });
  const failure = await fails(call("x"), {
    code: "OUT_OF_STOCK",
    message: "only three left",
    ran: "yes",
    handler: "take",
    peer,
    details: { left: 3, until: new Date("2026-01-01T00:00:00Z") },
  });
  assert.ok(take.isError(failure, "OUT_OF_STOCK"));
  assert.equal(failure.details.until?.getUTCFullYear(), 2026);
  assert.ok(!take.isError(failure, "GONE"));
  assert.ok(!take.isError(new Error("x"), "GONE"));
  const other = contract("other", { input: z.string(), output: z.string(), errors: { OUT_OF_STOCK: null } });
  assert.ok(!other.isError(failure, "OUT_OF_STOCK"));
  await fails(call("gone"), { code: "GONE", message: '"take" failed with GONE', details: undefined });
  await fails(call("slow"), { code: "SLOW", details: { ms: 5 } });
  await fails(call("by hand"), { code: "OUT_OF_STOCK", message: "by hand", details: { left: 1 } });
});

test("details that a handler gives and their schema does not take are RESULT_INVALID", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let wrong: readonly [code: string, details: unknown] = ["", null];
  server.handle(take, ({ fail }) => {
    throw (fail as unknown as (...about: unknown[]) => Error)(...wrong);
  });
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ["OUT_OF_STOCK", { lef: 1 }, /^Details of OUT_OF_STOCK of "take" are invalid: left: /],
    ["OUT_OF_STOCK", undefined, /^Details of OUT_OF_STOCK of "take" are invalid: /],
    ["SLOW", { ms: "5" }, /^Details of SLOW of "take" are invalid: ms: /],
    [
      "OUT_OF_STOCK",
      { left: 1, until: "x".repeat(1_100) },
      /invalid: they have 1\d\d\d bytes, more than 1024$/,
    ],
    ["OUT_OF_STOCK", { left: 1, more: new Map() }, /invalid: more is a Map, which JSON cannot carry$/],
  ];
  for (const [code, details, message] of cases) {
    wrong = [code, details];
    await fails(client.typedUnary(take, { to: peer, payload: "x" }), {
      code: "RESULT_INVALID",
      message,
      ran: "yes",
    });
  }
  wrong = ["OUT_OF_STOK", { left: 1 }];
  await fails(client.typedUnary(take, { to: peer, payload: "x" }), {
    code: "HANDLER_FAILED",
    message: 'Cannot fail with OUT_OF_STOK: "take" declares OUT_OF_STOCK, SLOW, GONE',
  });
  assert.equal(server.stats().handlers.running, 0);
});

test("details that the caller's own contract does not take are RESULT_INVALID, with the failure as its cause", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const older = contract("take", {
    input: z.string(),
    output: z.string(),
    errors: { OUT_OF_STOCK: z.object({ left: z.string() }) },
  });
  server.handle(take, ({ fail }) => {
    throw fail("OUT_OF_STOCK", { left: 3 }, "sold");
  });
  const { cause } = await fails(client.typedUnary(older, { to: peer, payload: "x" }), {
    code: "RESULT_INVALID",
    message: new RegExp(`^Details of OUT_OF_STOCK of "take" from ${peer} are invalid: left: `),
    ran: "yes",
  });
  assert.equal((cause as ZeromeshError).code, "OUT_OF_STOCK");
});

test("details whose validator never settles end with the call's deadline or signal, as they came", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const served = contract("stuck", { input: z.string(), output: z.string(), errors: { GONE: null } });
  server.handle(served, () => {
    throw new ZeromeshError("GONE", "it is gone", { details: { since: 1 } });
  });
  const never = z.object({ since: z.number() }).refine(() => new Promise<boolean>(() => {}));
  const stuck = contract("stuck", { input: z.string(), output: z.string(), errors: { GONE: never } });
  const timely = client.typedUnary(stuck, { to: peer, payload: "x", timeoutMs: 100 });
  await fails(timely, { code: "GONE", ran: "yes", message: "it is gone" });
  const giveUp = new AbortController();
  const given = client.typedUnary(stuck, { to: peer, payload: "x", signal: giveUp.signal });
  given.catch(() => {});
  await until(() => server.stats().handlers.failed === 2);
  giveUp.abort("changed my mind");
  assert.equal(await given.catch((reason) => reason), "changed my mind");
});
