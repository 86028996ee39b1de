/** Tests of calls, queues and peers when the connection of two instances is cut, blocked, or leads elsewhere. */
import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { test } from "../support/testing.ts";
import {
  amHandler,
  contract,
  type DroppedEntries,
  type InstanceId,
  type Messenger,
  type MessengerOptions,
  type Status,
  unaryHandler,
} from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { type CuttingProxy, startProxy } from "../support/proxy.ts";
import { busy, turn } from "../support/raw_sockets.ts";
import { pause, until, within } from "../support/until.ts";
import { bytes, fails, gate, text } from "./messenger_kit.ts";
import { RawRouter } from "./messenger_raw_peer.ts";
import { z } from "zod";

interface Proxied {
  readonly server: Messenger;
  readonly client: Messenger;
  readonly peer: InstanceId;
  readonly proxy: CuttingProxy;
  /** The entries of the status() of client and server so far. */
  readonly ofClient: (Status | DroppedEntries)[];
  readonly ofServer: (Status | DroppedEntries)[];
}

/** Two instances with a proxy between them; `echo` answers, `hold` does when the gate opens. */
async function proxied(
  t: LeakCheck,
  options: { client?: MessengerOptions; server?: MessengerOptions } = {},
): Promise<Proxied & { held: () => number; open: () => void }> {
  const server = await t.messenger({ ipc: false, ...options.server });
  const hold = gate(t);
  let held = 0;
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  server.registerHandler(unaryHandler("hold", async ({ payload }) => {
    held++;
    await hold.opened;
    return payload;
  }));
  const proxy = t.use(await startProxy({ targetPort: portOf(server.endpoint) }));
  const client = await t.messenger({ ipc: false, listen: false, ...options.client });
  const [ofClient, ofServer] = [told(client), told(server)];
  const peer = await client.connect(proxy.endpoint);
  await until(() => server.peers()[0]?.up);
  return { server, client, peer, proxy, ofClient, ofServer, held: () => held, open: hold.open };
}

function told(messenger: Messenger): (Status | DroppedEntries)[] {
  const all: (Status | DroppedEntries)[] = [];
  void (async () => {
    for await (const status of messenger.status()) all.push(status);
  })();
  return all;
}

const types = (all: readonly { type: string }[]) => all.map(({ type }) => type);

/** The end of a call: its answer, or its code and ran. */
async function ending(call: Promise<Uint8Array | void>, timeoutMs = 5_000): Promise<string> {
  return await within(
    call.then(
      (answer) => answer === undefined ? "sent" : text(answer),
      (error: { code: string; ran: string }) => {
        return `${error.code} ${error.ran}`;
      },
    ),
    timeoutMs,
    "the end of a call",
  );
}

const cuts: [what: string, cut: (proxy: CuttingProxy) => void][] = [
  ["closed", (proxy) => proxy.cut()],
  ["reset", (proxy) => proxy.cut({ reset: true })],
  ["half closed towards the server", (proxy) => proxy.halfClose("up")],
  ["half closed towards the client", (proxy) => proxy.halfClose("down")],
];

for (const [what, cut] of cuts) {
  test(`a connection that is ${what} ends its calls at once and comes back by itself`, async () => {
    await using t = await leakCheck();
    const { server, client, peer, proxy, ofClient, ofServer, held, open } = await proxied(t);
    const calls = Array.from({ length: 20 }, () => ending(client.unary("hold", { to: peer })));
    const back = until(() => held() === 20);
    await back;
    const began = performance.now();
    cut(proxy);
    assert.deepEqual(new Set(await Promise.all(calls)), new Set(["PEER_DISCONNECTED maybe"]));
    assert.ok(performance.now() - began < 1_000);
    await until(() => types(ofClient).length === 3 && types(ofServer).length === 3, {
      message: () => `peerUp: ${types(ofClient)}, ${types(ofServer)}`,
    });
    open();
    assert.deepEqual(types(ofClient), ["peerUp", "peerDown", "peerUp"]);
    assert.deepEqual(types(ofServer), ["peerUp", "peerDown", "peerUp"]);
    assert.equal(await ending(client.unary("echo", { to: peer, rawPayload: bytes("again") })), "again");
    assert.deepEqual([client.stats().transport.dialled, server.stats().transport.accepted], [1, 1]);
    assert.equal(server.peers().length, 1);
  });
}

