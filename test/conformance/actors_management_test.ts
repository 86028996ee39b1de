/** Management of actors: every command, who may run it, and subscriptions to events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  ActorSystem,
  type ManagedEvent,
  ManagementClient,
  type ManagementOptions,
  serveManagement,
} from "../../src/actors/mod.ts";
import { curveKeyPair } from "../../src/mod.ts";
import { noCurve } from "../support/curve.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { startProxy } from "../support/proxy.ts";
import { until, within } from "../support/until.ts";
import { Counter, served } from "./actors_kit.ts";

const counter = (version: number, factor: number) =>
  actor(Counter, {
    version,
    init: (args: { from: number } | undefined) => ({ count: args?.from ?? 0 }),
    tell: {
      reset: (ctx, { to }) => {
        if (to < 0) throw new Error("too small");
        ctx.state.count = to;
      },
    },
    ask: { add: (ctx, { n }) => (ctx.state.count += n * factor) },
  });

const echo = actor({
  init: () => null,
  tell: { note: () => {} },
  ask: { echo: (_ctx, bytes) => bytes },
  channel: {
    line: {
      open: (_ctx, channel) => void channel.accept(),
      message: (_ctx, channel, item) => channel.send(item),
    },
  },
});

const Chat = actorContract("chat", { channel: { talk: { fromOpener: z.string(), toOpener: z.string() } } });
const chat = actor(Chat, {
  init: () => null,
  channel: {
    talk: {
      open: (_ctx, channel, first) => void channel.accept(`hello ${first}`),
      message: (_ctx, channel, text) => channel.send(text.toUpperCase()),
    },
  },
});

/** A node with a management server, and a client of it that only dials. */
async function managed(t: LeakCheck, options: ManagementOptions = {}) {
  const node = await served(t);
  const catalogue = { counter: counter(1, 1), counter2: counter(2, 10), echo, chat };
  const server = t.use(serveManagement(node.system, { catalogue, ...options }));
  return { ...node, server, actors: new ManagementClient(node.client, node.peer) };
}

const code = (wanted: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, wanted, String(error));
  return true;
};

test("a client messages and updates a pool, some members first", async () => {
  await using t = await leakCheck();
  const { actors, system } = await managed(t);
  const pool = await system.pool(counter(1, 1), { name: "pool", size: 3 });
  assert.deepEqual((await actors.status("pool")).pool, { size: 3, members: 3, replaced: 0 });
  assert.equal((await actors.tree())[0]!.children.length, 3);
  assert.equal(await actors.ask("pool", "add", { n: 2 }), 2);
  const update = actors.update("pool", "counter2", { canary: 2, probation: { withinMs: 60_000 } });
  update.catch(() => {});
  const versions = () => pool.members().map(({ target }) => system.lookup(target)!.version).sort().join(" ");
  await until(() => versions() === "1 2 2");
  for (let count = 0; count < 3; count++) await actors.tell("pool", "reset", { to: -1 });
  await assert.rejects(within(update, 5_000), code("ACTOR_UPDATE_FAILED"));
  await until(() => versions() === "1 1 1");
  assert.deepEqual(await actors.update("pool", "counter2"), { fromVersion: 1, toVersion: 2 });
  assert.equal(versions(), "2 2 2");
});

test("a client starts, looks at, messages, pauses, updates and ends actors", async () => {
  await using t = await leakCheck();
  const { actors, peer } = await managed(t);
  assert.deepEqual(await actors.list(), []);
  const { id, address } = await actors.start("counter", { name: "one", args: { from: 5 } });
  assert.equal(address, `${id}@${peer}`);
  assert.deepEqual((await actors.list()).map(({ name, phase }) => `${name} ${phase}`), ["one running"]);
  assert.equal((await actors.tree())[0]!.children.length, 0);
  assert.equal(await actors.ask("one", "add", { n: 2 }), 7);
  await actors.tell(id, "reset", { to: 1 });
  assert.deepEqual(await actors.state("one"), { count: 1 });
  const about = await actors.describe(address);
  assert.deepEqual([about.contract, about.version, about.source], ["counter", 1, "counter"]);
  assert.equal((about.tell["reset"] as { type: string }).type, "object");
  await actors.pause("one");
  assert.equal((await actors.status("one")).phase, "paused");
  await actors.resume("one");
  assert.deepEqual(await actors.update("one", "counter2"), { fromVersion: 1, toVersion: 2 });
  assert.equal(await actors.ask("one", "add", { n: 1 }), 11);
  assert.equal((await actors.describe("one")).source, "counter2");
  assert.deepEqual(await actors.rollback("one"), { fromVersion: 2, toVersion: 1, state: "saved" });
  assert.equal(await actors.ask("one", "add", { n: 1 }), 2);
  await actors.restart("one");
  assert.deepEqual(await actors.state("one"), { count: 5 });
  assert.equal((await actors.metrics())["started"], 1);
  assert.deepEqual(await actors.stop("one"), { reason: "stopped" });
  await actors.start("echo", { name: "two" });
  assert.deepEqual(await actors.ask("two", "echo", Uint8Array.of(1, 2)), Uint8Array.of(1, 2));
  await actors.tell("two", "note", new Uint8Array());
  await actors.terminate("two");
  assert.deepEqual(await actors.list(), []);
});

