import assert from "node:assert/strict";
import { createConnection, createServer } from "node:net";
import { before } from "node:test";
import process from "node:process";
import { type Handle, openBackend, PollEvent, SocketType } from "../../ffi/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { test } from "../support/testing.ts";
import { pause, within } from "../support/until.ts";
import { dontWait, Kit, turn, type WakingWaiter } from "./ffi_kit.ts";

const rounds = longRun ? 100_000 : 2000;
const kinds = ["auto", "worker"] as const;

before(async () => {
  // A runtime keeps some descriptors of its own once it has had Workers; they are no leak of ours.
  const backend = await openBackend();
  const options = { kind: "worker", onWake() {}, onFailure() {} } as const;
  for (let round = 0; round < 3; round++) {
    const waiters = await Promise.all(Array.from({ length: 4 }, () => backend.waiter(options)));
    await Promise.all(waiters.map((waiter) => waiter.close()));
  }
});

/** Reads everything, so that the socket's descriptor goes quiet. */
function drain(kit: Kit, socket: Handle): number {
  const region = kit.backend.region(64);
  let messages = 0;
  while (kit.backend.receive(socket, region, 0, 64, dontWait) >= 0) messages++;
  return messages;
}

/** A waiter over the left socket of a pair, both of which have nothing to say. */
async function watchedPair(kit: Kit, endpoint: string, waking: WakingWaiter, token = 5) {
  const { left, right } = kit.pair(endpoint);
  for (const socket of [left, right]) {
    while ((kit.backend.events(socket) & PollEvent.POLLOUT) === 0) await turn();
  }
  kit.backend.events(left);
  waking.waiter.add(kit.fd(left), token);
  return { left, right };
}

test("waiter() waits in the runtime's own loop on Linux", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { waiter } = await kit.waiter();
  if (process.platform === "linux") {
    assert.equal(waiter.kind, "loop");
    assert.equal(typeof waiter.slice, "function");
  }
  assert.equal((await kit.waiter({ kind: "loop" })).waiter.kind, waiter.kind);
  assert.equal((await kit.waiter({ kind: "worker" })).waiter.kind, "worker");
});

