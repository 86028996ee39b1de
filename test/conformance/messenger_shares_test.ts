/** Tables in which messages of peers make entries: one peer alone cannot fill them, and its entries go with it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceIdToBytes, newInstanceId } from "../../src/core/mod.ts";
import { joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { type InstanceId, type Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { encodeHello, MessageType, peerInfoOf } from "../../src/wire/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { isReply, Kind, le, PlainVelo, requestHeader, responseHeader, utf8 } from "../support/plain_velo.ts";
import { until, within } from "../support/until.ts";
import { fails, gate, pair, text } from "./messenger_kit.ts";
import { RawDealer, type RawMessage, request, responseIn } from "./messenger_raw_peer.ts";

// Of so many places one alone gets so many.
const places = 34;
const share = 32;

/** An instance, one that wants everything, and one that wants little. */
async function crowd(
  t: LeakCheck,
  options: MessengerOptions,
): Promise<{ owner: Messenger; greedy: Messenger; modest: Messenger; at: InstanceId }> {
  const { server: owner, client: greedy, peer: at } = await pair(t, { server: options });
  const modest = await t.messenger();
  await modest.connect(owner.endpoint);
  return { owner, greedy, modest, at };
}

for (const how of ["closes", "is lost"]) {
  test(`one peer opens its share of the barriers, and when it ${how}, what only it has opened ends`, async () => {
    await using t = await leakCheck();
    const events = { maxBarriers: places, ownerGraceMs: 100 };
    const { owner, greedy, modest, at } = await crowd(t, { events });
    const open = () => owner.events.stats().barriers;
    const ended: Promise<unknown>[] = [];
    const arrive = (who: Messenger, name: string) => {
      ended.push(who.events.barrier(name, 2, { at }).arrive().catch(() => {}));
    };
    for (let i = 0; i < share; i++) arrive(greedy, `greedy ${i}`);
    await until(() => open() === share);
    await fails(greedy.events.barrier("one more", 2, { at }).arrive(), { code: "LIMIT_REACHED" });
    arrive(modest, "modest");
    await until(() => open() === share + 1);
    arrive(owner, "greedy 0");
    await until(() => open() === share);
    arrive(owner, "greedy 1 too");
    assert.equal(owner.events.stats().barriersRefused, 1);
    arrive(modest, "greedy 1");
    await until(() => open() === share);
    arrive(modest, "shared");
    await until(() => open() === share + 1);
    ended.push(owner.events.barrier("shared", 3).arrive().catch(() => {}));
    if (how === "closes") await greedy.close();
    else greedy.disconnect(at);
    // Those of the owner and of the modest one stay.
    await until(() => open() === 3, { message: () => `3 barriers to be left, and not ${open()}` });
    await within(Promise.all([modest.close(), owner.close()]), 5_000);
    await Promise.all(ended);
  });
}

test("a plain node opens its share of the barriers, and they end with its connection", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger({ events: { maxBarriers: places, ownerGraceMs: 60_000 } });
  const open = () => owner.events.stats().barriers;
  const stranger = await PlainVelo.open(t);
  const arrive = (name: string) => {
    const header = requestHeader(Kind.unary, stranger.nextId(), "_event_barrier");
    stranger.send(owner.endpoint, 0, header, { name, count: 2 });
  };
  arrive("before it has introduced itself");
  await stranger.introduce(owner.endpoint);
  for (let i = 0; i < places; i++) arrive(`b${i}`);
  await until(() => owner.events.stats().barriersRefused === places - share);
  assert.equal(open(), share);
  const own = owner.events.barrier("own", 2);
  await within(Promise.all([own.arrive(), own.arrive()]), 1_000);
  stranger.hangUp(owner.endpoint);
  await until(() => open() === 0);
});

test("one peer waits for its share of handlers, and another one can wait, too", async () => {
  await using t = await leakCheck();
  const { owner, greedy, modest, at } = await crowd(t, { maxHandlerWaits: places });
  const waits = Array.from({ length: share }, (_, i) => greedy.waitForHandler(at, `h${i}`).catch(() => {}));
  await until(() => owner.stats().handlerWaits.waiting === share);
  await fails(greedy.waitForHandler(at, "one more"), { code: "OVERLOADED" });
  const waiting = modest.waitForHandler(at, "wanted");
  await until(() => owner.stats().handlerWaits.waiting === share + 1);
  owner.registerHandler(unaryHandler("wanted", () => {}));
  await within(waiting, 2_000);
  await greedy.close();
  await until(() => owner.stats().handlerWaits.waiting === 0);
  await Promise.all(waits);
});