test("a client opens channels to actors with a contract and without one", async () => {
  await using t = await leakCheck();
  const { actors } = await managed(t);
  await actors.start("chat", { name: "chat" });
  await actors.start("echo", { name: "echo" });
  await using talk = await actors.open("chat", "talk", "you");
  assert.equal(talk.first, "hello you");
  await talk.send("loud");
  assert.deepEqual((await talk[Symbol.asyncIterator]().next()).value, "LOUD");
  await using line = await actors.open("echo", "line", Uint8Array.of(0));
  await line.send(Uint8Array.of(7));
  assert.deepEqual((await line[Symbol.asyncIterator]().next()).value, Uint8Array.of(7));
});

test("a client sees actors and pools as the system does", async () => {
  await using t = await leakCheck();
  const { actors, system } = await managed(t);
  await system.pool(echo, { name: "pool", size: 2 });
  const seen = await actors.status("pool");
  assert.equal(seen.pool?.size, 2);
  assert.deepEqual(seen, system.lookup("pool"));
  assert.deepEqual(await actors.list(), system.list());
});

test("every command about an unknown actor fails with ACTOR_NOT_FOUND", async () => {
  await using t = await leakCheck();
  const { actors } = await managed(t);
  const none = "nobody";
  const commands = {
    status: () => actors.status(none),
    describe: () => actors.describe(none),
    state: () => actors.state(none),
    stop: () => actors.stop(none),
    terminate: () => actors.terminate(none),
    restart: () => actors.restart(none),
    pause: () => actors.pause(none),
    resume: () => actors.resume(none),
    tell: () => actors.tell(none, "note"),
    ask: () => actors.ask(none, "echo"),
    open: () => actors.open(none, "line"),
    channels: () => actors.channels(none),
    "start below it": () => actors.start("counter", { parent: none }),
    update: () => actors.update(none, "counter"),
    rollback: () => actors.rollback(none),
    events: () => actors.events(none),
  };
  for (const [name, run] of Object.entries(commands)) {
    await assert.rejects(within(run(), 5_000, name), code("ACTOR_NOT_FOUND"), name);
  }
});

test("only names of the catalogue can be started and loaded", async () => {
  await using t = await leakCheck();
  const { actors } = await managed(t);
  await assert.rejects(actors.start("/etc/passwd"), code("FORBIDDEN"));
  await assert.rejects(actors.start("toString"), code("FORBIDDEN"));
  await actors.start("counter", { name: "one" });
  await assert.rejects(actors.update("one", "../src/actors/mod.ts"), code("FORBIDDEN"));
  await assert.rejects(actors.start("counter", { name: "one" }), code("ACTOR_EXISTS"));
  await actors.start("counter", { name: "one", replace: true });
  assert.equal((await actors.list()).length, 1);
});

