/** Code that an instance is given besides handlers: whatever it throws or returns, it costs nobody's message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  amHandler,
  type ErrorPolicy,
  type InstanceId,
  type Limiter,
  type Logger,
  type Messenger,
  type MessengerOptions,
  type Meter,
  type Tracing,
  unaryHandler,
  ZeromeshError,
} from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { bytes, counts, fails, pair, text } from "./messenger_kit.ts";

/** Makes a value whose properties cannot be read. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const thrownValues: Readonly<Record<string, () => unknown>> = {
  "an error": () => new Error("on purpose"),
  "nothing": () => undefined,
  "a revoked Proxy": revoked,
};

function throwing(value: () => unknown): () => never {
  return () => {
    throw value();
  };
}

const hookOptions: Readonly<Record<string, (fail: () => never) => MessengerOptions>> = {
  "a logger": (fail) => ({ logger: { debug: fail, info: fail, warn: fail, error: fail } }),
  "a logger of promises": (fail) => {
    const later = (): Promise<never> => Promise.resolve().then(fail);
    return { logger: { debug: later, info: later, warn: later, error: later } };
  },
  "a meter": (fail) => ({ meter: { counter: fail, gauge: fail, histogram: fail } }),
  "a meter's series": (fail) => ({
    meter: {
      counter: () => ({ [Symbol.dispose]: fail }),
      gauge: () => ({ [Symbol.dispose]: fail }),
      histogram: () => ({ series: () => ({ record: fail }) }),
    },
  }),
  "a tracer": (fail) => ({ tracing: { send: fail, receive: fail } }),
  "a trace": (fail) => ({
    tracing: {
      send: () => ({ headers: {}, end: fail }),
      receive: () => ({ run: fail, end: fail }),
    },
  }),
};

for (const [hook, optionsOf] of Object.entries(hookOptions)) {
  for (const [value, make] of Object.entries(thrownValues)) {
    test(`${hook} that throws ${value} costs no message, and is counted`, async () => {
      await using t = await leakCheck();
      const options = optionsOf(throwing(make));
      const { server, client, peer } = await pair(t, { server: options, client: options });
      server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
      server.registerHandler(unaryHandler("odd", throwing(make)));
      const calls = Array.from({ length: 20 }, (_, i) => `${i}`);
      const good = calls.map((i) => client.unary("echo", { to: peer, rawPayload: bytes(i) }));
      const bad = calls.map((_) => client.unary("odd", { to: peer }));
      // No caller waits for these, so a failure is logged.
      await client.amSend("odd", { to: peer });
      assert.deepEqual((await Promise.all(good)).map(text), calls);
      for (const call of bad) await fails(call, { code: "HANDLER_FAILED", ran: "yes" });
      await until(() => counts(server, "odd").failed === 21);
      assert.equal(counts(server, "echo").succeeded, 20);
      const kind = hook.includes("logger") ? "logger" : hook.includes("meter") ? "meter" : "tracing";
      await until(() => server.stats().faults[kind] > 0);
      await server.close();
      await client.close();
    });
  }
}

for (const [how, after] of [["throws", false], ["answers a promise that rejects", true]] as const) {
  test(`a logger that ${how} is not called again, on the instance where it did`, async () => {
    await using t = await leakCheck();
    const called: string[] = [];
    const broken = (who: string): Logger => {
      const fail = (line: string) => {
        called.push(`${who}: ${line}`);
        if (after) return Promise.reject(new Error("the disk is full"));
        throw new Error("the disk is full");
      };
      return { debug: fail, info: fail, warn: fail, error: fail };
    };
    const { server, client, peer } = await pair(t, { server: { logger: broken("server") } });
    server.registerHandler(amHandler("odd", throwing(() => new Error("boom"))));
    const another = await t.messenger({ logger: broken("another") });
    another.registerHandler(amHandler("odd", throwing(() => new Error("boom"))));
    // The log has a line for each of these that nobody waits for.
    const send = async (messenger: Messenger, to: InstanceId, failed: number) => {
      await client.amSend("odd", { to });
      await until(() => counts(messenger, "odd").failed === failed);
    };
    for (let failed = 1; failed <= 3; failed++) await send(server, peer, failed);
    assert.deepEqual(called, ["server: a handler failed"]);
    assert.equal(server.stats().faults.logger, 1);
    await send(another, await client.connect(another.endpoint), 1);
    assert.deepEqual(called.length, 2);
  });
}

test("a tracer that answers nothing, or runs no handler or runs it twice, costs no message", async () => {
  await using t = await leakCheck();
  const end = (): void => {};
  const traces: Readonly<Record<string, unknown>> = {
    nothing: undefined,
    empty: {},
    idle: { run: () => "something else", end },
    late: { run: async (handler: () => unknown) => (await Promise.resolve(), handler()), end },
    twice: { run: (handler: () => unknown) => (handler(), handler()), end },
  };
  const tracing = {
    send: ({ handlerName }) => ({ headers: { _own: "x", handlerName }, end }),
    receive: ({ handlerName }) => traces[handlerName],
  } as Tracing;
  const { server, client, peer } = await pair(t, { server: { tracing }, client: { tracing } });
  for (const name of Object.keys(traces)) {
    let runs = 0;
    server.registerHandler(unaryHandler(name, () => bytes(`${name} ${++runs}`)));
    assert.equal(text(await client.unary(name, { to: peer })), `${name} 1`);
    assert.equal(counts(server, name).started, 1);
  }
  assert.ok(client.stats().faults.tracing > 0); // a header of the system's is not the tracer's
});

for (
  const [what, failed] of Object.entries<() => unknown>({
    "throws an error": throwing(() => new Error("on purpose")),
    "throws a revoked Proxy": throwing(revoked),
    "answers a text": () => "stop",
    "answers nothing": () => undefined,
    "answers a promise that rejects": () => Promise.reject(new Error("on purpose")),
    "answers a revoked Proxy": revoked,
  })
) {
  test(`an onError policy that ${what} changes nothing, and is counted`, async () => {
    await using t = await leakCheck();
    const logged: string[] = [];
    const silent = (): void => {};
    const logger: Logger = {
      debug: silent,
      info: silent,
      warn: silent,
      error: (line) => void logged.push(line),
    };
    const { server, client, peer } = await pair(t, { server: { logger } });
    const onError = { failed } as ErrorPolicy;
    server.registerHandler(unaryHandler("odd", throwing(() => new Error("boom")), { onError }));
    server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    const calls = [client.unary("odd", { to: peer }), client.unary("odd", { to: peer })];
    const good = client.unary("echo", { to: peer, rawPayload: bytes("a") });
    for (const call of calls) await fails(call, { code: "HANDLER_FAILED", message: "boom" });
    assert.equal(text(await good), "a");
    await until(() => server.stats().faults.onError === 2);
    assert.ok(logged.includes("onError failed"));
  });
}

test("an onError policy may answer with a promise", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const onError: ErrorPolicy = { failed: () => Promise.resolve("cancel") };
  server.registerHandler(unaryHandler("odd", throwing(() => new Error("boom")), { onError }));
  await fails(client.unary("odd", { to: peer }), { code: "HANDLER_FAILED" });
  await until(() =>
    client.unary("odd", { to: peer }).then(() => false, (error) => error.code === "CANCELLED")
  );
  assert.equal(server.stats().faults.onError, 0);
});

test("a limit admits by true alone, and one that throws is asked again", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let answers: (() => unknown)[] = [throwing(revoked), () => "yes", () => 1];
  const limit: Limiter = {
    ready: () => (answers.shift() ?? (() => true))() as boolean,
    take: throwing(() => new Error("take")),
    release: throwing(() => new Error("release")),
    wait: throwing(() => new Error("wait")),
    leave: throwing(() => new Error("leave")),
  };
  server.registerHandler(unaryHandler("limited", ({ payload }) => payload, { limits: [limit] }));
  const calls = ["a", "b", "c"];
  const results = calls.map((call) => client.unary("limited", { to: peer, rawPayload: bytes(call) }));
  assert.deepEqual((await Promise.all(results)).map(text), calls);
  assert.deepEqual(answers, []);
  assert.ok(server.stats().faults.limits >= 3);
  answers = Array.from({ length: 1_000 }, () => () => "yes");
  await fails(client.unary("limited", { to: peer, timeoutMs: 50 }), { code: "TIMEOUT" });
  answers = [];
});

test("an error whose details cannot be sent is still an answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const silent = new Error("boom");
  Object.defineProperty(silent, "message", { get: throwing(revoked) });
  server.registerHandler(unaryHandler("silent", throwing(() => silent)));
  await fails(client.unary("silent", { to: peer }), { code: "HANDLER_FAILED", ran: "yes" });
  const odd = new ZeromeshError("HANDLER_FAILED", "boom");
  Object.defineProperty(odd, "details", { get: throwing(() => new Error("no details")) });
  server.registerHandler(unaryHandler("odd", throwing(() => odd)));
  await fails(client.unary("odd", { to: peer, timeoutMs: 2_000 }), {
    code: "HANDLER_FAILED",
    message: '"odd" failed, and its error cannot be sent: no details',
    ran: "yes",
  });
});

test("an onError policy gets an error that can be looked at, whatever was thrown", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: unknown[] = [];
  const onError: ErrorPolicy = {
    failed: (error) => {
      seen.push(error instanceof Error ? error.message : error);
      return "log";
    },
  };
  for (const make of Object.values(thrownValues)) {
    using _odd = server.registerHandler(unaryHandler("odd", throwing(make), { onError }));
    await fails(client.unary("odd", { to: peer }), { code: "HANDLER_FAILED" });
  }
  assert.deepEqual(seen, ["on purpose", undefined, "an error without a text"]);
  assert.equal(server.stats().faults.onError, 0);
});

test("an abort with a reason that cannot be looked at ends the call with it", async () => {
  await using t = await leakCheck();
  const meter: Meter = {
    counter: () => ({ [Symbol.dispose]() {} }),
    gauge: () => ({ [Symbol.dispose]() {} }),
    histogram: () => ({ series: () => ({ record() {} }) }),
  };
  const { server, client, peer } = await pair(t, { client: { meter } });
  server.registerHandler(
    unaryHandler(
      "held",
      ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined))),
    ),
  );
  const controller = new AbortController();
  const reason = revoked();
  const call = client.unary("held", { to: peer, signal: controller.signal }).then(
    () => false,
    (why) => why === reason,
  );
  controller.abort(reason);
  assert.equal(await call, true);
});
