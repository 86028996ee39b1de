import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Context,
  MonitorEvent,
  openResources,
  type Socket,
  type SocketTypeName,
} from "../../src/libzmq/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { freePort } from "../support/ports.ts";
import { longRun } from "../support/runtime.ts";
import {
  Inbox,
  linked,
  nextOf,
  numbered,
  Outbox,
  parts,
  rawContext,
  sendSoon,
  waiterKinds,
} from "../support/raw_sockets.ts";
import { pause, until, within } from "../support/until.ts";

const closed = { name: "ZeromeshError", code: "CLOSED" };

test("a closed socket says so, whatever it is asked", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("DEALER");
  assert.equal(socket.closed, false);
  socket.close();
  socket.close();
  socket[Symbol.dispose]();
  assert.equal(socket.closed, true);
  assert.equal(context.openSockets, 0);
  const uses: (() => unknown)[] = [
    () => socket.handle,
    () => socket.send(parts("x")),
    () => socket.receive(),
    () => socket.events(),
    () => socket.readable,
    () => socket.get("TYPE"),
    () => socket.set("SNDHWM", 1),
    () => socket.bind("tcp://127.0.0.1:*"),
    () => socket.connect("tcp://127.0.0.1:1"),
    () => socket.unbind("tcp://127.0.0.1:1"),
    () => socket.disconnect("tcp://127.0.0.1:1"),
    () => socket.attach({ receive: () => 0 }),
    () => socket.monitor(MonitorEvent.ALL, () => {}),
  ];
  for (const use of uses) assert.throws(use, closed, String(use));
  // These have nothing to do any more.
  socket.touch();
  socket.setBlocked(true);
  socket.setBlocked(false);
});

for (const waiter of waiterKinds) {
  test(`a context is closed once, and then opens nothing (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = t.use(await Context.create({ waiter }));
    const socket = context.socket("ROUTER");
    socket.bind("tcp://127.0.0.1:*");
    new Inbox(socket);
    const first = context.close();
    assert.equal(context.close({ lingerMs: 5_000 }), first);
    assert.equal(context.closed, true);
    assert.equal(socket.closed, true);
    await within(first, 2_000, "the context to close");
    assert.throws(() => context.socket("PAIR"), closed);
    await context.close();
    await context[Symbol.asyncDispose]();
  });

  test(`a context with sockets of every kind, in every state, closes at once (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = t.use(await Context.create({ waiter }));
    const types: SocketTypeName[] = [
      "PAIR",
      "PUB",
      "SUB",
      "REQ",
      "REP",
      "DEALER",
      "ROUTER",
      "PULL",
      "PUSH",
      "XPUB",
      "XSUB",
    ];
    const nowhere = `tcp://127.0.0.1:${await freePort()}`;
    for (const type of types) {
      context.socket(type);
      const bound = context.socket(type);
      bound.monitor(MonitorEvent.ALL, () => {});
      bound.bind("tcp://127.0.0.1:*");
      const dialling = context.socket(type);
      dialling.monitor(MonitorEvent.ALL, () => {});
      dialling.connect(nowhere);
      if (type !== "PUB" && type !== "PUSH" && type !== "REQ" && type !== "REP") {
        new Inbox(bound);
        new Inbox(dialling);
      }
    }
    const { bound, connected } = linked(context, "PULL", "PUSH");
    new Inbox(bound);
    for (let i = 0; i < 500; i++) connected.send([numbered(i, 1_000)]);
    assert.equal(openResources().sockets, context.openSockets);
    const start = performance.now();
    await within(context.close(), 2_000, "the context to close");
    assert.ok(performance.now() - start < 1_000);
    assert.equal(openResources().sockets, 0);
  });

  test(`a socket is closed while the reactor waits for it, and others go on (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const kept = linked(context, "DEALER", "DEALER");
    const inbox = new Inbox(kept.bound);
    const doomed = Array.from({ length: 10 }, () => linked(context, "DEALER", "DEALER"));
    const silent = doomed.map(({ bound }) => new Inbox(bound));
    await sendSoon(kept.connected, parts("before"));
    await until(() => inbox.count === 1);
    await pause(30);
    for (const { bound, connected } of doomed) {
      connected.send(parts("too late"));
      bound.close();
    }
    await sendSoon(kept.connected, parts("after"));
    await until(() => inbox.count === 2);
    assert.deepEqual(silent.map(({ count }) => count), silent.map(() => 0));
  });

  test(`a source may close its own socket, another one, and open new ones (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const pairs = Array.from(
      { length: 12 },
      (_, i) => linked(context, "PAIR", "PAIR", { endpoint: `inproc://own-${waiter}-${i}` }),
    );
    const successors: Inbox[] = [];
    const seen = pairs.map(() => 0);
    pairs.forEach(({ bound }, i) => {
      new Inbox(bound, () => {
        seen[i]!++;
        // Its own after the first message; every third one takes its neighbour along.
        bound.close();
        if (i % 3 === 0) pairs[i + 1]!.bound.close();
        const next = linked(context, "PAIR", "PAIR", { endpoint: `inproc://next-${waiter}-${i}` });
        successors.push(new Inbox(next.bound));
        next.connected.send(parts("successor"));
      });
    });
    for (const { connected } of pairs) {
      connected.send(parts("1"));
      connected.send(parts("2"));
    }
    await until(() =>
      pairs.every(({ bound }) => bound.closed) && successors.every(({ count }) => count === 1)
    );
    assert.deepEqual(seen.map((count, i) => i % 3 === 1 ? Math.max(count, 1) : count), pairs.map(() => 1));
  });

  test(`a source may close the context it runs in (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { bound, connected } = linked(context, "PAIR", "PAIR");
    const other = linked(context, "PAIR", "PAIR", { endpoint: `inproc://beside-${waiter}` });
    new Inbox(other.bound);
    let ended: Promise<void> | null = null;
    let after = 0;
    new Inbox(bound, () => {
      if (ended !== null) after++;
      else ended = context.close();
    });
    for (let i = 0; i < 5; i++) await sendSoon(connected, parts("x"));
    await until(() => ended !== null);
    await within(ended!, 2_000, "the context to close");
    assert.equal(after, 0);
    assert.equal(bound.closed, true);
  });

  test(`a context is closed under traffic in both directions (${waiter})`, async () => {
    await using t = await leakCheck();
    for (let round = 0; round < 5; round++) {
      const context = t.use(await Context.create({ waiter }));
      context.reactor.ref();
      const { bound: pull, connected: push } = linked(context, "PULL", "PUSH");
      const inbox = new Inbox(pull, () => {});
      new Outbox(push, Infinity).start();
      await until(() => inbox.count > 1_000, { intervalMs: 1 });
      await within(context.close(), 2_000, "the context to close");
    }
  });

  test(`a socket that waits for room is closed, and nothing waits any more (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { connected: push } = linked(context, "PULL", "PUSH", {
      endpoint: `inproc://room-${waiter}`,
      prepare: (socket) => void socket.set("SNDHWM", 2).set("RCVHWM", 2),
    });
    const outbox = new Outbox(push, 1_000);
    outbox.start();
    await until(() => outbox.next === 4);
    push.close();
    await pause(20);
    assert.equal(outbox.next, 4);
    assert.equal(outbox.blocked, false);
  });
}