test("one peer subscribes to its share of events, and another one to what it wants", async () => {
  await using t = await leakCheck();
  const { owner, greedy, modest } = await crowd(t, { events: { maxSubscribers: places } });
  const events = Array.from({ length: places }, () => owner.events.newEvent());
  const waits = events.map(({ handle }) => greedy.events.awaiter(handle));
  const codes = waits.map((wait) => wait.then(() => "triggered", ({ code }) => code));
  await until(() => owner.events.stats().subscribers?.refused === places - share);
  const waiting = modest.events.awaiter(events[0]!.handle);
  await until(() => owner.events.stats().subscribers?.subscribers === share + 1);
  for (const event of events) event.trigger();
  await within(waiting, 2_000);
  const outcomes = await Promise.all(codes);
  assert.equal(outcomes.filter((code) => code === "triggered").length, share);
  assert.equal(outcomes.filter((code) => code === "LIMIT_REACHED").length, places - share);
});

test("one peer ends events with as many reasons as its share, and those of others stay", async () => {
  await using t = await leakCheck();
  const { owner, greedy, modest } = await crowd(t, { events: { maxHistory: places } });
  const events = Array.from({ length: 2 * places }, () => owner.events.newEvent());
  const reason = async (event: number) => {
    const status = await owner.events.poll(events[event]!.handle);
    return status.status === "poisoned" ? status.reason : status.status;
  };
  events[0]!.poison("own");
  await modest.events.poison(events[1]!.handle, "modest");
  for (const { handle } of events.slice(2)) await greedy.events.poison(handle, "greedy");
  assert.deepEqual([await reason(0), await reason(1)], ["own", "modest"]);
  const kept = await Promise.all(events.map((_, event) => reason(event)));
  assert.equal(kept.filter((text) => text === "greedy").length, share - 1);
  assert.equal(kept.at(-1), "greedy");
});

test("one worker opens its share of the barriers of a cohort, and they end when it leaves", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const cohort = LeaderWorkerCohort.create(leader, { size: 2 });
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  const join = async () => {
    const messenger = await t.messenger({ listen: false });
    return { messenger, place: await joinCohort(messenger, { leader: leader.endpoint }) };
  };
  const [greedy, modest] = [await join(), await join()];
  await cohort.whenComplete({ timeoutMs: 2_000 });
  // Of 1 024 places one worker alone gets 964.
  const most = 964;
  const waits = Array.from({ length: most }, (_, i) => greedy.place.barrier(`b${i}`).catch(() => {}));
  await until(() => leader.stats().handlers.running === most);
  await fails(greedy.place.barrier("one more"), { code: "OVERLOADED", message: /share/ });
  waits.push(modest.place.barrier("wanted").catch(() => {}));
  await until(() => leader.stats().handlers.running === most + 1);
  await greedy.place.close();
  await until(() => leader.stats().handlers.running === 1);
  const more = Array.from({ length: 100 }, (_, i) => modest.place.barrier(`m${i}`).catch(() => {}));
  await until(() => leader.stats().handlers.running === 1 + more.length);
  await modest.place.close();
  await Promise.all([...waits, ...more]);
});