test("a message that was cut off before it left did not run, and says so", async () => {
  await using t = await leakCheck();
  const { client, peer, proxy } = await proxied(t, {
    client: { highWaterMark: 1, redialForMs: 0, features: { batch: false } },
  });
  proxy.pause();
  const payload = new Uint8Array(200_000);
  const calls = Array.from(
    { length: 100 },
    () => ending(client.unary("echo", { to: peer, rawPayload: payload })),
  );
  await until(() => client.stats().transport.queuedMessages > 10);
  await pause(50);
  // How many that are depends on the system's buffers: those beyond the limit of the queue wait for room in it.
  const { queuedMessages, waitingSends } = client.stats().transport;
  const waiting = queuedMessages + waitingSends;
  proxy.cut();
  const all = await Promise.all(calls);
  const notRun = all.filter((one) => one === "PEER_DISCONNECTED no").length;
  assert.ok(Math.abs(notRun - waiting) <= 3, `${notRun} did not run, ${waiting} were waiting`);
  assert.equal(all.filter((one) => one === "PEER_DISCONNECTED maybe").length, 100 - notRun);
});

test("calls made while a peer cannot be reached wait for it and succeed, in their order", async () => {
  await using t = await leakCheck();
  const { server, client, peer, proxy, ofClient } = await proxied(t);
  const seen: number[] = [];
  server.registerHandler(amHandler("n", ({ payload }) => void seen.push(payload[0]!)));
  proxy.refusing = true;
  proxy.cut();
  await until(() => client.peers()[0]!.up === false);
  const calls = Array.from(
    { length: 50 },
    (_, i) => client.amSync("n", { to: peer, rawPayload: Uint8Array.of(i) }),
  );
  await until(() => proxy.accepted > 1, { message: "a refused redial" });
  proxy.refusing = false;
  await within(Promise.all(calls), 5_000, "the calls that wait for the peer");
  assert.deepEqual(seen, Array.from({ length: 50 }, (_, i) => i));
  assert.deepEqual(types(ofClient), ["peerUp", "peerDown", "peerUp"]);
});

test("calls to a peer that does not come back end when the time to connect is over, and did not run", async () => {
  await using t = await leakCheck();
  const { client, peer, proxy } = await proxied(t, { client: { connectTimeoutMs: 300 } });
  proxy.refusing = true;
  proxy.cut();
  await until(() => client.peers()[0]!.up === false);
  for (const outcome of await Promise.all([1, 2, 3].map(() => ending(client.unary("echo", { to: peer }))))) {
    assert.equal(outcome, "PEER_UNREACHABLE no");
  }
  // The redial in the background goes on, and the peer is used again once it is found.
  proxy.refusing = false;
  await until(() => client.peers()[0]!.up, { message: "the peer to be up again" });
  assert.equal(await ending(client.unary("echo", { to: peer, rawPayload: bytes("x") })), "x");
});

test("a call that dials before a loss is told does not take the place of the redial in the background", async () => {
  await using t = await leakCheck();
  const { client, peer, proxy, ofClient } = await proxied(t, { client: { connectTimeoutMs: 100 } });
  proxy.refusing = true;
  proxy.cut();
  // The connection cannot be used from now on, and its loss is told a turn later.
  while (client.peers()[0]!.up) await turn();
  assert.deepEqual(types(ofClient), ["peerUp"]);
  assert.equal(await ending(client.unary("echo", { to: peer })), "PEER_UNREACHABLE no");
  proxy.refusing = false;
  await until(() => client.peers()[0]!.up, { message: "the peer to be up again" });
  assert.deepEqual(types(ofClient), ["peerUp", "peerDown", "peerUp"]);
});

test("with redialForMs 0 a lost peer stays down until a call needs it", async () => {
  await using t = await leakCheck();
  const { client, peer, proxy, ofClient } = await proxied(t, { client: { redialForMs: 0 } });
  proxy.cut();
  await until(() => client.peers()[0]!.up === false);
  const accepted = proxy.accepted;
  await pause(300);
  assert.equal(proxy.accepted, accepted);
  assert.equal(await ending(client.unary("echo", { to: peer, rawPayload: bytes("x") })), "x");
  assert.deepEqual(types(ofClient), ["peerUp", "peerDown", "peerUp"]);
});

test("a redial ends when its time is over", async () => {
  await using t = await leakCheck();
  const { client, proxy } = await proxied(t, { client: { redialForMs: 300 } });
  proxy.refusing = true;
  proxy.cut();
  await until(() => proxy.accepted > 2);
  await until(async () => {
    const before = proxy.accepted;
    await pause(400);
    return proxy.accepted === before;
  }, { message: "the redials to end" });
  assert.equal(client.stats().transport.dialled, 0);
});

