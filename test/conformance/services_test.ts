/** Tests of the choice among the instances of a service. */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { z } from "zod";

import { newInstanceId, systemClock } from "../../src/core/mod.ts";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { ActiveMessageExecutor, serveExecutor } from "../../src/executor/mod.ts";
import {
  amHandler,
  contract,
  type InstanceId,
  type Messenger,
  type MessengerOptions,
  service,
  unaryHandler,
} from "../../src/mod.ts";
import { answerers, whoAnswers } from "../support/discovery_peers.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { bytes, fails, gate, text } from "./messenger_kit.ts";

const work = service("work");

/** Makes an instance that offers the service and answers with its id. */
async function worker(
  t: LeakCheck,
  discovery: StaticDiscovery,
  options: MessengerOptions = {},
): Promise<Messenger> {
  const messenger = await t.messenger({ discovery, services: ["work"], ...options });
  messenger.registerHandler(unaryHandler("whoami", () => bytes(messenger.instanceId)));
  await messenger.announce();
  return messenger;
}

/** Makes instances that offer the service, in the order in which they take turns, and one that calls it. */
async function workers(t: LeakCheck, count: number, caller: MessengerOptions = {}) {
  const discovery = new StaticDiscovery();
  const made = await Promise.all(Array.from({ length: count }, () => worker(t, discovery)));
  made.sort((a, b) => a.instanceId < b.instanceId ? -1 : 1);
  return { workers: made, client: await t.messenger({ discovery, ...caller }), discovery };
}

/** Connects a caller to all instances of the service. */
async function meet(client: Messenger, count: number): Promise<void> {
  assert.equal((await answerers(client, work, count)).size, count);
}

test("round-robin: instances take turns", async () => {
  await using t = await leakCheck();
  const { workers: [a, b, c], client } = await workers(t, 3);
  const order: string[] = [];
  for (let call = 0; call < 9; call++) order.push(await whoAnswers(client, work));
  const turn = [a, b, c].map((one) => one!.instanceId as string);
  assert.deepEqual(order, [...turn, ...turn, ...turn]);
});

test("round-robin: calls made at once, before anybody is connected, are shared out too", async () => {
  await using t = await leakCheck();
  const { client } = await workers(t, 3);
  const answered = await Promise.all(Array.from({ length: 9 }, () => whoAnswers(client, work)));
  for (const id of new Set(answered)) assert.equal(answered.filter((one) => one === id).length, 3);
});

test("random: all instances are called, and not in turn", async () => {
  await using t = await leakCheck();
  const { client } = await workers(t, 3);
  const random = service("work", { balance: "random" });
  const order: string[] = [];
  for (let call = 0; call < 60; call++) order.push(await whoAnswers(client, random));
  assert.equal(new Set(order).size, 3);
  // Among 60 random calls, one instance is almost certainly called twice in a row.
  assert.ok(order.some((id, call) => id === order[call + 1]));
});

test("least-in-flight: the instance with the fewest calls of this one is called", async () => {
  await using t = await leakCheck();
  const { workers: all, client } = await workers(t, 3);
  const gates = all.map((one) => {
    const held = gate(t);
    one.registerHandler(unaryHandler("slow", () => held.opened.then(() => bytes(one.instanceId))));
    return held;
  });
  await meet(client, 3);
  const least = service("work", { balance: "least-in-flight" });
  const slow = Array.from({ length: 6 }, async () => text(await client.unary("slow", { to: least })));
  gates[1]!.open();
  const free = all[1]!.instanceId;
  assert.deepEqual(await Promise.race(slow.map(async (call) => await call)), free);
  await until(() => client.stats().calls.pending === 4, { message: "both calls of the free one to end" });
  assert.deepEqual([...await answerers(client, least, 5)], [[free, 5]]);
  for (const { open } of gates) open();
  const answered = await Promise.all(slow);
  for (const { instanceId } of all) assert.equal(answered.filter((id) => id === instanceId).length, 2);
});

test("an instance whose last five calls failed is passed over, and tried with one call after 2 s", async () => {
  await using t = await leakCheck();
  let ahead = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + ahead };
  const { workers: [bad, good], client } = await workers(t, 2, { clock });
  let broken = true;
  let tried = 0;
  for (const one of [bad!, good!]) {
    one.registerHandler(unaryHandler("job", () => {
      if (one === bad) {
        tried++;
        if (broken) throw new Error("no disk");
      }
      return bytes(one.instanceId);
    }));
  }
  const job = () => client.unary("job", { to: work }).then(text, (error) => error.code as string);
  const jobs = async (count: number) => {
    const outcomes: string[] = [];
    for (let call = 0; call < count; call++) outcomes.push(await job());
    return outcomes;
  };
  const failures = (await jobs(10)).filter((outcome) => outcome === "HANDLER_FAILED");
  assert.deepEqual([failures.length, tried], [5, 5]);
  const other = (times: number) => Array.from({ length: times }, () => good!.instanceId);
  assert.deepEqual(await jobs(6), other(6));
  ahead += 1_000;
  assert.deepEqual(await jobs(4), other(4));
  ahead += 1_000;
  await jobs(6);
  assert.equal(tried, 6, "one call, and it failed again");
  broken = false;
  ahead += 2_000;
  await jobs(6);
  assert.equal(tried, 9, "an answer ends the rest");
});

