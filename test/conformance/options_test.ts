/** Options that are misspelt, of the wrong type or out of their range are refused where they are given. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { EtcdDiscovery } from "../../src/discovery/etcd.ts";
import { FileDiscovery, LocalDiscovery, StaticDiscovery } from "../../src/discovery/mod.ts";
import { NatsDiscovery } from "../../src/discovery/nats.ts";
import { amHandler, contract, Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { bytes, fails, gate, pair, text, thrown } from "./messenger_kit.ts";

const wrong: readonly [options: Record<string, unknown>, message: RegExp][] = [
  [{ listen: "no" }, /listen must be true or false, got "no"/],
  [{ ipc: 1 }, /ipc must be true or false, got 1/],
  [{ logger: {} }, /logger must be a logger such as console, with debug, info, warn, error, got an object/],
  [{ advertise: 5 }, /advertise must be a string/],
  [{ library: "" }, /library must be a string that is not empty/],
  [{ waiter: "fast" }, /waiter must be "auto" or "loop" or "worker", got "fast"/],
  [{ clock: {} }, /clock must be a clock with now, wallNow, after/],
  [{ meter: {} }, /meter must be a meter/],
  [{ tracing: true }, /tracing must be a tracing such as otelTracing\(\), with send, receive, got true/],
  [{ features: ["batch"] }, /features must be an object, got an array/],
  [{ curve: "key" }, /curve must be an object, got a string/],
  [{ events: 5 }, /events must be an object/],
  [{ signal: {} }, /signal must be an AbortSignal/],
  [{ timeoutMs: "5" }, /timeoutMs/],
  [{ timeoutMs: NaN }, /timeoutMs/],
  [{ redialForMs: -1 }, /redialForMs must be a number of milliseconds, 0 or more, got -1/],
  [{ maxQueuedMessages: 1.5 }, /maxQueuedMessages must be an integer/],
  [{ services: "calc" }, /services must be an array of strings, got "calc"/],
  [{ discovery: {} }, /discovery must be a back end that finds peers or services/],
  [{ endpont: "tcp://127.0.0.1:0" }, /no option "endpont", did you mean "endpoint"\?/],
  [{ timeoutMS: 5 }, /no option "timeoutMS", did you mean "timeoutMs"\?/],
  [{ colour: "blue" }, /no option "colour" \(there are advertise, /],
];

test("options of create() that are wrong are refused, with the rule, the value and a suggestion", async () => {
  for (const [options, message] of wrong) {
    await assert.rejects(Messenger.create(options as MessengerOptions), (error: Error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

test("an option that is null or undefined has its default", async () => {
  await using t = await leakCheck();
  const names = [
    "listen",
    "ipc",
    "logger",
    "advertise",
    "library",
    "waiter",
    "timeoutMs",
    "curve",
    "discovery",
    "services",
    "events",
    "features",
    "signal",
    "instanceId",
    "endpoint",
    "retry",
    "meter",
    "tracing",
    "name",
  ];
  for (const value of [null, undefined]) {
    const options = Object.fromEntries(names.map((name) => [name, value]));
    const messenger = await t.messenger(options as MessengerOptions);
    assert.match(messenger.endpoint, /^tcp:\/\/127\.0\.0\.1:\d+$/);
    messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    const call = {
      to: messenger.instanceId,
      rawPayload: bytes("x"),
      timeoutMs: value,
      signal: value,
      headers: value,
      retry: value,
    };
    assert.equal(text(await messenger.unary("echo", call as never)), "x");
  }
});

test("unknown options of a call are refused before anything is sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.registerHandler(unaryHandler("echo", ({ payload }) => {
    runs++;
    return payload;
  }));
  const message = /Cannot call "echo": there is no option "timeout", did you mean "timeoutMs"\?/;
  const misspelt = { to: peer, timeout: 5 };
  await assert.rejects(client.unary("echo", misspelt), message);
  await assert.rejects(client.amSync("echo", misspelt), message);
  await assert.rejects(client.amSend("echo", misspelt), message);
  await assert.rejects(
    client.connect(server.endpoint, { timeout: 5 } as never),
    /Cannot connect: there is no option "timeout"/,
  );
  const echo = contract("echo", { input: z.string(), output: z.string() });
  assert.match(
    thrown(() => client.client({ echo }, misspelt as never)).message,
    /Cannot make a client: there is no option "timeout", did you mean "timeoutMs"\?/,
  );
  await assert.rejects(client.client({ echo }, { to: peer }).echo("x", { timeout: 5 } as never), message);
  assert.equal(runs, 0);
});

test("an option of a typed client's method that is null or undefined is the client's own", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  const wait = contract("wait", { input: z.string(), output: z.string() });
  server.handle(wait, async ({ input }) => {
    await held.opened;
    return input;
  });
  const caller = client.client({ wait }, { to: peer, timeoutMs: 60 });
  for (const timeoutMs of [null, undefined]) {
    await fails(caller.wait("x", { timeoutMs } as never), { code: "TIMEOUT", message: /within 60 ms/ });
  }
  await fails(caller.wait("x", { timeoutMs: 40 }), { code: "TIMEOUT", message: /within 40 ms/ });
  held.open();
});

test("rawPayload is no option of a call by contract", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const echo = contract("echo", { input: z.string(), output: z.string() });
  const options = { to: peer, payload: "x", rawPayload: bytes("x") };
  await assert.rejects(
    client.typedUnary(echo, options),
    /Cannot call "echo": there is no option "rawPayload"/,
  );
});

test("a broadcast with wrong options is refused although there is no peer to send to", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  await assert.rejects(alone.broadcast("note", { timeoutMs: "5" } as never), /timeoutMs must be a number/);
  assert.deepEqual(await alone.broadcast("note"), { sent: [], failed: [] });
});

test("no error quotes a secret that was given as an option", () => {
  const secret = "k".repeat(39);
  const messages = [
    thrown(() => new EtcdDiscovery({ auth: secret as never })).message,
    thrown(() => new EtcdDiscovery({ tls: { key: [secret] as never } })).message,
    thrown(() => new NatsDiscovery({ auth: { token: [secret] as never } })).message,
  ];
  for (const message of messages) assert.ok(!message.includes("kkk") && /must be/.test(message), message);
});

test("curve: a secret key that is none is not quoted", async () => {
  const secret = "k".repeat(39);
  await assert.rejects(
    Messenger.create({ curve: { publicKey: "p".repeat(40), secretKey: secret } }),
    (error: Error) => /curve\.secretKey must be 40 characters of Z85, got a string/.test(error.message),
  );
});

test("unknown options of a handler are refused where it is made", () => {
  const message = /Cannot make handler "work": there is no option "concurency", did you mean "concurrency"\?/;
  assert.match(
    thrown(() => unaryHandler("work", () => new Uint8Array(), { concurency: 1 } as never)).message,
    message,
  );
  assert.match(thrown(() => amHandler("work", () => {}, { concurency: 1 } as never)).message, message);
});

test("a contract without a name, and one under the key then, are refused", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  assert.match(
    thrown(() => contract("", { input: z.string() })).message,
    /its name is empty/,
  );
  const then = contract("then", { input: z.string(), output: z.string() });
  assert.match(
    thrown(() => client.client({ then }, { to: peer })).message,
    /"then" would make a promise of it/,
  );
  assert.equal(typeof client.client({ later: then }, { to: peer }).later, "function");
});

test("options of the back ends of discovery that are wrong are refused", () => {
  const cases: readonly [() => unknown, RegExp][] = [
    [
      () => new NatsDiscovery({ servers: "nats://127.0.0.1:4222" as never }),
      /servers must be an array of strings/,
    ],
    [
      () => new NatsDiscovery({ server: ["nats://127.0.0.1"] } as never),
      /no option "server", did you mean "servers"\?/,
    ],
    [
      () => new EtcdDiscovery({ endpoints: "http://127.0.0.1:2379" as never }),
      /endpoints must be an array of strings/,
    ],
    [
      () => new EtcdDiscovery({ ttlMs: NaN }),
      /ttlMs must be a number of milliseconds from 1 to 2147483647, got NaN/,
    ],
    [
      () => new EtcdDiscovery({ ttlMs: -1 }),
      /ttlMs must be a number of milliseconds from 1 to 2147483647, got -1/,
    ],
    [() => new FileDiscovery({ path: "/tmp/peers.json", pollMs: NaN }), /pollMs must be a number/],
    [() => new FileDiscovery({ path: "/tmp/peers.json", pollMs: -1 }), /pollMs must be a number/],
    [() => new FileDiscovery({ path: "" }), /path must be a string that is not empty/],
    [() => new FileDiscovery({ path: "/tmp/peers.json", logger: {} as never }), /logger must be a logger/],
    [
      () => new LocalDiscovery({ sweepMs: 0 }),
      /sweepMs must be a number of milliseconds from 1 to 2147483647, got 0/,
    ],
    [() => new LocalDiscovery({ mesh: 5 as never }), /mesh must be a string/],
    [() => new StaticDiscovery({ peers: {} as never }), /peers must be an array/],
  ];
  for (const [make, message] of cases) {
    const error = thrown(make);
    assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
    assert.match(error.message, message);
  }
});