test("messages sent before close() still leave within the linger, and no longer", async () => {
  await using t = await leakCheck();
  const outside = await rawContext(t);
  const pull = outside.socket("PULL").set("RCVHWM", 0);
  const inbox = new Inbox(pull);
  const endpoint = pull.bind("tcp://127.0.0.1:*");
  const context = t.use(await Context.create());
  const push = context.socket("PUSH").set("SNDHWM", 0);
  push.connect(endpoint);
  for (let i = 0; i < 2_000; i++) assert.equal(push.send([numbered(i, 500)]), true);
  push.close({ lingerMs: 2_000 });
  await within(context.close(), 4_000, "the context to close");
  await until(() => inbox.count === 2_000);
});

test("an unreachable peer holds a context for its linger and no longer, and this thread not at all", async () => {
  await using t = await leakCheck();
  const context = t.use(await Context.create());
  const nowhere = `tcp://127.0.0.1:${await freePort()}`;
  for (let i = 0; i < 3; i++) {
    const push = context.socket("PUSH");
    push.connect(nowhere);
    assert.equal(push.send(parts("nobody hears")), true);
  }
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const start = performance.now();
  await within(context.close({ lingerMs: 300 }), 3_000, "the context to close");
  const took = performance.now() - start;
  clearInterval(timer);
  assert.ok(took > 250 && took < 2_000, `it took ${took} ms`);
  assert.ok(ticks > 15, `${ticks} ticks meanwhile: the thread was blocked`);
});

test("without a linger an unreachable peer delays no close", async () => {
  await using t = await leakCheck();
  const context = t.use(await Context.create());
  const push = context.socket("PUSH").set("LINGER", -1);
  push.connect(`tcp://127.0.0.1:${await freePort()}`);
  push.send(parts("nobody hears"));
  const start = performance.now();
  await within(context.close(), 2_000, "the context to close");
  assert.ok(performance.now() - start < 500);
});