test("an instance that drains is skipped: no caller sees its end", async () => {
  await using t = await leakCheck();
  const { workers: [leaving, staying], client, discovery } = await workers(t, 2);
  const { opened, open } = gate(t);
  leaving!.registerHandler(unaryHandler("slow", () => opened.then(() => bytes("done"))));
  await meet(client, 2);
  const slow = client.unary("slow", { to: leaving!.instanceId });
  await until(() => leaving!.stats().handlers.running === 1);
  const closing = leaving!.close();
  await until(async () => (await discovery.getInstances("work")).length === 1);
  assert.deepEqual([...await answerers(client, work, 6)], [[staying!.instanceId, 6]]);
  open();
  assert.equal(text(await slow), "done");
  await closing;
  assert.deepEqual([...await answerers(client, work, 4)], [[staying!.instanceId, 4]]);
});

test("an instance that drains and is still on the list gives calls back, which go to another one", async () => {
  await using t = await leakCheck();
  const { workers: [leaving, staying], discovery } = await workers(t, 2);
  const list = new StaticDiscovery({
    peers: [leaving!.peerInfo(), staying!.peerInfo()],
    services: { work: await discovery.getInstances("work") },
  });
  const client = await t.messenger({ discovery: list });
  const { opened, open } = gate(t);
  leaving!.registerHandler(unaryHandler("slow", () => opened.then(() => bytes("done"))));
  await meet(client, 2);
  const slow = client.unary("slow", { to: leaving!.instanceId });
  await until(() => leaving!.stats().handlers.running === 1);
  const closing = leaving!.close();
  await fails(client.unary("whoami", { to: leaving!.instanceId }), { code: "PEER_DRAINING", ran: "no" });
  assert.deepEqual([...await answerers(client, work, 6)], [[staying!.instanceId, 6]]);
  assert.ok(client.stats().calls.repeated >= 1);
  open();
  await slow;
  await closing;
});

const notLinux = process.platform !== "linux" && "only Linux has sockets without a file";

test("instances on this host are called from the first call on, others when they are gone", {
  skip: notLinux,
}, async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  // The ids are in the order in which the instances would take turns.
  const [a, near, c] = Array.from({ length: 3 }, newInstanceId).sort();
  const far = new Set([a!, c!]);
  // Only code that looks for it recognizes this address as one of this host.
  const advertise = "[::ffff:127.0.0.1]";
  for (const instanceId of far) await worker(t, discovery, { instanceId, ipc: false, advertise });
  const here = await worker(t, discovery, { instanceId: near! });
  const client = await t.messenger({ discovery });
  assert.deepEqual([...await answerers(client, work, 8)], [[near, 8]]);
  assert.ok(
    client.peers().every(({ instanceId, up }) => up === (instanceId === near)),
    "far ones are not dialled",
  );
  await here.close();
  assert.deepEqual(new Set((await answerers(client, work, 4)).keys()), far);
});

/** Finds an address of this host that looks like one of another host, or the reason why there is none. */
function externalAddress(): { address: string } | string {
  try {
    const found = Object.values(networkInterfaces()).flat()
      .find((one) => one !== undefined && !one.internal && one.family === "IPv4");
    return found === undefined ? "this host has no address but loopback" : found;
  } catch {
    return "the runtime may not list this host's addresses here";
  }
}

const external = externalAddress();

test(
  "a connection that an instance dialled tells whether it is on this host",
  { skip: typeof external === "string" ? external : notLinux },
  async () => {
    await using t = await leakCheck();
    const discovery = new StaticDiscovery();
    const { address } = external as { address: string };
    const client = await t.messenger({ discovery, endpoint: "tcp://0.0.0.0:0", advertise: address });
    const near = await worker(t, discovery);
    const far = await worker(t, discovery);
    await near.connect(client.endpoints.find((endpoint) => endpoint.startsWith("ipc:"))!);
    await far.connect(client.endpoint);
    await until(() => client.peers().filter(({ up }) => up).length === 2);
    assert.deepEqual([...await answerers(client, work, 6)], [[near.instanceId, 6]]);
    assert.equal(client.stats().transport.dialled, 0);
  },
);

