/** Errors as objects: two copies of the package, JSON, and whose line a stack has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { contract, service, unaryHandler, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { fails, pair } from "./messenger_kit.ts";

class Own extends ZeromeshError {}

test("errors of two copies of the package know each other, with is() and with instanceof", async () => {
  const path = "../../src/core/errors.ts?another";
  const { ZeromeshError: Other } = await import(path) as { ZeromeshError: typeof ZeromeshError };
  assert.notEqual(Other, ZeromeshError);
  for (
    const error of [new Other("TIMEOUT", "x"), new ZeromeshError("TIMEOUT", "x"), new Own("TIMEOUT", "x")]
  ) {
    for (const copy of [ZeromeshError, Other]) {
      assert.ok(copy.is(error));
      assert.ok(error instanceof copy);
    }
    assert.equal(error instanceof Own, error.constructor === Own);
  }
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const no of [new Error("x"), { code: "TIMEOUT" }, null, undefined, "x", 5, proxy, () => {}]) {
    assert.equal(ZeromeshError.is(no), false);
    assert.equal(no instanceof ZeromeshError, false);
    assert.equal(no instanceof Own, false);
  }
});

test("an error of another copy keeps its declared code on the way to the caller", async () => {
  await using t = await leakCheck();
  const path = "../../src/core/errors.ts?another";
  const { ZeromeshError: Other } = await import(path) as { ZeromeshError: typeof ZeromeshError };
  const { server, client, peer } = await pair(t);
  const buy = contract("buy", {
    input: z.number(),
    output: z.null(),
    errors: { OUT_OF_STOCK: z.object({ left: z.number() }) },
  });
  server.handle(buy, () => {
    throw new Other("OUT_OF_STOCK", "none left", { details: { left: 0 } });
  });
  await fails(client.typedUnary(buy, { to: peer, payload: 1 }), {
    code: "OUT_OF_STOCK",
    details: { left: 0 },
  });
});

test("JSON of an error has its message and what is known, and neither stack nor cause", () => {
  const error = new ZeromeshError("TIMEOUT", "no answer", {
    peer: "p",
    handler: "h",
    ran: "maybe",
    details: { left: 3 },
    cause: new Error("secret"),
  });
  assert.deepEqual(JSON.parse(JSON.stringify({ error })), {
    error: {
      name: "ZeromeshError",
      code: "TIMEOUT",
      message: "no answer",
      peer: "p",
      handler: "h",
      ran: "maybe",
      details: { left: 3 },
    },
  });
  for (const details of [1n, { big: 1n }, () => 1, undefined]) {
    const text = JSON.stringify(new ZeromeshError("TIMEOUT", "x", { details }));
    assert.deepEqual(JSON.parse(text), { name: "ZeromeshError", code: "TIMEOUT", message: "x", ran: "no" });
  }
});

test("the stack of a call's error has the line that awaits the call", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const { server, client, peer } = await pair(t, {
    server: { discovery, services: ["work"] },
    client: { discovery },
  });
  server.registerHandler(unaryHandler("bad", () => {
    throw new Error("boom");
  }));
  server.registerHandler(unaryHandler("slow", () => new Promise<Uint8Array>((resolve) => held = resolve)));
  let held = (_: Uint8Array): void => {};
  const add = contract("add", { input: z.number(), output: z.number() });
  server.handle(add, () => {
    throw new Error("boom");
  });
  const remote = client.client({ add }, { to: peer });
  // Each with an await of its own: that is the line which is looked for.
  const callers: Record<string, () => Promise<unknown>> = {
    async unaryCaller() {
      return await client.unary("bad", { to: peer });
    },
    async syncCaller() {
      return await client.amSync("bad", { to: peer });
    },
    async clientCaller() {
      return await remote.add(1);
    },
    async serviceCaller() {
      return await client.unary("bad", { to: service("work") });
    },
    async lateCaller() {
      return await client.unary("slow", { to: peer, timeoutMs: 50 });
    },
    async missingCaller() {
      return await client.unary("nowhere", { to: peer });
    },
  };
  for (const [name, caller] of Object.entries(callers)) {
    const error = await fails(caller(), { name: "ZeromeshError" });
    assert.match(error.stack!, new RegExp(`${error.message.slice(0, 4)}[^]*${name}[^]*errors_objects_test`));
  }
  held(new Uint8Array());
});

test("the reason with which a caller gives up keeps its stack", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(
    unaryHandler(
      "slow",
      ({ signal }) =>
        new Promise<Uint8Array>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    ),
  );
  const reason = new ZeromeshError("CANCELLED", "mine", { ran: "maybe" });
  const { stack } = reason;
  const giveUp = new AbortController();
  const call = client.unary("slow", { to: peer, signal: giveUp.signal });
  giveUp.abort(reason);
  const error = await fails(call, { code: "CANCELLED" });
  assert.equal(error, reason);
  assert.equal(error.stack, stack);
});