test("a peer that takes nothing holds a context for its linger and no longer", async () => {
  await using t = await leakCheck();
  const outside = await rawContext(t);
  const deaf = outside.socket("PULL").set("RCVHWM", 1).set("RCVBUF", 8_192);
  const endpoint = deaf.bind("tcp://127.0.0.1:*");
  const context = t.use(await Context.create());
  const push = context.socket("PUSH").set("SNDHWM", 100).set("SNDBUF", 8_192);
  push.connect(endpoint);
  while (push.send([new Uint8Array(100_000)]));
  push.close({ lingerMs: 200 });
  const start = performance.now();
  await within(context.close(), 3_000, "the context to close");
  assert.ok(performance.now() - start < 2_000);
});

test("closing monitored sockets after a loss ends the context, again and again", async () => {
  await using t = await leakCheck();
  for (let round = 0; round < 10; round++) {
    const context = t.use(await Context.create());
    const router = context.socket("ROUTER");
    router.monitor(MonitorEvent.ALL, () => {});
    const endpoint = router.bind("tcp://127.0.0.1:*");
    const clients: Socket[] = [];
    let lost = 0;
    for (let i = 0; i < 5; i++) {
      const client = context.socket("DEALER").set("RECONNECT_IVL", 86_400_000);
      client.monitor(MonitorEvent.ALL, (event) => {
        if (event === MonitorEvent.DISCONNECTED) lost++;
      });
      client.connect(endpoint);
      client.send(parts("hello"));
      clients.push(client);
    }
    for (let i = 0; i < 5; i++) await nextOf(router);
    if (round % 2 === 0) {
      router.close();
      await until(() => lost === 5, { intervalMs: 1 });
    }
    for (const client of clients) client.close();
    router.close();
    await within(context.close(), 2_000, "the context to close");
  }
});

test("contexts and sockets that come and go leave no descriptor behind", async () => {
  await using t = await leakCheck();
  const steady = await rawContext(t);
  const descriptors = () => steady.backend.descriptors()?.open ?? 0;
  const cycles = longRun ? 2_000 : 200;
  let early = 0;
  for (let cycle = 0; cycle < cycles; cycle++) {
    const context = await Context.create();
    const { bound, connected } = linked(context, "ROUTER", "DEALER", {
      prepare: (socket) => {
        if (cycle % 4 === 0) socket.monitor(MonitorEvent.ALL, () => {});
      },
    });
    new Inbox(bound);
    connected.send(parts("x"));
    if (cycle % 2 === 0) connected.close();
    await within(context.close(), 2_000, `context ${cycle} to close`);
    if (cycle === 20) early = descriptors();
  }
  await until(() => descriptors() <= early, {
    message: () => `descriptors to be no more than early on: ${early} then, ${descriptors()} now`,
  });
  assert.deepEqual(openResources(), { contexts: 1, sockets: 0 });
});

test("sockets of one context that come and go leave no descriptor behind", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const descriptors = () => context.backend.descriptors()?.open ?? 0;
  const router = context.socket("ROUTER");
  new Inbox(router, () => {});
  const endpoint = router.bind("tcp://127.0.0.1:*");
  let early = 0;
  for (let cycle = 0; cycle < 200; cycle++) {
    const socket = context.socket("DEALER");
    if (cycle % 2 === 0) new Inbox(socket);
    socket.connect(endpoint);
    socket.send(parts("x"));
    if (cycle % 3 === 0) await pause(1);
    socket.close({ lingerMs: 100 });
    if (cycle === 20) {
      await pause(20);
      early = descriptors();
    }
  }
  await until(() => descriptors() <= early, {
    message: () => `descriptors to be no more than early on: ${early} then, ${descriptors()} now`,
  });
  assert.equal(context.openSockets, 1);
});

test("openResources() counts what is open in this thread", async () => {
  await using t = await leakCheck();
  assert.deepEqual(openResources(), { contexts: 0, sockets: 0 });
  const [one, two] = [await rawContext(t), await rawContext(t)];
  const sockets = [one.socket("PUB"), one.socket("SUB"), two.socket("PAIR")];
  assert.deepEqual(openResources(), { contexts: 2, sockets: 3 });
  sockets[0]!.close();
  assert.deepEqual(openResources(), { contexts: 2, sockets: 2 });
  await one.close();
  assert.deepEqual(openResources(), { contexts: 1, sockets: 1 });
  assert.equal(sockets[1]!.closed, true);
});