test("a way that is slow delays answers and loses none", async () => {
  await using t = await leakCheck();
  const { client, peer, proxy, ofClient } = await proxied(t);
  proxy.delayMs = 150;
  const began = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(`${i}`) })),
  );
  assert.ok(performance.now() - began >= 290);
  assert.deepEqual(answers.map(text), Array.from({ length: 100 }, (_, i) => `${i}`));
  assert.deepEqual(types(ofClient), ["peerUp"]);
});

test("a way that stands still for a moment loses nothing", async () => {
  await using t = await leakCheck();
  const { client, peer, proxy, ofClient } = await proxied(t);
  for (const direction of ["up", "down"] as const) {
    proxy.pause(direction);
    const calls = Array.from(
      { length: 50 },
      (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(`${i}`) }),
    );
    await pause(400);
    proxy.resume(direction);
    assert.deepEqual((await Promise.all(calls)).map(text), Array.from({ length: 50 }, (_, i) => `${i}`));
  }
  assert.deepEqual(types(ofClient), ["peerUp"]);
});

test("a way that swallows everything is noticed by both sides within the heartbeat bound", async () => {
  await using t = await leakCheck();
  const { client, peer, proxy, ofClient, ofServer, held, open } = await proxied(t, {
    client: { redialForMs: 0 },
  });
  const call = ending(client.unary("hold", { to: peer }), 8_000);
  await until(() => held() === 1);
  await pause(1_200);
  const began = performance.now();
  proxy.drop("up", true);
  proxy.drop("down", true);
  assert.equal(await call, "PEER_DISCONNECTED maybe");
  await until(() => types(ofServer).includes("peerDown"), { message: "the server to notice" });
  const after = performance.now() - began;
  assert.ok(after > 1_500 && after < 5_500, `after ${after} ms`);
  assert.deepEqual([types(ofClient), types(ofServer)], [["peerUp", "peerDown"], ["peerUp", "peerDown"]]);
  open();
});

test("another instance where a peer used to be is told in status(), and gets nothing that waited", async () => {
  await using t = await leakCheck();
  const first = await t.messenger({ ipc: false });
  const port = portOf(first.endpoint);
  const proxy = t.use(await startProxy({ targetPort: port }));
  const client = await t.messenger({ ipc: false, listen: false, highWaterMark: 2, timeoutMs: 4_000 });
  const statuses = told(client);
  const peer = await client.connect(proxy.endpoint);
  proxy.pause();
  const sends = Array.from(
    { length: 50 },
    () => ending(client.unary("n", { to: peer, rawPayload: new Uint8Array(100_000) })),
  );
  await first.close({ timeoutMs: 0 });
  const second = await t.messenger({ ipc: false, endpoint: `tcp://127.0.0.1:${port}` });
  let got = 0;
  second.registerHandler(unaryHandler("n", () => void got++));
  proxy.cut();
  proxy.resume();
  for (const outcome of await Promise.all(sends)) {
    assert.match(outcome, /^(PEER_DISCONNECTED|PEER_REPLACED) /);
  }
  const replaced = await until(() => statuses.find(({ type }) => type === "peerReplaced"));
  assert.deepEqual(replaced, { type: "peerReplaced", peer, successor: second.instanceId });
  assert.equal(await ending(client.unary("n", { to: peer })), "PEER_REPLACED no");
  assert.equal(got, 0);
  assert.equal(await client.connect(proxy.endpoint), second.instanceId);
  await client.unary("n", { to: second.instanceId });
  assert.equal(got, 1);
});

test("two instances with one id that dial the same listener disturb no others", async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ ipc: false });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const one = await t.messenger({ ipc: false, listen: false });
  const two = await t.messenger({ ipc: false, listen: false, instanceId: one.instanceId });
  const other = await t.messenger({ ipc: false, listen: false });
  for (const each of [one, other]) assert.equal(await each.connect(server.endpoint), server.instanceId);
  for (let round = 0; round < 20; round++) {
    const refused = fails(two.connect(server.endpoint), { code: "IDENTITY_MISMATCH", ran: "no" });
    const calls = [one, other].map((each, i) =>
      each.unary("echo", { to: server.instanceId, rawPayload: bytes(`${round} ${i}`) })
    );
    assert.deepEqual((await Promise.all(calls)).map(text), [0, 1].map((i) => `${round} ${i}`));
    await refused;
  }
  await until(() => server.stats().transport.accepted === 2);
  await one.close();
  await until(() => server.stats().transport.accepted === 1);
  assert.equal(server.peers().filter(({ up }) => up).length, 1);
  two.registerHandler(unaryHandler("two", () => bytes("two")));
  assert.equal(await two.connect(server.endpoint), server.instanceId);
  assert.equal(await ending(server.unary("two", { to: two.instanceId })), "two");
});