test("one connection has its share of the hellos whose id may be taken, and another one waits beside it", async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ ipc: false });
  const instanceId = newInstanceId();
  const open = (epoch: number) => {
    const routingId = Uint8Array.of(...instanceIdToBytes(instanceId), 0, 0, 0, 0, 0, 0, 0, epoch);
    return RawDealer.open(t, server.endpoint, routingId, instanceId);
  };
  const [rival, greedy, modest] = [await open(1), await open(2), await open(3)];
  const say = (dealer: RawDealer, slot: number, run: string) => {
    const negotiation = { features: ["same-connection", "errors"] as const, instanceId, run };
    const hello = encodeHello({ peerInfo: peerInfoOf(instanceId, []), negotiation });
    dealer.send(request("_hello", dealer.id(slot), hello));
  };
  say(rival, 1, "first");
  assert.equal(responseIn(await rival.next()).failed, false);
  // The rival is asked whether it lives, and does not answer. Of 1 024 places one connection alone gets 964.
  const most = 964;
  for (let slot = 1; slot <= most + 1; slot++) say(greedy, slot, "second");
  const refused = await greedy.next();
  assert.equal(responseIn(refused).id2, most + 1);
  assert.match(text(refused.payload), /Too many instances whose ids may be taken/);
  say(modest, 1, "third");
  await until(() => server.stats().handlers.running === most + 1);
  // The first of those that wait gets the id, and is asked in its turn.
  rival.close();
  const answers: RawMessage[] = [await greedy.next(), await greedy.next()];
  const admitted = answers.find(({ type }) => type === MessageType.response);
  assert.equal(responseIn(admitted!).failed, false);
});

test("memory for the payloads of one plain node leaves room for another one's", async () => {
  await using t = await leakCheck();
  const mebibyte = 2 ** 20;
  const server = await t.messenger({ maxStagedBytes: 34 * mebibyte });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const [greedy, modest] = [await PlainVelo.open(t), await PlainVelo.open(t)];
  for (const node of [greedy, modest]) await node.introduce(server.endpoint);
  const offer = async (node: PlainVelo, total: number) => {
    const { workerId } = server.peers().find((peer) => peer.instanceId === node.instanceId)!;
    const value = utf8(((workerId << 64n) | 7n).toString());
    const map = `81a3${utf8("_rv")}d9${le(value.length / 2, 1)}${value}`;
    node.send(server.endpoint, 0, requestHeader(Kind.unary, node.nextId(), "echo", map));
    const { request: { id } } = await node.nextRequest("_rv_acquire");
    const ready = { lease_id: 3, transfer_id: 4, total_len: total, chunk_size: mebibyte / 4 };
    node.send(server.endpoint, 1, responseHeader(id), {
      Ready: { ...ready, chunk_count: (total * 4) / mebibyte },
    });
  };
  await offer(greedy, 32 * mebibyte);
  await greedy.nextRequest("_rv_pull");
  await offer(greedy, mebibyte);
  await until(() => server.stats().staged.fetching === 2);
  await offer(modest, mebibyte);
  await modest.nextRequest("_rv_pull");
  assert.equal(server.stats().staged.bytes, 33 * mebibyte);
});

test("one plain node has its share of payloads fetched, and another one's is fetched beside them", async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ maxStagedRequests: places });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const ask = async (node: PlainVelo): Promise<string> => {
    const id = node.nextId();
    const { workerId } = server.peers().find((peer) => peer.instanceId === node.instanceId)!;
    const value = utf8(((workerId << 64n) | 7n).toString());
    const map = `81a3${utf8("_rv")}d9${le(value.length / 2, 1)}${value}`;
    node.send(server.endpoint, 0, requestHeader(Kind.unary, id, "echo", map));
    await Promise.resolve();
    return id;
  };
  const [greedy, modest] = [await PlainVelo.open(t), await PlainVelo.open(t)];
  for (const node of [greedy, modest]) await node.introduce(server.endpoint);
  for (let i = 0; i < share; i++) await ask(greedy);
  await until(() => server.stats().staged.fetching === share);
  const refused = await ask(greedy);
  assert.match((await greedy.next((message) => isReply(message, refused))).text, /share/);
  await ask(modest);
  await modest.nextRequest("_rv_acquire");
  assert.equal(server.stats().staged.fetching, share + 1);
});

test("a plain node that names many workers has one lane of an ordered handler", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const held = gate(t);
  const handler = unaryHandler("held", async () => await held.opened, { dispatch: { ordered: "sender" } });
  server.registerHandler(handler);
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  for (let i = 0; i < 50; i++) {
    const id = `${le(BigInt(i + 1) * 0x1_0000_0001n, 8)}${le(i, 2)}${le(0, 6)}`;
    node.send(server.endpoint, 0, requestHeader(Kind.unary, id, "held"), "x");
  }
  const counts = () => server.stats().handlers.byHandler["held"]!;
  await until(() => counts().queued === 49);
  assert.deepEqual([counts().inFlight, counts().lanes], [1, 1]);
  held.open();
  await until(() => counts().queued === 0);
});
