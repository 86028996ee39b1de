/** Events between an instance and a plain Velo node, byte for byte, and what hostile nodes send about them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventHandle, Messenger, MessengerOptions } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import {
  hex,
  Kind,
  le,
  type PlainMessage,
  PlainVelo,
  requestHeader,
  responseHeader,
} from "../support/plain_velo.ts";
import { until, within } from "../support/until.ts";
import { fails } from "./messenger_kit.ts";

const encoder = new TextEncoder();
const eventNames = ["_event_subscribe", "_event_trigger", "_event_trigger_request"];

/** An instance, and a plain node that has introduced itself to it. */
async function introduced(
  t: LeakCheck,
  options: MessengerOptions = {},
): Promise<{ ours: Messenger; node: PlainVelo; worker: bigint }> {
  const ours = await t.messenger(options);
  const node = await PlainVelo.open(t);
  await node.introduce(ours.endpoint);
  return { ours, node, worker: BigInt(`0x${[...node.worker.match(/../g)!].reverse().join("")}`) };
}

/** The same, and the instance has dialled the node, which owns events. */
async function dialled(t: LeakCheck, options: MessengerOptions = {}) {
  const { ours, node, worker } = await introduced(t, options);
  const peer = ours.registerPeer(node.peerInfo());
  // The first thing said about an event makes the instance connect.
  const connected = ours.events.poll((worker << 64n | 1n) as EventHandle, { timeoutMs: 5_000 });
  await node.answerHello({ endpoint: ours.endpoint }, eventNames);
  const asked = await node.nextRequest("_event_subscribe");
  node.send(ours.endpoint, 2, `00${asked.request.id}`);
  assert.deepEqual(await connected, { status: "pending" });
  return { ours, node, worker, peer };
}

const ids = (
  node: { readonly instanceId: string },
  worker: bigint,
  role: "subscriber" | "requester",
): string => `"${role}_worker":${worker},"${role}_instance":"${node.instanceId}"`;

function tell(
  node: PlainVelo,
  to: Messenger,
  name: string,
  payload: string,
  kind: number = Kind.fire,
): string {
  const id = node.nextId();
  node.send(to.endpoint, 0, requestHeader(kind, id, name), payload);
  return id;
}

const completion = (handle: bigint, poisoned: string | null): string =>
  `{"handle":${handle},"poisoned":${JSON.stringify(poisoned)}}`;

function subscribers(messenger: Messenger): number {
  return messenger.stats().events?.subscribers?.subscribers ?? 0;
}

test("a plain node subscribes, before and after the event is complete, and is told once", async () => {
  await using t = await leakCheck();
  const { ours, node, worker } = await introduced(t);
  const [event, poisoned] = [ours.events.newEvent(), ours.events.newEvent()];
  const payload = `{"handle":${event.handle},${ids(node, worker, "subscriber")}}`;
  const received = ours.stats().transport.receivedMessages;
  tell(node, ours, "_event_subscribe", payload);
  tell(node, ours, "_event_subscribe", payload);
  await until(() => subscribers(ours) === 1 && ours.stats().transport.receivedMessages >= received + 2);
  event.trigger("a value, which plain nodes do not get");
  const told = await node.nextRequest("_event_trigger");
  assert.equal(told.text, completion(event.handle, null));
  assert.equal(told.request.kind, Kind.fire);
  assert.equal(told.request.map, "");
  assert.equal(told.request.id.slice(0, 16), le(ours.workerId, 8));
  tell(node, ours, "_event_subscribe", `{"handle":${poisoned.handle},${ids(node, worker, "subscriber")}}`);
  await until(() => subscribers(ours) === 1);
  poisoned.poison("no disk");
  assert.equal((await node.nextRequest("_event_trigger")).text, completion(poisoned.handle, "no disk"));
  tell(node, ours, "_event_subscribe", payload);
  assert.equal((await node.nextRequest("_event_trigger")).text, completion(event.handle, null));
  await node.nothingMore();
});

test("a plain node triggers and poisons: the completion first, then the ack under the id it named", async () => {
  await using t = await leakCheck();
  const { ours, node, worker } = await introduced(t);
  const steps: [
    event: ReturnType<Messenger["events"]["newEvent"]>,
    ask: string | null,
    told: string | null,
    ack: string,
  ][] = [];
  const [one, two] = [ours.events.newEvent(), ours.events.newEvent()];
  steps.push([one, null, null, "00"], [one, null, null, "00"], [one, "late", null, "00"]);
  steps.push([two, "bad", "bad", "00"], [two, "worse", "bad", "00"], [two, null, "bad", "02"]);
  for (const [event, ask, told, ack] of steps) {
    const id = node.nextId();
    const number = BigInt(`0x${[...id.match(/../g)!].reverse().join("")}`);
    tell(
      node,
      ours,
      "_event_trigger_request",
      `{"handle":${event.handle},${ids(node, worker, "requester")},"poisoned":${JSON.stringify(ask)},` +
        `"response_id":${number}}`,
    );
    const first = await node.next();
    assert.equal(first.text, completion(event.handle, told));
    const second = await node.next();
    assert.deepEqual([second.type, second.header], [2, ack + id]);
    assert.equal(second.text, ack === "00" ? "" : "event was poisoned");
  }
  await ours.events.awaiter(one.handle);
  await fails(ours.events.awaiter(two.handle), { message: /bad/ });
  tell(
    node,
    ours,
    "_event_trigger_request",
    `{"handle":${one.handle},${ids(node, worker, "requester")},"poisoned":null,"response_id":null}`,
  );
  assert.equal((await node.next()).text, completion(one.handle, null));
  await node.nothingMore();
});

