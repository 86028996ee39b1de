/** Tests of `ran` of errors, which says whether the handler ran. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  type AnySchema,
  contract,
  type HandlerContext,
  knownErrorCodes,
  type Messenger,
  type Tracing,
  unaryHandler,
  ZeromeshError,
} from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { fails, gate, pair, text } from "./messenger_kit.ts";

/** The causes that abort the signal of a handler, and the code of the reason. */
const endings = {
  "its caller gives up": [
    "CANCELLED",
    (_: { client: Messenger; giveUp: AbortController }) => _.giveUp.abort(),
  ],
  "its caller is lost": ["PEER_DISCONNECTED", ({ client }: { client: Messenger }) => void client.close()],
  "its deadline passes": ["TIMEOUT", () => {}],
} as const;

for (const [what, [code, end]] of Object.entries(endings)) {
  test(`a call that was given its handler's signal ends with its reason when ${what}, which does not say "no"`, async () => {
    await using t = await leakCheck();
    const { server: gateway, client, peer } = await pair(t);
    const worker = await t.messenger();
    const held = gate(t);
    let worked = 0;
    worker.registerHandler(unaryHandler("work", async () => {
      worked++;
      await held.opened;
      return new Uint8Array();
    }));
    const to = await gateway.connect(worker.endpoint);
    let seen: unknown;
    let reason: unknown;
    gateway.registerHandler(unaryHandler("outer", async ({ messenger, signal }: HandlerContext) => {
      try {
        return await messenger.unary("work", { to, signal });
      } catch (error) {
        seen = error;
        reason = signal.reason;
        throw error;
      }
    }));
    const giveUp = new AbortController();
    const timeoutMs = code === "TIMEOUT" ? 200 : 20_000;
    const call = client.unary("outer", { to: peer, timeoutMs, signal: giveUp.signal });
    call.catch(() => {});
    await until(() => worked === 1);
    end({ client, giveUp });
    await until(() => seen);
    assert.equal(seen, reason);
    assert.ok(seen instanceof ZeromeshError);
    // The caller gives up when its deadline passes, too, and that may be heard first.
    assert.ok(seen.code === code || (code === "TIMEOUT" && seen.code === "CANCELLED"), seen.code);
    assert.equal(seen.ran, "maybe");
    held.open();
    await until(() => worker.stats().handlers.running === 0);
    await assert.rejects(call);
  });
}

test("a handler that throws an error of the library's, whatever that says of its own call, has run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("throws", (context) => {
    const { code, own } = context.json() as { code: string; own: boolean };
    const about = own ? { handler: "throws" } : { peer: server.instanceId, handler: "other" };
    throw new ZeromeshError(code, "after the work was done", { ...about, ran: "no" });
  }));
  for (const code of knownErrorCodes) {
    for (const own of [true, false]) {
      const expected = { ran: "yes", message: "after the work was done", peer, handler: "throws" };
      await fails(client.unary("throws", { to: peer, payload: { code, own } }), expected);
      await fails(client.amSync("throws", { to: peer, payload: { code, own } }), expected);
    }
  }
});

test("a handler that reads a payload which is no JSON has run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("reads", (context) => {
    context.json();
    return new Uint8Array();
  }));
  const rawPayload = new TextEncoder().encode("{");
  await fails(client.unary("reads", { to: peer, rawPayload }), { code: "PAYLOAD_INVALID", ran: "yes" });
});

test("a handler that was not reached because its validator throws did not run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let ran = 0;
  for (const how of ["throws", "rejects"] as const) {
    const validate = () => {
      if (how === "throws") throw new Error("the validator broke");
      return Promise.reject(new Error("the validator broke"));
    };
    const broken: AnySchema = { "~standard": { version: 1, vendor: "test", validate } };
    const name = `checked-${how}`;
    server.handle(contract(name, { input: broken, output: z.null() }), () => {
      ran++;
      return null;
    });
    const expected = { code: "PAYLOAD_INVALID", ran: "no", message: /the validator broke/ };
    await fails(client.unary(name, { to: peer, payload: 1 }), expected);
    await fails(client.amSync(name, { to: peer, payload: 1 }), expected);
  }
  assert.equal(ran, 0);
});

test("a result whose validator throws is of a handler that ran", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const validate = () => {
    throw new Error("the validator broke");
  };
  const broken: AnySchema = { "~standard": { version: 1, vendor: "test", validate } };
  server.handle(contract("made", { input: z.any(), output: broken }), () => 1);
  await fails(client.unary("made", { to: peer }), { code: "RESULT_INVALID", ran: "yes" });
});

test("a tracer that throws before or after it runs the handler costs no call", async () => {
  await using t = await leakCheck();
  let when: "before" | "after" = "before";
  const tracing: Tracing = {
    send: () => ({ headers: {}, end() {} }),
    receive: () => ({
      run(handler) {
        if (when === "before") throw new Error("the tracer broke");
        handler();
        throw new Error("the tracer broke");
      },
      end() {},
    }),
  };
  const { server, client, peer } = await pair(t, { server: { tracing } });
  let ran = 0;
  server.registerHandler(unaryHandler("traced", () => {
    ran++;
    return new TextEncoder().encode("done");
  }));
  assert.equal(text(await client.unary("traced", { to: peer })), "done");
  assert.equal(ran, 1);
  when = "after";
  assert.equal(text(await client.unary("traced", { to: peer })), "done");
  assert.equal(ran, 2);
  assert.equal(server.stats().faults.tracing, 2);
});
