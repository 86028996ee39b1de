/** Tests of the limits, order, queues, rates and failures of handlers, and of the errors at each limit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amHandler, cancelAfter, type HandlerOptions, semaphore, unaryHandler } from "../../src/mod.ts";
import { jsonSchema } from "../../src/json-schema/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { pause, until, within } from "../support/until.ts";
import { balanced, bytes, counts, fails, gate, pair, text, thrown, turn } from "./messenger_kit.ts";

const modes: [string, HandlerOptions, number][] = [
  ["spawn", { concurrency: 8 }, 8],
  ["inline", { concurrency: 8, dispatch: "inline" }, 8],
  ["ordered by sender", { dispatch: { ordered: "sender" } }, 1],
  ["ordered", { dispatch: { ordered: "global" } }, 1],
  ["a limit that is shared", { limits: [semaphore(5)] }, 5],
];
const total = longRun ? 10_000 : 4_000;
for (const [name, options, limit] of modes) {
  test(`with ${name}, as many of ${total} calls run as the limit says and never more, and the counts always add up`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    let [now, most, ran] = [0, 0, 0];
    server.registerHandler(unaryHandler("step", async ({ payload }) => {
      most = Math.max(most, ++now);
      if (ran++ % 100 === 0) balanced(counts(server, "step"));
      await turn();
      if (ran % 100 === 0) balanced(counts(server, "step"));
      now--;
      return payload;
    }, { ...options, maxQueued: 20_000 }));
    let ended = 0;
    const call = async (i: number): Promise<string> => {
      const answer = await client.unary("step", { to: peer, rawPayload: bytes(String(i)) });
      if (++ended % 100 === 0) balanced(counts(server, "step"));
      return text(answer);
    };
    const answers = await Promise.all(Array.from({ length: total }, (_, i) => call(i)));
    assert.ok(answers.every((answer, i) => answer === String(i)));
    assert.equal(most, limit);
    const stats = counts(server, "step");
    assert.equal(stats.succeeded, total);
    balanced(stats);
  });
}

test("ten messages for a handler of 100 ms with a limit of 4 take 300 ms, and not less", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("slow", () => pause(100), { concurrency: 4 }));
  const start = performance.now();
  await Promise.all(Array.from({ length: 10 }, () => client.unary("slow", { to: peer })));
  const took = performance.now() - start;
  assert.ok(took >= 290 && took < 900, `it took ${took} ms`);
});

test("a flood of one stuck handler leaves room: for its sender at other handlers, for others, for the system", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { maxInFlightMessages: 90 } });
  const other = await t.messenger();
  await other.connect(server.endpoint);
  const held = gate(t);
  let ran = 0;
  for (const name of ["stuck", "stuck too"]) {
    server.registerHandler(unaryHandler(name, async () => {
      ran++;
      await held.opened;
    }));
  }
  server.registerHandler(unaryHandler("echo", async ({ payload }) => {
    await turn();
    return payload;
  }));
  const refused: Promise<unknown>[] = [];
  const flood = (name: string) =>
    Array.from({ length: 100 }, () => {
      const call = client.unary(name, { to: peer });
      return call.catch(() => void refused.push(fails(call, { code: "OVERLOADED", ran: "no" })));
    });
  const served = async (by: typeof client) => {
    for (let i = 0; i < 20; i++) {
      assert.equal(text(await by.unary("echo", { to: peer, rawPayload: bytes(`${i}`) })), `${i}`);
    }
  };
  const first = flood("stuck");
  await until(() => refused.length === 20);
  assert.equal(ran, 80);
  await served(client);
  await served(other);
  for (const from of [client, other]) {
    await fails(from.unary("stuck", { to: peer }), { code: "OVERLOADED", ran: "no" });
    await fails(from.amSync("stuck", { to: peer }), { code: "OVERLOADED", ran: "no" });
    await from.amSend("stuck", { to: peer });
  }
  await until(() => counts(server, "stuck").dropped === 2);
  assert.equal(server.stats().transport.drops["overloaded"], 2);

  // The sender's own share is used up as well now: it reaches no handler any more, and others do.
  const second = flood("stuck too");
  await until(() => refused.length === 115);
  assert.equal(ran, 85);
  await fails(client.unary("echo", { to: peer }), { code: "OVERLOADED", ran: "no" });
  await served(other);
  for (const from of [client, other]) {
    await from.healthCheck(peer);
    assert.ok((await from.availableHandlers(peer)).includes("echo"));
  }
  assert.equal(server.stats().handlers.heldMessages, 85);
  held.open();
  await Promise.all([...first, ...second]);
  await Promise.all(refused);
  assert.equal(ran, 85);
  balanced(counts(server, "stuck"));
  await served(client);
});

test("the messenger's own limit holds for all handlers together, and not for those of the system", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { concurrency: 3 } });
  const held = gate(t);
  let [now, most] = [0, 0];
  for (const name of ["a", "b"]) {
    server.registerHandler(unaryHandler(name, async () => {
      most = Math.max(most, ++now);
      await held.opened;
      now--;
    }));
  }
  const calls = Array.from({ length: 10 }, (_, i) => client.unary(i % 2 === 0 ? "a" : "b", { to: peer }));
  await until(() => server.stats().handlers.queued === 7);
  assert.ok((await client.availableHandlers(peer)).includes("a"));
  held.open();
  await Promise.all(calls);
  assert.equal(most, 3);
});

test("the messenger's own limit holds over thousands of calls for several handlers, each of which has its turns", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { concurrency: 7 } });
  const other = await t.messenger();
  await other.connect(server.endpoint);
  const names = ["free", "limited", "ordered", "lanes"];
  const options: HandlerOptions[] = [
    {},
    { concurrency: 3 },
    { dispatch: { ordered: "global" } },
    { dispatch: { ordered: "sender" } },
  ];
  let [now, most] = [0, 0];
  const ended: string[] = [];
  const held = gate(t);
  names.forEach((name, i) =>
    server.registerHandler(unaryHandler(name, async ({ payload }) => {
      most = Math.max(most, ++now);
      await held.opened;
      await turn();
      now--;
      ended.push(name);
      return payload;
    }, options[i]))
  );
  const each = 400;
  const calls = Promise.all(
    names.flatMap((name) =>
      [client, other].flatMap((from) =>
        Array.from({ length: each }, async (_, i) => {
          assert.equal(text(await from.unary(name, { to: peer, rawPayload: bytes(`${i}`) })), `${i}`);
        })
      )
    ),
  );
  // Calls arrive by name, so that the first ones could have ended before the last ones came.
  await until(() => names.every((name) => counts(server, name).queued > 0));
  held.open();
  await calls;
  assert.equal(most, 7);
  for (const name of names) {
    assert.equal(counts(server, name).succeeded, 2 * each);
    balanced(counts(server, name));
    // Without turns a handler waits for all calls of the one before.
    assert.ok(ended.indexOf(name) < each, `${name} waited until ${ended.indexOf(name)} others had ended`);
  }
});

test("a full queue answers OVERLOADED, nothing ran, and drops messages without an answer; other handlers go on", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  let ran = 0;
  server.registerHandler(unaryHandler("slow", async () => {
    ran++;
    await held.opened;
  }, { concurrency: 1, maxQueued: 2 }));
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const kept = Array.from({ length: 3 }, () => client.unary("slow", { to: peer }));
  await until(() => counts(server, "slow").queued === 2);
  await fails(client.unary("slow", { to: peer }), { code: "OVERLOADED", ran: "no" });
  await fails(client.amSync("slow", { to: peer }), { code: "OVERLOADED", ran: "no" });
  await client.amSend("slow", { to: peer });
  await until(() => counts(server, "slow").dropped === 1);
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("x") })), "x");
  held.open();
  await Promise.all(kept);
  assert.equal(ran, 3);
  const stats = counts(server, "slow");
  assert.deepEqual([stats.succeeded, stats.rejected], [3, 3]);
  balanced(stats);
  assert.equal(server.stats().handlers.overloaded, 3);
});

test("messages of one sender keep their order, and senders do not wait for each other", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const other = await t.messenger();
  await other.connect(server.endpoint);
  const held = gate(t);
  const seen: string[] = [];
  server.registerHandler(amHandler("note", async ({ payload, senderInstanceId }) => {
    const of = senderInstanceId === client.instanceId ? "a" : "b";
    if (of === "a" && text(payload) === "0") await held.opened;
    else await turn();
    seen.push(`${of}${text(payload)}`);
  }, { dispatch: { ordered: "sender" } }));
  const first = Array.from(
    { length: 5 },
    (_, i) => client.amSync("note", { to: peer, rawPayload: bytes(`${i}`) }),
  );
  const second = Array.from(
    { length: 5 },
    (_, i) => other.amSync("note", { to: peer, rawPayload: bytes(`${i}`) }),
  );
  await within(Promise.all(second), 2_000, "the other sender's messages");
  assert.deepEqual(seen, ["b0", "b1", "b2", "b3", "b4"]);
  held.open();
  await Promise.all(first);
  assert.deepEqual(seen.slice(5), ["a0", "a1", "a2", "a3", "a4"]);
});

test("a full lane refuses the newest, or the oldest where that is wanted", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  for (const overflow of ["dropNewest", "dropOldest"] as const) {
    server.registerHandler(unaryHandler(overflow, async ({ payload }) => {
      await held.opened;
      return payload;
    }, { dispatch: { ordered: "sender", maxQueued: 2, overflow } }));
  }
  for (const [name, lost] of [["dropNewest", 3], ["dropOldest", 1]] as const) {
    const calls = Array.from(
      { length: 4 },
      (_, i) =>
        client.unary(name, { to: peer, rawPayload: bytes(`${i}`) }).then(
          text,
          (error: { code: string }) => error.code,
        ),
    );
    await until(() => counts(server, name).rejected === 1);
    assert.equal(await calls[lost], "OVERLOADED");
  }
  held.open();
});

test("a call that waits leaves the queue when its deadline passes, it is cancelled, or its sender goes", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const gone = await t.messenger();
  await gone.connect(server.endpoint);
  const held = gate(t);
  let ran = 0;
  server.registerHandler(unaryHandler("slow", async () => {
    ran++;
    await held.opened;
  }, { concurrency: 1 }));
  const first = client.unary("slow", { to: peer });
  await until(() => counts(server, "slow").inFlight === 1);
  const controller = new AbortController();
  const cancelled = client.unary("slow", { to: peer, signal: controller.signal });
  const late = client.unary("slow", { to: peer, timeoutMs: 50 });
  const lost = gone.unary("slow", { to: peer }).catch(() => {});
  await until(() => counts(server, "slow").queued === 3);
  controller.abort(new Error("enough"));
  await assert.rejects(cancelled, { message: "enough" });
  await fails(late, { code: "TIMEOUT" });
  await gone.close();
  await lost;
  await until(() => counts(server, "slow").queued === 0);
  assert.equal(counts(server, "slow").cancelled, 3);
  held.open();
  await first;
  assert.equal(ran, 1);
  balanced(counts(server, "slow"));
});

test("a rate holds: what comes too soon waits, in order, and nothing is lost", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const at: number[] = [];
  server.registerHandler(
    amHandler("tick", () => void at.push(performance.now()), { rate: { perSecond: 50, burst: 5 } }),
  );
  const start = performance.now();
  await Promise.all(Array.from({ length: 15 }, () => client.amSync("tick", { to: peer })));
  const took = performance.now() - start;
  assert.equal(at.length, 15);
  // Five at once, and ten more at 50 a second.
  assert.ok(took >= 180 && took < 1_500, `it took ${took} ms`);
});

test("a handler that fails too often is stopped: waiting callers get an error, running tasks are aborted, other handlers go on", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let aborted = 0;
  server.registerHandler(unaryHandler("bad", async ({ payload, signal }) => {
    if (text(payload) === "hold") {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      aborted++;
      throw signal.reason;
    }
    throw new Error("again");
  }, { onError: cancelAfter(3), concurrency: 3 }));
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const held = client.unary("bad", { to: peer, rawPayload: bytes("hold") }).catch((error) => error.code);
  for (let i = 0; i < 3; i++) await fails(client.unary("bad", { to: peer }), { code: "HANDLER_FAILED" });
  await fails(client.unary("bad", { to: peer }), { code: "CANCELLED" });
  assert.ok(["CANCELLED", "HANDLER_FAILED"].includes(await within(held, 1_000)));
  assert.equal(aborted, 1);
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("x") })), "x");
  balanced(counts(server, "bad"));
});

test("a frozen handler and a frozen lane delay no other handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  server.registerHandler(amHandler("frozen", () => held.opened, { dispatch: { ordered: "global" } }));
  server.registerHandler(unaryHandler("stuck", () => held.opened as Promise<undefined>, { concurrency: 1 }));
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload, { concurrency: 4 }));
  const waiting = [
    ...Array.from({ length: 50 }, () => client.amSync("frozen", { to: peer })),
    ...Array.from({ length: 50 }, () => client.unary("stuck", { to: peer })),
  ];
  await until(() => server.stats().handlers.queued === 98);
  for (let i = 0; i < 200; i++) {
    await within(
      client.unary("echo", { to: peer, rawPayload: bytes("x") }),
      1_000,
      "an answer beside the frozen",
    );
  }
  held.open();
  await Promise.all(waiting);
});

test("close() gives waiting calls back and waits for those that run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  server.registerHandler(unaryHandler("slow", async ({ payload }) => {
    await held.opened;
    return payload;
  }, { concurrency: 1 }));
  const runs = client.unary("slow", { to: peer, rawPayload: bytes("runs") });
  await until(() => counts(server, "slow").inFlight === 1);
  const waits = client.unary("slow", { to: peer }).then(() => "answered", (error) => [error.code, error.ran]);
  await until(() => counts(server, "slow").queued === 1);
  const closing = server.close({ timeoutMs: 2_000 });
  assert.deepEqual(await within(waits, 1_500, "the call that waits"), ["PEER_DRAINING", "no"]);
  held.open();
  assert.equal(text(await runs), "runs");
  await closing;
});

test("a JSON Schema is checked before the handler runs, for every pattern, and the path of the fault is named", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let ran = 0;
  const schema = jsonSchema<{ size: { w: number } }>({
    type: "object",
    properties: {
      size: { type: "object", properties: { w: { type: "integer", minimum: 1 } }, required: ["w"] },
    },
    required: ["size"],
  });
  server.registerHandler(unaryHandler("resize", ({ json }) => {
    ran++;
    return bytes(JSON.stringify(json()));
  }, { schema }));
  assert.equal(
    text(await client.unary("resize", { to: peer, payload: { size: { w: 3 } } })),
    '{"size":{"w":3}}',
  );
  for (const payload of [{ size: { w: 0 } }, { size: { w: "3" } }]) {
    const expected = { code: "PAYLOAD_INVALID", message: /size.w/, ran: "no" };
    await fails(client.unary("resize", { to: peer, payload }), expected);
    await fails(client.amSync("resize", { to: peer, payload }), expected);
    await client.amSend("resize", { to: peer, payload });
  }
  await fails(client.unary("resize", { to: peer, rawPayload: bytes("{") }), { code: "PAYLOAD_INVALID" });
  await until(() => counts(server, "resize").dropped === 2);
  assert.equal(ran, 1);
  balanced(counts(server, "resize"));
  assert.ok(thrown(() => jsonSchema({ type: "nothing" })) instanceof TypeError);
});

test("wrong limits are refused when the handler is made", () => {
  const make = (options: HandlerOptions) => () => unaryHandler("x", () => {}, options);
  for (
    const options of [
      { concurrency: 0 },
      { concurrency: 1.5 },
      { maxQueued: -1 },
      { dispatch: "later" as "spawn" },
      { dispatch: { ordered: "nobody" as "sender" } },
      { dispatch: { ordered: "sender", overflow: "wait" as "fail" } },
      { rate: { perSecond: 0 } },
      { limits: [7 as unknown as ReturnType<typeof semaphore>] },
    ] as HandlerOptions[]
  ) {
    const error = thrown(make(options));
    assert.ok(error instanceof RangeError || error instanceof TypeError, JSON.stringify(options));
  }
});