test("a plain node's event is awaited: one subscription, in Velo's bytes", async () => {
  await using t = await leakCheck();
  const { ours, node, worker } = await dialled(t);
  const handle = (worker << 64n | 5n << 32n | 3n) as EventHandle;
  const waiting = Promise.all([ours.events.awaiter(handle), ours.events.awaiter(handle)]);
  const asked = await node.nextRequest("_event_subscribe");
  assert.equal(
    asked.text,
    `{"handle":${handle},"subscriber_worker":${ours.workerId},"subscriber_instance":"${ours.instanceId}"}`,
  );
  assert.equal(asked.request.kind, Kind.fire);
  tell(node, ours, "_event_trigger", completion(handle, null));
  assert.deepEqual(await within(waiting, 5_000), [undefined, undefined]);
  assert.equal(await ours.events.awaiter(handle), undefined);
  const poisoned = (handle + 1n) as EventHandle;
  const failing = fails(ours.events.awaiter(poisoned), { code: "EVENT_POISONED", message: /bad/ });
  await node.nextRequest("_event_subscribe");
  tell(node, ours, "_event_trigger", completion(poisoned, "bad"));
  await failing;
  await node.nothingMore();
});

test("a plain node's event is triggered and poisoned, whichever of completion and ack comes first", async () => {
  await using t = await leakCheck();
  const { ours, node, worker } = await dialled(t);
  const handle = (worker << 64n | 5n << 32n | 3n) as EventHandle;
  const triggering = ours.events.trigger(handle, "unseen");
  const asked = await node.nextRequest("_event_trigger_request");
  const found =
    /^\{"handle":(\d+),"requester_worker":(\d+),"requester_instance":"(.+)","poisoned":null,"response_id":(\d+)\}$/
      .exec(asked.text);
  assert.deepEqual(found?.slice(1, 4), [String(handle), String(ours.workerId), ours.instanceId]);
  const id = le(BigInt(found![4]!), 16);
  assert.equal(id.slice(0, 16), le(ours.workerId, 8));
  tell(node, ours, "_event_trigger", completion(handle, null));
  node.send(ours.endpoint, 2, `00${id}`);
  await within(triggering, 5_000);
  assert.equal(await ours.events.awaiter(handle), undefined);
  const other = (handle + 1n) as EventHandle;
  const refused = fails(ours.events.trigger(other), { code: "EVENT_POISONED" });
  const again = await node.nextRequest("_event_trigger_request");
  node.send(
    ours.endpoint,
    2,
    `02${le(BigInt(/"response_id":(\d+)/.exec(again.text)![1]!), 16)}`,
    "event was poisoned",
  );
  await refused;
  const poisoning = ours.events.poison((other + 1n) as EventHandle, "bad");
  const third = await node.nextRequest("_event_trigger_request");
  assert.match(third.text, /"poisoned":"bad"/);
  node.send(ours.endpoint, 1, responseHeader(le(BigInt(/"response_id":(\d+)/.exec(third.text)![1]!), 16)));
  await within(poisoning, 5_000);
  await fails(ours.events.trigger((other + 2n) as EventHandle, 0, { timeoutMs: 30 }), { code: "TIMEOUT" });
});

test("a higher generation completes the lower ones, and doubled and reordered completions change nothing", async () => {
  await using t = await leakCheck();
  const { ours, node, worker } = await dialled(t);
  const handle = (generation: bigint) => (worker << 64n | 5n << 32n | generation) as EventHandle;
  const waits = [3n, 4n, 5n, 9n].map((generation) => ours.events.awaiter(handle(generation)));
  for (let i = 0; i < 4; i++) await node.nextRequest("_event_subscribe");
  let last = false;
  waits[3]!.then(() => last = true, () => {});
  tell(node, ours, "_event_trigger", completion(handle(5n), null));
  tell(node, ours, "_event_trigger", completion(handle(3n), "too late"));
  tell(node, ours, "_event_trigger", completion(handle(5n), null));
  assert.deepEqual(await within(Promise.all(waits.slice(0, 3)), 5_000), [undefined, undefined, undefined]);
  await until(() => ours.events.stats().remote!.unasked === 0 && ours.events.stats().remote!.implied === 2);
  assert.equal(last, false);
  tell(node, ours, "_event_trigger", completion(handle(9n), null));
  await within(waits[3]!, 5_000);
  tell(node, ours, "_event_trigger", completion(handle(9n), null));
  await until(() => ours.events.stats().remote!.unasked === 1);
});

