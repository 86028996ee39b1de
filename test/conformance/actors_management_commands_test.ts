/** Commands of management as messages: many at once, ones that are no commands, and ones that are invalid. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { actor, ManagementClient, serveManagement } from "../../src/actors/mod.ts";
import { managementCommands } from "../../src/actors/management/commands.ts";
import { portOf } from "../../src/messenger/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { Counter, counter, served } from "./actors_kit.ts";
import { fails } from "./messenger_kit.ts";

const encode = (value: string): Uint8Array => new TextEncoder().encode(value);

test("a hundred commands of one client are answered, each with its own answer, beside commands that wait", async () => {
  await using t = await leakCheck();
  const { messenger, system, client, peer } = await served(t);
  const release = Promise.withResolvers<void>();
  const slow = actor(Counter, {
    init: () => ({ count: 0 }),
    tell: { reset: () => {} },
    ask: {
      add: async (_ctx, { n }) => {
        await release.promise;
        return n;
      },
    },
  });
  t.use(serveManagement(system, { catalogue: { counter } }));
  const echo = actor({ init: () => null, ask: { echo: (_ctx, bytes) => bytes } });
  await system.spawn(echo, { name: "echo" });
  for (const name of ["asked", "updated", "stopped"]) await system.spawn(slow, { name });
  const actors = new ManagementClient(client, peer);
  const names = ["asked", "updated", "stopped"];
  const waiting: Promise<unknown>[] = names.map((name, n) => actors.ask(name, "add", { n }));
  await until(() => names.every((name) => system.lookup(name)!.busy));
  waiting.push(actors.update("updated", "counter"), actors.stop("stopped"));
  let ended = 0;
  for (const one of waiting) void one.finally(() => ended++).catch(() => {});
  await until(() => system.lookup("stopped")!.phase === "stopping", { message: "the stop that waits" });
  const quick = await within(
    Promise.all(Array.from({ length: 100 }, async (_, n) => {
      if (n % 4 === 0) return (await actors.status(n % 8 === 0 ? "asked" : "echo")).name;
      if (n % 4 === 1) return (await actors.start("counter", { name: `counter-${n}` })).id;
      if (n % 4 === 2) return (await actors.ask("echo", "echo", Uint8Array.of(n)) as Uint8Array)[0];
      return await actors.state(`nobody-${n}`).catch((error: Error) => error.message);
    })),
    5_000,
    "the answers of the hundred commands",
  );
  assert.equal(ended, 0, "the slow ones wait still");
  for (const [n, answer] of quick.entries()) {
    if (n % 4 === 0) assert.equal(answer, n % 8 === 0 ? "asked" : "echo");
    if (n % 4 === 1) assert.equal(answer, system.lookup(`counter-${n}`)!.id);
    if (n % 4 === 2) assert.equal(answer, n);
    if (n % 4 === 3) assert.ok(String(answer).includes(`nobody-${n}`), String(answer));
  }
  release.resolve();
  assert.deepEqual(await within(Promise.all(waiting), 5_000), [
    0,
    1,
    2,
    { fromVersion: 1, toVersion: 1 },
    { reason: "stopped" },
  ]);
  assert.equal(messenger.stats().transport.accepted, 1, "on one connection");
});

test("a command that is unknown, no JSON or of another shape fails at its sender, and its connection goes on", async () => {
  await using t = await leakCheck();
  const { messenger, system, client, peer } = await served(t);
  await system.spawn(counter, { name: "counter" });
  t.use(serveManagement(system, { catalogue: { counter } }));
  const port = portOf(client)!;
  const run = (command: string, payload: Uint8Array) => port.call(`_actors.${command}`, peer, payload, {});
  const actors = new ManagementClient(client, peer);
  const { id } = await actors.status("counter");
  const answer = new TextDecoder().decode(await run("status", encode(`{"target":"counter"}`)));
  assert.equal(JSON.parse(answer).id, id, "a command that is right");
  for (const command of ["reboot", "toString", "__proto__", "", "list.", "LIST"]) {
    await fails(run(command, encode("{}")), { code: "HANDLER_NOT_FOUND", ran: "no" });
  }
  const names = Object.keys(managementCommands);
  const broken = [
    encode("{"),
    encode("[]"),
    encode("null"),
    encode(`"counter"`),
    encode("["),
    Uint8Array.of(0xff, 0),
  ];
  const refused = names.flatMap((name) =>
    broken.map((payload) => fails(run(name, payload), { code: "PAYLOAD_INVALID", ran: "no" }))
  );
  // The others of this connection are answered meanwhile, and none of these did anything.
  const listed = Array.from({ length: 20 }, () => actors.list());
  await within(Promise.all([...refused, ...listed]), 5_000, "the refusals");
  const shapes: [command: string, input: object, why: RegExp][] = [
    ["stop", {}, /target/],
    ["terminate", { target: 1 }, /target/],
    ["pause", { target: null }, /target/],
    ["tell", { target: "counter", input: { to: 1 } }, /name/],
    ["ask", { target: "counter", name: "add", input: { n: 1 }, timeoutMs: -1 }, /timeoutMs/],
    ["ask", { target: "counter", name: "add", bytes: "no base64!" }, /bytes/],
    ["start", { definition: "counter", subscribe: {} }, /handle/],
    ["start", { definition: ["counter"] }, /definition/],
    ["start", { definition: "counter", name: "a name" }, /name must be a name of 1 to 128 letters/],
    ["start", { definition: "counter", subscribe: { handle: "0x1" } }, /handle: .* a decimal integer/],
    ["status", { target: "counter@nowhere" }, /target: .* must be nameOrId@instanceId/],
    ["events", { handle: "mine" }, /handle: .* a decimal integer/],
    ["events", { handle: "1", policy: "lose" }, /policy/],
    ["events", { handle: "1", maxBuffered: 1e9 }, /maxBuffered/],
    ["update", { target: "counter", to: "counter", probation: { failures: 0 } }, /failures/],
  ];
  for (const [command, input, why] of shapes) {
    const refusal = await fails(run(command, encode(JSON.stringify(input))), {
      code: "PAYLOAD_INVALID",
      ran: "no",
    });
    assert.match(refusal.message, why, command);
  }
  assert.deepEqual(await actors.list(), system.list());
  const { phase, handled } = await actors.status("counter");
  assert.deepEqual([phase, handled, messenger.stats().transport.accepted], ["running", 0, 1]);
});

test("a client of another version of the protocol is told so by each command, and the server logs it", async () => {
  await using t = await leakCheck();
  const warned: unknown[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (text: string, facts: unknown) => void warned.push([text, facts]),
    error() {},
  };
  const { system, client, peer } = await served(t, { messenger: { logger } });
  t.use(serveManagement(system, { catalogue: { counter } }));
  await system.spawn(counter, { name: "one" });
  const call = async (name: string, input: object): Promise<unknown> =>
    await portOf(client)!.call(`_actors.${name}`, peer, encode(JSON.stringify(input)), { timeoutMs: 5_000 });
  // What another version says besides may be of another shape.
  for (const name of Object.keys(managementCommands)) {
    await fails(call(name, { protocol: 2, targets: ["one"] }), {
      code: "PEER_LACKS_FEATURE",
      ran: "no",
      message: /speaks version 1 of its protocol, and the client version 2; use the same version of zeromesh/,
      details: { spoken: 1, asked: 2 },
    });
  }
  await fails(call("list", { protocol: "latest" }), {
    code: "PEER_LACKS_FEATURE",
    message: /and the client none that it knows/,
    details: { spoken: 1, asked: null },
  });
  const facts = { peer: client.instanceId, asked: 2, managementVersion: 1 };
  assert.equal(warned.length, Object.keys(managementCommands).length + 1);
  assert.deepEqual(warned[0], ["a management client of another version was refused", facts]);
  assert.equal(system.lookup("one")!.phase, "running", "no command ran");
  const { actors } = JSON.parse(new TextDecoder().decode(await call("list", { protocol: 1 }) as Uint8Array));
  assert.equal(actors.length, 1);
});

test("a client of an instance without management, or with another one, is told what is missing", async () => {
  await using t = await leakCheck();
  const { client, peer } = await served(t);
  await fails(new ManagementClient(client, peer).list(), {
    code: "HANDLER_NOT_FOUND",
    message:
      `Peer ${peer} has no management server that knows this command; it must call serveManagement(system)`,
    peer,
  });
});
