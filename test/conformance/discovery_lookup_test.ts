/** Instances, and owners of events, that only discovery knows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PeerDiscovery, type StaleReason, StaticDiscovery } from "../../src/discovery/mod.ts";
import { workerIdOf } from "../../src/core/mod.ts";
import { type InstanceId, Messenger, service, unaryHandler } from "../../src/mod.ts";
import { type PeerInfo, peerInfoOf } from "../../src/wire/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { freePort } from "../support/ports.ts";
import { until, within } from "../support/until.ts";
import { fails } from "./messenger_kit.ts";

/** A back end that knows what it is told, and notes what it is asked. */
class Book implements PeerDiscovery {
  readonly entries = new Map<InstanceId, PeerInfo>();
  readonly stale: [InstanceId, StaleReason][] = [];
  asked = 0;
  /** The promise that every question waits for. */
  gate: Promise<void> = Promise.resolve();

  enter(messenger: Messenger, as: InstanceId = messenger.instanceId): void {
    this.entries.set(as, peerInfoOf(as, messenger.endpoints));
  }

  async discoverByInstanceId(id: InstanceId): Promise<PeerInfo | null> {
    this.asked++;
    await this.gate;
    return this.entries.get(id) ?? null;
  }

  async discoverByWorkerId(id: bigint): Promise<PeerInfo | null> {
    this.asked++;
    await this.gate;
    return [...this.entries.values()].find((info) => workerIdOf(info.instanceId) === id) ?? null;
  }

  reportStale(id: InstanceId, reason: StaleReason): Promise<void> {
    this.stale.push([id, reason]);
    if (reason === "unreachable") this.entries.delete(id);
    return Promise.resolve();
  }
}

const who = (messenger: Messenger) =>
  unaryHandler("who", () => new TextEncoder().encode(messenger.instanceId));

async function askWho(messenger: Messenger, to: InstanceId, timeoutMs = 5_000): Promise<string> {
  return new TextDecoder().decode(await messenger.unary("who", { to, timeoutMs }));
}

test("concurrent calls to an unregistered instance ask discovery once", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  server.registerHandler(who(server));
  const book = new Book();
  book.enter(server);
  const opened = Promise.withResolvers<void>();
  book.gate = opened.promise;
  const client = await t.messenger({ discovery: book });
  const calls = Array.from({ length: 50 }, () => askWho(client, server.instanceId));
  await until(() => book.asked === 1);
  opened.resolve();
  assert.deepEqual(new Set(await Promise.all(calls)), new Set([server.instanceId]));
  await askWho(client, server.instanceId);
  assert.equal(book.asked, 1);
});

test("an entry where another instance answers is dropped, and looked for anew", async () => {
  await using t = await leakCheck();
  const [old, successor] = [await t.messenger(), await t.messenger()];
  old.registerHandler(who(old));
  const book = new Book();
  // As a restart on the old one's port leaves it.
  book.enter(successor, old.instanceId);
  const client = await t.messenger({ discovery: book });
  await fails(askWho(client, old.instanceId), { code: "PEER_REPLACED", ran: "no" });
  assert.deepEqual(book.stale, [[old.instanceId, "replaced"]]);
  assert.equal(client.peers().some(({ instanceId }) => instanceId === old.instanceId), false);
  book.enter(old);
  assert.equal(await askWho(client, old.instanceId), old.instanceId);
  assert.equal(book.asked, 2);
});

test("an entry without an answer within the heartbeat bound is dropped, and looked up again", async () => {
  await using t = await leakCheck();
  const server = await Messenger.create();
  const id = server.instanceId;
  const book = new Book();
  book.entries.set(id, peerInfoOf(id, [`tcp://127.0.0.1:${await freePort()}`]));
  await server.close();
  const client = await t.messenger({ discovery: book, connectTimeoutMs: 4_000 });
  const began = performance.now();
  await fails(askWho(client, id, 20_000), { code: "PEER_UNREACHABLE", ran: "no" });
  const took = performance.now() - began;
  assert.ok(took > 2_000 && took < 6_000, `given up after ${took} ms`);
  await until(() => book.stale.length === 1);
  assert.deepEqual(book.stale, [[id, "unreachable"]]);
  await fails(askWho(client, id), { code: "PEER_UNKNOWN", ran: "no" });
  assert.equal(book.asked, 2);
});