test("hundreds of short strange connections while JavaScript is busy stall no connection of the process", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await proxied(t);
  const port = portOf(server.endpoint);
  let [opened, ended] = [0, 0];
  for (let i = 0; i < 500; i++) {
    const socket = connectTcp(port, "127.0.0.1", () => {
      opened++;
      socket.end(i % 2 === 0 ? "x" : "");
    });
    socket.on("error", () => {}).on("close", () => ended++).resume();
    t.defer(() => void socket.destroy());
  }
  for (let i = 0; i < 20; i++) {
    busy(25);
    await turn();
  }
  assert.equal(await ending(client.unary("echo", { to: peer, rawPayload: bytes("fine") })), "fine");
  await until(() => opened === 500 && ended === 500, {
    timeoutMs: 15_000,
    message: () => `${opened} opened, ${ended} ended`,
  });
  const newcomer = await t.messenger();
  assert.equal(await within(newcomer.connect(server.endpoint), 3_000, "a new peer"), peer);
  await until(() => server.stats().transport.silent === 0, { message: "the strangers to be forgotten" });
});

test("broadcast() sends to those it can reach and lists the others with their reasons", async () => {
  await using t = await leakCheck();
  const note = contract("note", { input: z.object({ line: z.string() }) });
  const hub = await t.messenger({
    ipc: false,
    connectTimeoutMs: 1_000,
    overflow: "fail",
    highWaterMark: 1,
    maxQueuedMessages: 2,
  });
  const lines: string[] = [];
  const listening = await t.messenger({ ipc: false });
  const registered = await t.messenger({ ipc: false });
  const guest = await t.messenger({ listen: false });
  for (const each of [listening, registered, guest]) {
    each.handle(note, ({ input }) => void lines.push(input.line));
  }
  await hub.connect(listening.endpoint);
  hub.registerPeer(registered.peerInfo());
  await guest.connect(hub.endpoint);
  const deaf = await RawRouter.open(t, { small: true });
  const [full] = await Promise.all([hub.connect(deaf.endpoint), deaf.hello(["same-connection"])]);
  await until(() =>
    hub.amSend("n", { to: full, rawPayload: new Uint8Array(300_000) }).then(() => false, () => true)
  );
  const gone = await t.messenger({ ipc: false });
  const lost = hub.registerPeer(gone.peerInfo());
  await gone.close();
  const { sent, failed } = await hub.broadcast(note, { payload: { line: "all" } });
  assert.deepEqual(
    new Set(sent),
    new Set([listening.instanceId, registered.instanceId, guest.instanceId]),
  );
  const reasons = Object.fromEntries(
    failed.map(({ peer, error }) => [peer, (error as { code: string }).code]),
  );
  assert.deepEqual(reasons, { [full]: "QUEUE_FULL", [lost]: "PEER_UNREACHABLE" });
  await until(() => lines.length === 3);
  await hub.broadcast("note", { payload: { line: "by name" } });
  await until(() => lines.length === 6);
  assert.deepEqual(lines, ["all", "all", "all", "by name", "by name", "by name"]);
  await hub.close({ timeoutMs: 0 });
});

test("status() tells everything that happened, in order, once", async () => {
  await using t = await leakCheck();
  const { server, client, peer, proxy, ofClient } = await proxied(t);
  const handler = client.registerHandler(amHandler("mine", () => {}));
  await until(() => ofClient.length === 2);
  for (let i = 0; i < 3; i++) {
    const before = ofClient.length;
    proxy.cut({ reset: i % 2 === 0 });
    await until(() => ofClient.length === before + 2);
  }
  handler[Symbol.dispose]();
  await server.close();
  await until(() => types(ofClient).at(-1) === "peerDown");
  await client.close();
  await until(() => types(ofClient).at(-1) === "closed");
  assert.deepEqual(types(ofClient), [
    "peerUp",
    "handlerRegistered",
    ...["peerDown", "peerUp", "peerDown", "peerUp", "peerDown", "peerUp"],
    "handlerUnregistered",
    "peerDown",
    "draining",
    "closed",
  ]);
  const downs = ofClient.filter((status) => status.type === "peerDown");
  assert.deepEqual(downs.map((down) => "code" in down ? down.code : ""), [
    ...["PEER_DISCONNECTED", "PEER_DISCONNECTED", "PEER_DISCONNECTED"],
    "PEER_DRAINING",
  ]);
  for (const status of ofClient) {
    if (status.type !== "peerUp") continue;
    assert.deepEqual(status, { type: "peerUp", peer, endpoint: proxy.endpoint, zeromesh: true, name: null });
  }
});