test("a plain node that closes its connections is forgotten, and a closing instance poisons for it", async () => {
  await using t = await leakCheck();
  const { ours, node, worker } = await introduced(t, { events: { ownerGraceMs: 100 }, redialForMs: 0 });
  const subscribe = (handle: bigint) =>
    tell(node, ours, "_event_subscribe", `{"handle":${handle},${ids(node, worker, "subscriber")}}`);
  subscribe(ours.events.newEvent().handle);
  await until(() => subscribers(ours) === 1);
  const second = ours.events.newEvent();
  subscribe(second.handle);
  await until(() => subscribers(ours) === 2);
  const farewell = node.nextRequest("_event_trigger");
  const closing = ours.close();
  assert.match((await farewell).text, /"poisoned":"Event runtime shut down"/);
  await closing;
  const fresh = await t.messenger({ events: { ownerGraceMs: 100 }, redialForMs: 0 });
  const gone = await PlainVelo.open(t);
  await gone.introduce(fresh.endpoint);
  const id = BigInt(`0x${[...gone.worker.match(/../g)!].reverse().join("")}`);
  tell(
    gone,
    fresh,
    "_event_subscribe",
    `{"handle":${fresh.events.newEvent().handle},${ids(gone, id, "subscriber")}}`,
  );
  await until(() => subscribers(fresh) === 1);
  await gone.close();
  await until(() => subscribers(fresh) === 0);
  assert.equal(fresh.events.stats().subscribers!.vanished, 1);
});

test("hostile messages about events are counted, and disturb no others", async () => {
  await using t = await leakCheck();
  const { ours, node, worker } = await introduced(t);
  const friend = await t.messenger();
  await friend.connect(ours.endpoint);
  const event = ours.events.newEvent();
  const theirs = friend.events.newEvent();
  const waiting = ours.events.awaiter(theirs.handle);
  await until(() => friend.stats().events?.subscribers?.subscribers === 1);
  const self = ids(node, worker, "subscriber");
  const other = ids(friend, friend.workerId, "subscriber");
  const asked = ids(node, worker, "requester");
  const malformed = [
    "",
    "{",
    "null",
    "[1]",
    '{"handle":"1"}',
    `{"handle":${2n ** 128n}}`,
    "\u0001short",
    "\u0009",
  ];
  const before = () => ours.events.stats().subscribers!;
  const counted = async (what: "malformed" | "foreign" | "unknown", by: number, run: () => void) => {
    const start = before()[what];
    run();
    await until(() => before()[what] === start + by, {
      message: () => `${what}: ${JSON.stringify(before())}`,
    });
  };
  for (const name of eventNames) {
    await counted(
      "malformed",
      malformed.length,
      () => malformed.forEach((text) => tell(node, ours, name, text)),
    );
  }
  await counted("foreign", 4, () => {
    // In another's name; completions of events that the sender does not own; an ack for somebody else.
    tell(node, ours, "_event_subscribe", `{"handle":${event.handle},${other}}`);
    tell(node, ours, "_event_trigger", completion(theirs.handle, "forged"));
    tell(node, ours, "_event_trigger", completion(event.handle, "forged"));
    tell(
      node,
      ours,
      "_event_trigger_request",
      `{"handle":${event.handle},${asked},"poisoned":"forged","response_id":${friend.workerId}}`,
    );
  });
  const frame = (handle: bigint) =>
    encoder.encode(`\u0004${"x".repeat(16)}`).map((byte, i) =>
      i === 0 || i > 16 ? byte : Number((handle >> BigInt(8 * (i - 1))) & 0xffn)
    );
  await counted("foreign", 1, () => {
    node.send(
      ours.endpoint,
      0,
      requestHeader(Kind.fire, node.nextId(), "_event_trigger"),
      frame(theirs.handle),
    );
  });
  await counted("unknown", 3, () => {
    for (const handle of [event.handle + 1n, event.handle + (9n << 32n), friend.workerId << 64n | 1n]) {
      tell(node, ours, "_event_subscribe", `{"handle":${handle},${self}}`);
    }
  });
  const id = node.nextId();
  const number = BigInt(`0x${[...id.match(/../g)!].reverse().join("")}`);
  await counted("unknown", 1, () =>
    tell(
      node,
      ours,
      "_event_trigger_request",
      `{"handle":${event.handle + 1n},${asked},"poisoned":null,"response_id":${number}}`,
    ));
  const nack: PlainMessage = await node.next();
  assert.deepEqual([nack.type, nack.header], [2, `02${id}`]);
  await node.nothingMore();
  assert.deepEqual(await ours.events.poll(event.handle), { status: "pending" });
  theirs.trigger("true");
  assert.equal(await within(waiting, 5_000), "true");
  assert.equal(hex(node.idBytes).length, 32);
});