for (const kind of kinds) {
  test(`arm() wakes once for a message and fired() names the socket (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    const { waiter } = waking;
    const out = new Int32Array(8);
    for (const [index, endpoint] of ["inproc://wake", "tcp://127.0.0.1:*"].entries()) {
      const { left, right } = await watchedPair(kit, endpoint, waking, 100 + index);
      for (let round = 0; round < 100; round++) {
        assert.equal(waiter.fired(out), 0);
        const before = waking.wakes;
        await within(waking.park(() => kit.backend.send(right, new Uint8Array(1), dontWait)), 5000, "a wake");
        assert.equal(waking.wakes, before + 1);
        assert.equal(waiter.fired(out), 1);
        assert.equal(out[0], 100 + index);
        while (drain(kit, left) === 0) await turn();
        kit.backend.events(left);
      }
      waiter.remove(kit.fd(left));
    }
    assert.equal(waking.failure, undefined);
  });

  test(`${rounds} rounds of arm() and ring() leave no descriptor behind (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    const out = new Int32Array(4);
    const run = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) {
        await waking.park(() => waking.waiter.ring());
        assert.equal(waking.waiter.fired(out), 0);
      }
    };
    await run(100);
    const before = kit.backend.descriptors()?.open;
    await run(rounds);
    assert.equal(kit.backend.descriptors()?.open, before);
    assert.equal(waking.wakes, rounds + 100);
  });

  test(`arm() sleeps while nothing happens, and twice is once (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    await watchedPair(kit, "inproc://quiet", waking);
    const woken = waking.park(() => waking.waiter.arm());
    await pause(100);
    assert.equal(waking.wakes, 0);
    waking.waiter.ring();
    await within(woken, 5000, "the wake");
    waking.waiter.fired(new Int32Array(4));
    await pause(30);
    assert.equal(waking.wakes, 1);
  });

  test(`ring() while nothing waits ends the next wait, unless fired() came before (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    const out = new Int32Array(4);
    waking.waiter.ring();
    waking.waiter.ring();
    await pause(20);
    assert.equal(waking.wakes, 0);
    await within(waking.park(), 5000, "the wake");
    assert.equal(waking.waiter.fired(out), 0);
    waking.waiter.ring();
    assert.equal(waking.waiter.fired(out), 0);
    const woken = waking.park();
    await pause(50);
    assert.equal(waking.wakes, 1);
    waking.waiter.ring();
    await within(woken, 5000, "the second wake");
  });

  test(`close() while parked ends the wait without a wake, and twice is once (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    const { waiter } = waking;
    await watchedPair(kit, "inproc://close", waking);
    waiter.arm();
    await turn();
    const closed = waiter.close();
    assert.equal(waiter.close(), closed);
    await within(closed, 5000, "the waiter to close");
    assert.equal(waking.wakes, 0);
    assert.equal(waking.failure, undefined);
    waiter.arm();
    waiter.ring();
    assert.equal(waiter.fired(new Int32Array(4)), 0);
    await pause(20);
    assert.equal(waking.wakes, 0);
  });

  test(`remove() while parked, then closing the socket, wakes nobody (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    const first = await watchedPair(kit, "inproc://first", waking, 1);
    const second = await watchedPair(kit, "inproc://second", waking, 2);
    const woken = waking.park();
    await turn();
    const fd = kit.fd(first.left);
    waking.waiter.remove(fd);
    waking.waiter.remove(fd);
    kit.closeSocket(first.left);
    kit.closeSocket(first.right);
    await pause(50);
    assert.equal(waking.wakes, 0);
    kit.backend.send(second.right, new Uint8Array(1), dontWait);
    await within(woken, 5000, "the wake");
    const out = new Int32Array(4);
    assert.equal(waking.waiter.fired(out), 1);
    assert.equal(out[0], 2);
  });

  test(`fired() names every readable socket in turn, also more than fit (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    const lefts = new Map<number, Handle>();
    for (let token = 0; token < 90; token++) {
      const { left, right } = await watchedPair(kit, `inproc://many-${token}`, waking, token);
      kit.backend.send(right, new Uint8Array(1), dontWait);
      lefts.set(token, left);
    }
    const out = new Int32Array(7);
    for (let calls = 0; lefts.size > 0; calls++) {
      assert.ok(calls < 200, `${lefts.size} sockets were never named`);
      const count = waking.waiter.fired(out);
      assert.ok(count > 0 && count <= out.length);
      for (const token of out.subarray(0, count)) {
        const left = lefts.get(token);
        assert.ok(left !== undefined, "a socket that was read is quiet");
        drain(kit, left);
        kit.backend.events(left);
        lefts.delete(token);
      }
    }
    assert.equal(waking.waiter.fired(out), 0);
  });

  test(`many waiters of one thread do not disturb each other (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const wakings = await Promise.all(Array.from({ length: 4 }, () => kit.waiter({ kind })));
    for (const waking of wakings) waking.waiter.arm();
    await pause(20);
    assert.deepEqual(wakings.map(({ wakes }) => wakes), [0, 0, 0, 0]);
    wakings[2]?.waiter.ring();
    await pause(50);
    assert.deepEqual(wakings.map(({ wakes }) => wakes), [0, 0, 1, 0]);
  });

  test(`unref() and ref() keep a parked wait working (${kind})`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter({ kind });
    const out = new Int32Array(4);
    for (const before of [true, false]) {
      for (const during of [true, false]) {
        if (before) waking.waiter.ref();
        else waking.waiter.unref();
        const woken = waking.park();
        await turn();
        if (during) waking.waiter.ref();
        else waking.waiter.unref();
        waking.waiter.ring();
        await within(woken, 5000, "the wake");
        waking.waiter.fired(out);
      }
    }
  });
}

// Where it is not found calls only take longer; where it always was, not finding it is a failure.
const noSlice = process.platform !== "linux" && "the runtime's own loop is looked for on Linux only";

test(
  "slice() returns for ours, for the runtime's loop, and when the time is up",
  { skip: noSlice },
  async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const waking = await kit.waiter();
    const { slice } = waking.waiter;
    assert.ok(slice !== undefined, "the runtime's loop was not found");
    const { left, right } = await watchedPair(kit, "inproc://slice", waking);
    // The loop has something to do at first, and a timer may leave a sign of itself in it. A wait is a real turn.
    const out = new Int32Array(4);
    let idle = slice(0, 0);
    for (let tries = 0; tries < 100 && idle !== 0; tries++) {
      await waking.park(() => waking.waiter.ring());
      waking.waiter.fired(out);
      idle = slice(0, 0);
    }
    assert.equal(idle, 0);
    const start = performance.now();
    assert.equal(slice(20_000, 0) & 1, 0);
    assert.ok(performance.now() - start < 500);
    kit.backend.send(right, new Uint8Array(1), dontWait);
    assert.equal(slice(1_000_000, 0) & 1, 1);
    drain(kit, left);
    kit.backend.events(left);
    assert.equal(slice(0, 0) & 1, 0);
    waking.waiter.ring();
    assert.equal(slice(1_000_000, 0) & 1, 1);
    waking.waiter.fired(out);
    assert.equal(slice(0, 0) & 1, 0);

    // A TCP server of the runtime: bytes for it must end a slice.
    const server = createServer((socket) => {
      socket.on("data", () => {});
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const client = createConnection(address.port, "127.0.0.1");
    await new Promise<void>((resolve) => client.once("connect", () => resolve()));
    await pause(50);
    let woken = 0;
    for (let round = 0; round < 20; round++) {
      client.write("x");
      const begin = performance.now();
      if ((slice(200_000, 0) & 2) !== 0 && performance.now() - begin < 150) woken++;
      await pause(1);
    }
    client.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    assert.ok(woken >= 15, `the loop ended only ${woken} of 20 slices`);
  },
);

test("a wait sees a message that came before arm()", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const waking = await kit.waiter();
  const { left, right } = await watchedPair(kit, "inproc://before", waking);
  for (let round = 0; round < 100; round++) {
    kit.backend.send(right, new Uint8Array(1), dontWait);
    await within(waking.park(), 5000, "the wake");
    assert.equal(drain(kit, left), 1);
    kit.backend.events(left);
  }
});

test("contexts that are shut down wake the waiter", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const waking = await kit.waiter();
  const socket = kit.socket(SocketType.DEALER);
  kit.backend.events(socket);
  waking.waiter.add(kit.fd(socket), 1);
  await within(waking.park(() => kit.backend.contextShutdown(kit.context)), 5000, "the wake");
  waking.waiter.remove(kit.fd(socket));
});

test("waiter() says why it cannot watch a descriptor", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { waiter } = await kit.waiter();
  assert.throws(() => waiter.add(1_000_000, 1), { name: "ZeromeshError", code: "ZMQ_ERROR" });
});