test("the owner of an event is found by its worker id, once for all awaiters", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger();
  const book = new Book();
  book.enter(owner);
  const opened = Promise.withResolvers<void>();
  book.gate = opened.promise;
  const other = await t.messenger({ discovery: book });
  const [first, second, third, fourth] = [0, 1, 2, 3].map(() => owner.events.newEvent()) as [
    ReturnType<typeof owner.events.newEvent>,
    ReturnType<typeof owner.events.newEvent>,
    ReturnType<typeof owner.events.newEvent>,
    ReturnType<typeof owner.events.newEvent>,
  ];
  const waiting = [
    other.events.awaiter(first.handle),
    other.events.awaiter(first.handle, { timeoutMs: 5_000 }),
  ];
  const poisoned = fails(other.events.awaiter(third.handle), { code: "EVENT_POISONED" });
  const poll = other.events.poll(fourth.handle);
  const done = [
    other.events.trigger(second.handle, "there"),
    other.events.poison(third.handle, "on purpose"),
  ];
  await until(() => book.asked === 1);
  opened.resolve();
  await within(Promise.all(done), 5_000, "the confirmations");
  assert.equal(await owner.events.awaiter(second.handle), "there");
  await poisoned;
  assert.deepEqual(await poll, { status: "pending" });
  first.trigger("here");
  assert.deepEqual(await within(Promise.all(waiting), 5_000, "the awaiters"), ["here", "here"]);
  fourth.trigger();
  assert.equal(book.asked, 1);
});

test("a wait for discovery ends by its deadline, its signal, or the close, and leaves nothing", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger();
  const event = owner.events.newEvent();
  const book = new Book();
  book.gate = new Promise(() => {});
  const other = await Messenger.create({ discovery: book });
  const controller = new AbortController();
  const aborted = assert.rejects(other.events.awaiter(event.handle, { signal: controller.signal }), /enough/);
  const closed = [
    other.events.awaiter(event.handle),
    other.events.trigger(event.handle, 1, { timeoutMs: 9_000 }),
  ].map((one) => fails(one, { code: "CLOSED" }));
  await fails(other.events.awaiter(event.handle, { timeoutMs: 30 }), { code: "TIMEOUT" });
  await fails(other.events.trigger(event.handle, 1, { timeoutMs: 30 }), { code: "TIMEOUT", ran: "no" });
  controller.abort(new Error("enough"));
  await aborted;
  await within(other.close(), 5_000, "the close");
  await Promise.all(closed);
  event.trigger();
});

test("an owner whom discovery does not know, or that it cannot ask for, is an error that says so", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger();
  const event = owner.events.newEvent();
  const book = new Book();
  const other = await t.messenger({ discovery: book });
  await fails(other.events.awaiter(event.handle), { code: "PEER_UNKNOWN" });
  await fails(other.events.trigger(event.handle), { code: "PEER_UNKNOWN" });
  book.gate = Promise.reject(new Error("the book is locked"));
  book.gate.catch(() => {});
  await fails(other.events.awaiter(event.handle), { code: "PEER_UNREACHABLE" });
  // A failed question is asked again.
  book.gate = Promise.resolve();
  book.enter(owner);
  const waiting = other.events.awaiter(event.handle);
  event.trigger(7);
  assert.equal(await within(waiting, 5_000, "the event"), 7);
});

test("a call to a service whose deadline comes before discovery gives up is TIMEOUT, and says why no instance was called", async () => {
  await using t = await leakCheck();
  const client = await t.messenger({ discovery: new StaticDiscovery() });
  await fails(client.unary("who", { to: service("nobody"), timeoutMs: 50 }), {
    code: "TIMEOUT",
    ran: "no",
    message: /service "nobody" within 50 ms: no instance offers it/,
  });
});