test("services are announced with the first handler and not at create, so no caller is too early", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const messenger = await t.messenger({ discovery, services: ["work"] });
  const client = await t.messenger({ discovery });
  const call = whoAnswers(client, work);
  await client.connect(messenger.endpoint);
  assert.deepEqual(await discovery.getInstances("work"), []);
  assert.deepEqual((await client.describe(messenger.instanceId))?.services, []);
  messenger.registerHandler(unaryHandler("whoami", () => bytes(messenger.instanceId)));
  assert.equal(await call, messenger.instanceId);
  assert.deepEqual(await discovery.getInstances("work"), [messenger.instanceId]);
  assert.deepEqual((await client.describe(messenger.instanceId))?.services, ["work"]);
});

const whoami = contract("whoami", { input: z.null(), output: z.string() });
const firstHandlers: Readonly<Record<string, (t: LeakCheck, messenger: Messenger) => unknown>> = {
  "serve()": (_, messenger) => messenger.serve({ whoami }, { whoami: () => messenger.instanceId }),
  "handle()": (_, messenger) => messenger.handle(whoami, () => messenger.instanceId),
  "serveExecutor()": (t, messenger) => serveExecutor(messenger, t.use(new ActiveMessageExecutor())),
};

for (const [how, register] of Object.entries(firstHandlers)) {
  test(`services are announced by ${how} when it registers the first handler`, async () => {
    await using t = await leakCheck();
    const discovery = new StaticDiscovery();
    const messenger = await t.messenger({ discovery, services: ["work"] });
    assert.deepEqual(await discovery.getInstances("work"), []);
    register(t, messenger);
    await until(async () => (await discovery.getInstances("work")).length === 1);
    const client = await t.messenger({ discovery });
    await client.connect(messenger.endpoint);
    assert.deepEqual((await client.describe(messenger.instanceId))?.services, ["work"]);
  });
}

test("announce() announces services before there is a handler, and close() takes them back", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const messenger = await t.messenger({ discovery, services: ["work", "play"] });
  await messenger.announce();
  assert.deepEqual(await discovery.listServices(), ["play", "work"]);
  await messenger.announce();
  await messenger.close();
  assert.deepEqual(await discovery.listServices(), []);
  await fails(messenger.announce(), { code: "CLOSED" });
});

test("a back end that cannot announce a service is tried again until it can", async () => {
  await using t = await leakCheck();
  class Flaky extends StaticDiscovery {
    failures = 2;
    override registerService(name: string, id: InstanceId) {
      return this.failures-- > 0 ? Promise.reject(new Error("no quorum")) : super.registerService(name, id);
    }
  }
  const [flaky, sound] = [new Flaky(), new StaticDiscovery()];
  const messenger = await t.messenger({ discovery: [flaky, sound], services: ["work"] });
  await fails(messenger.announce(), { message: "no quorum" });
  assert.deepEqual(await sound.getInstances("work"), [messenger.instanceId]);
  const announced = async () => (await flaky.getInstances("work")).length === 1;
  await until(announced, { message: "the service to be announced after all" });
});

test("broadcast() to a service reaches each of its instances once, and no other peer", async () => {
  await using t = await leakCheck();
  const { workers: all, client, discovery } = await workers(t, 3);
  const bystander = await t.messenger();
  await client.connect(bystander.endpoint);
  const heard: string[] = [];
  for (const one of [...all, bystander]) {
    one.registerHandler(
      amHandler("note", (context) => void heard.push(`${one.instanceId} ${context.json()}`)),
    );
  }
  const { sent, failed } = await client.broadcast("note", { to: work, payload: "hello" });
  assert.deepEqual(failed, []);
  const ids = all.map(({ instanceId }) => instanceId);
  assert.deepEqual([...sent].sort(), [...ids].sort());
  await until(() => heard.length === 3);
  assert.deepEqual(heard.toSorted(), ids.map((id) => `${id} hello`).sort());
  assert.deepEqual(await client.broadcast("note", { to: service("nothing") }), { sent: [], failed: [] });

  // An instance that cannot be reached is reported, and the others still get the message.
  const lost = newInstanceId();
  await discovery.registerService("work", lost);
  const partly = await client.broadcast("note", { to: work, payload: "again" });
  assert.deepEqual(partly.failed.map(({ peer }) => peer), [lost]);
  await until(() => heard.length === 6);
});

test("broadcast() to a service needs discovery that finds services, and to an instance it is refused", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  await fails(alone.broadcast("note", { to: work }), { name: "TypeError", message: /with discovery/ });
  const one = { to: alone.instanceId } as unknown as { to: undefined };
  await fails(alone.broadcast("note", one), { name: "TypeError", message: /must be service\(name\)/ });
  const nowhere = { discoverByInstanceId: none, discoverByWorkerId: none };
  const client = await t.messenger({ discovery: nowhere });
  const noServices = { name: "TypeError", message: /find only peers/ };
  await fails(client.broadcast("note", { to: work }), noServices);
  await fails(client.unary("whoami", { to: work }), noServices);
});

const none = () => Promise.resolve(null);