test("with keys, only those of the administrators may do more than list", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const [own, friend, other] = [await curveKeyPair(), await curveKeyPair(), await curveKeyPair()];
  const messenger = await t.messenger({ endpoint: "tcp://127.0.0.1:0", curve: { ...own, allow: "any" } });
  const system = t.use(await ActorSystem.create(messenger));
  t.use(
    serveManagement(system, { catalogue: { counter: counter(1, 1) }, administrators: [friend.publicKey] }),
  );
  const clientOf = async (curve: typeof own) => {
    const client = await t.messenger({ listen: false, curve });
    const peer = await client.connect(messenger.endpoint, { serverKey: own.publicKey });
    return new ManagementClient(client, peer);
  };
  const admin = await clientOf(friend);
  await admin.start("counter", { name: "one" });
  const guest = await clientOf(other);
  assert.equal((await guest.list()).length, 1);
  assert.equal((await guest.status("one")).name, "one");
  const commands = {
    tree: () => guest.tree(),
    metrics: () => guest.metrics(),
    describe: () => guest.describe("one"),
    state: () => guest.state("one"),
    start: () => guest.start("counter"),
    stop: () => guest.stop("one"),
    terminate: () => guest.terminate("one"),
    restart: () => guest.restart("one"),
    pause: () => guest.pause("one"),
    resume: () => guest.resume("one"),
    tell: () => guest.tell("one", "reset", { to: 1 }),
    ask: () => guest.ask("one", "add", { n: 1 }),
    open: () => guest.open("one", "line"),
    channels: () => guest.channels("one"),
    channel: () => guest.channel(crypto.randomUUID()),
    update: () => guest.update("one", "counter"),
    rollback: () => guest.rollback("one"),
    events: () => guest.events("one"),
    "events of all": () => guest.events(),
  };
  for (const [name, run] of Object.entries(commands)) {
    await assert.rejects(within(run(), 5_000, name), code("FORBIDDEN"), name);
  }
  assert.deepEqual(await admin.state("one"), { count: 0 });
});

test("a subscription that begins with the start has the first event, and ends with the actor", async () => {
  await using t = await leakCheck();
  const { actors } = await managed(t);
  const { id, events } = await actors.startWithEvents("counter", { name: "one" });
  const late = await actors.events("one");
  await actors.tell("one", "reset", { to: -1 });
  await actors.update("one", "counter2");
  await actors.stop("one");
  const all = await within(Array.fromAsync(events), 5_000);
  const told = all.map((event) => "seq" in event ? `${event.seq} ${event.type}` : "dropped");
  assert.deepEqual(told, ["1 started", "2 handlerFailed", "3 updateStarted", "4 updated", "5 ended"]);
  const last = all.at(-1) as Extract<ManagedEvent, { seq: number }>;
  assert.deepEqual([last.actor, last.name, last.end], [id, "one", { reason: "stopped" }]);
  const rest = (await within(Array.fromAsync(late), 5_000)) as { seq: number }[];
  assert.deepEqual(rest.map(({ seq }) => seq), [2, 3, 4, 5], "from the subscription on, without a gap");
});

test("leaving a subscription ends it at the server, and other ones go on", async () => {
  await using t = await leakCheck();
  const { actors } = await managed(t, { maxSubscriptions: 2 });
  await actors.start("counter", { name: "one" });
  const [first, second] = [await actors.events("one"), await actors.events("one")];
  await assert.rejects(actors.events("one"), code("LIMIT_REACHED"));
  await first.return!();
  // Its place is free once the server knows.
  const third = await until(() => actors.events("one").catch(() => null));
  await actors.pause("one");
  for (const one of [second, third]) {
    assert.equal(((await within(one.next(), 5_000)).value as { type: string }).type, "paused");
  }
  await actors.terminate("one");
});

/** Makes `count` events of an actor. */
async function fail(system: ActorSystem, count: number): Promise<void> {
  const ref = system.ref(Counter, "one");
  for (let k = 0; k < count; k++) await ref.tell("reset", { to: -1 });
  await ref.ask("add", { n: 0 }, { timeoutMs: 20_000 });
}

test("a slow subscriber with drop loses the oldest events, is told how many, and delays nobody", async () => {
  await using t = await leakCheck();
  const { actors, system } = await managed(t);
  await actors.start("counter", { name: "one" });
  const events = await actors.events("one", { maxBuffered: 10 });
  await within(fail(system, 20_000), 20_000);
  await actors.terminate("one");
  let [seen, dropped] = [0, 0];
  for await (const event of events) {
    if (event.type === "dropped") dropped += event["count"] as number;
    else seen++;
  }
  assert.ok(dropped > 0);
  assert.equal(seen + dropped, 20_001);
});

test("a slow subscriber with block loses nothing: its actor waits, and another one does not", async () => {
  await using t = await leakCheck();
  const { actors, system } = await managed(t);
  await actors.start("counter", { name: "one" });
  await actors.start("counter", { name: "two" });
  const events = await actors.events("one", { policy: "block", maxBuffered: 10 });
  const failing = fail(system, 5_000);
  assert.equal(await actors.ask("two", "add", { n: 1 }), 1);
  let seen = 0;
  for await (const event of events) {
    assert.equal((event as { seq: number }).seq, ++seen + 1);
    if (seen === 5_000) break;
  }
  await within(failing, 20_000);
});

test("subscriptions that are asked for at once count before they are attached", async () => {
  await using t = await leakCheck();
  const { actors } = await managed(t, { maxSubscriptions: 2 });
  await actors.start("counter", { name: "one" });
  const asked = await Promise.allSettled(Array.from({ length: 6 }, () => actors.events("one")));
  assert.equal(asked.filter(({ status }) => status === "fulfilled").length, 2);
  await actors.terminate("one");
});

test("the subscriptions of a client whose connection is cut end, and give their places to others", async () => {
  await using t = await leakCheck();
  const { actors, messenger } = await managed(t, { maxSubscriptions: 1 });
  await actors.start("counter", { name: "one" });
  const proxy = t.use(await startProxy({ targetPort: Number(messenger.endpoint.split(":").at(-1)) }));
  const other = await t.messenger({ listen: false, redialForMs: 0 });
  const away = new ManagementClient(other, await other.connect(proxy.endpoint));
  const events = await away.events("one");
  const seen = Array.fromAsync(events).catch((error) => error);
  await assert.rejects(actors.events("one"), code("LIMIT_REACHED"));
  proxy.cut();
  await until(() => actors.events("one").then(() => true, () => false), { timeoutMs: 5_000 });
  await within(seen, 5_000, "the end at the client");
  await actors.terminate("one");
});

test("a client that cancels an ask cancels it at the actor", async () => {
  await using t = await leakCheck();
  const { actors, system } = await managed(t);
  let aborted = false;
  const never = actor({
    init: () => null,
    ask: {
      wait: (ctx) => {
        ctx.signal.addEventListener("abort", () => aborted = true);
        return new Promise<Uint8Array>(() => {});
      },
    },
  });
  await system.spawn(never, { name: "never" });
  const leaving = new AbortController();
  const asked = actors.ask("never", "wait", new Uint8Array(), { signal: leaving.signal });
  await until(() => system.lookup("never")!.busy);
  leaving.abort(new Error("enough"));
  await assert.rejects(within(asked, 5_000), /enough/);
  await until(() => aborted);
  system.terminate("never");
});

test("a state that JSON cannot show, and a second management server, are refused with the reason", async () => {
  await using system = ActorSystem.local();
  await using server = serveManagement(system);
  await system.spawn(actor({ init: () => ({ count: 1n }) }), { name: "big" });
  await assert.rejects(server.handle({ command: "state", target: "big" }), code("ENCODING_FAILED"));
  assert.throws(() => serveManagement(system), code("HANDLER_EXISTS"));
  await server.close();
  await serveManagement(system).close();
});

test("commands run without a connection, with the answers and errors of clients", async () => {
  await using system = ActorSystem.local();
  await using server = serveManagement(system, { catalogue: { counter: counter(1, 1) } });
  const { id } = await server.handle({ command: "start", definition: "counter", name: "one" });
  const { actors } = await server.handle({ command: "list" });
  assert.deepEqual(actors.map((one) => one.id), [id]);
  assert.deepEqual(await server.handle({ command: "ask", target: "one", name: "add", input: { n: 3 } }), {
    output: 3,
  });
  await assert.rejects(server.handle({ command: "stop", target: "two" }), code("ACTOR_NOT_FOUND"));
  await assert.rejects(server.handle({ command: "toString" } as never), code("HANDLER_NOT_FOUND"));
  await assert.rejects(server.handle({ command: "stop" } as never), code("PAYLOAD_INVALID"));
});

test("the server answers on when its last actor has stopped, and after it is closed its commands are unknown", async () => {
  await using t = await leakCheck();
  const { actors, server } = await managed(t);
  await actors.start("counter", { name: "one" });
  await actors.stop("one");
  await actors.start("counter", { name: "one" });
  const events = await actors.events("one");
  await server.close();
  assert.deepEqual(await within(Array.fromAsync(events), 5_000), []);
  await assert.rejects(actors.list(), code("HANDLER_NOT_FOUND"));
});
