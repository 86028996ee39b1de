import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { freePort, occupiedPort, portOf } from "../support/ports.ts";
import { seededPrng } from "../support/prng.ts";
import { startProxy } from "../support/proxy.ts";
import { startEcho } from "../support/echo.ts";
import { pause, until, within } from "../support/until.ts";

/** A client that collects what comes back. */
async function dial(port: number) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const state = { text: "", ended: false, closed: false, socket };
  socket.on("data", (bytes: Uint8Array) => state.text += new TextDecoder().decode(bytes));
  socket.on("end", () => state.ended = true);
  socket.on("close", () => state.closed = true);
  socket.on("error", () => state.closed = true);
  await until(() => !socket.connecting);
  return state;
}

test("leakCheck() names a timer that is left", async () => {
  const left: ReturnType<typeof setTimeout>[] = [];
  await assert.rejects(async () => {
    await using _t = await leakCheck({ settleMs: 30 });
    left.push(setTimeout(() => {}, 60_000));
  }, /timers \(0 before, 1 now\).*\n?.*setTimeout of 60000 ms/);
  clearTimeout(left[0]);
});

test("leakCheck() accepts timers that fired or were cleared, and puts the globals back", async () => {
  const original = globalThis.setTimeout;
  {
    await using _t = await leakCheck({ settleMs: 500 });
    assert.notEqual(globalThis.setTimeout, original);
    clearTimeout(setTimeout(() => {}, 60_000));
    clearInterval(setInterval(() => {}, 60_000));
    setTimeout(() => {}, 20);
  }
  assert.equal(globalThis.setTimeout, original);
});

test("leakCheck() closes what it was given, last come first, and reports what it watches", async () => {
  const closed: string[] = [];
  let open = 0;
  await assert.rejects(async () => {
    await using t = await leakCheck({ settleMs: 30 });
    t.watch("gadgets", () => open);
    open = 2;
    t.use({ [Symbol.dispose]: () => void closed.push("first") });
    t.use({
      [Symbol.asyncDispose]: async () => {
        await pause(1);
        closed.push("second");
      },
    });
  }, /gadgets \(0 before, 2 now\)/);
  assert.deepEqual(closed, ["second", "first"]);
});

test("leakCheck() keeps the test's own error", async () => {
  await assert.rejects(async () => {
    await using _t = await leakCheck({ settleMs: 30 });
    throw new Error("from the body");
  }, /from the body/);
});

test("until() returns the value, and says what it waited for", async () => {
  let n = 0;
  assert.equal(await until(() => ++n === 3 ? "three" : undefined), "three");
  await assert.rejects(
    until(() => false, { timeoutMs: 10, message: "nothing" }),
    /10 ms in vain for nothing/,
  );
  await assert.rejects(within(new Promise(() => {}), 10, "an answer"), /in vain for an answer/);
  assert.equal(await within(Promise.resolve(1), 1000), 1);
});

test("seededPrng() repeats itself and stays within its limits", () => {
  const a = seededPrng(7);
  const b = seededPrng(7);
  assert.deepEqual(a.bytes(32), b.bytes(32));
  assert.equal(a.uint64(), b.uint64());
  for (let i = 0; i < 1000; i++) assert.ok(a.below(5) < 5);
  assert.notDeepEqual(seededPrng(8).bytes(32), seededPrng(7).bytes(32));
});

test("freePort() is free, occupiedPort() is not", async () => {
  await using taken = await occupiedPort();
  assert.notEqual(await freePort(), taken.port);
  assert.equal(portOf(`tcp://127.0.0.1:${taken.port}`), taken.port);
});

test("startProxy() hands bytes on both ways and counts them", async () => {
  await using t = await leakCheck();
  const echo = t.use(await startEcho());
  const proxy = t.use(await startProxy({ targetPort: echo.port }));
  const client = await dial(proxy.port);
  t.defer(() => void client.socket.destroy());
  client.socket.write("hello");
  await until(() => client.text === "hello");
  assert.deepEqual(proxy.bytes, { up: 5, down: 5 });
  assert.equal(proxy.connections, 1);
  assert.equal(proxy.endpoint, `tcp://127.0.0.1:${proxy.port}`);
});

test("startProxy() can cut, refuse, and be used again", async () => {
  await using t = await leakCheck();
  const echo = t.use(await startEcho());
  const proxy = t.use(await startProxy({ targetPort: echo.port }));
  for (const reset of [false, true]) {
    const client = await dial(proxy.port);
    client.socket.write("x");
    await until(() => client.text === "x");
    proxy.cut({ reset });
    await until(() => client.closed || client.ended);
    client.socket.destroy();
    assert.equal(proxy.connections, 0);
  }
  proxy.refusing = true;
  const refused = await dial(proxy.port);
  await until(() => refused.closed || refused.ended);
  refused.socket.destroy();
  proxy.refusing = false;
  const again = await dial(proxy.port);
  again.socket.write("y");
  await until(() => again.text === "y");
  again.socket.destroy();
  assert.equal(proxy.accepted, 4);
});

test("startProxy() can pause, delay and drop a direction", async () => {
  await using t = await leakCheck();
  const echo = t.use(await startEcho());
  const proxy = t.use(await startProxy({ targetPort: echo.port }));
  const client = await dial(proxy.port);
  t.defer(() => void client.socket.destroy());
  proxy.pause("down");
  client.socket.write("1");
  await until(() => proxy.bytes.up === 1);
  await pause(30);
  assert.equal(client.text, "");
  proxy.resume();
  await until(() => client.text === "1");
  proxy.delayMs = 40;
  const start = performance.now();
  client.socket.write("2");
  await until(() => client.text === "12");
  assert.ok(performance.now() - start >= 75, "40 ms each way");
  proxy.delayMs = 0;
  proxy.drop("up", true);
  client.socket.write("3");
  await pause(30);
  proxy.drop("up", false);
  client.socket.write("4");
  await until(() => client.text === "124");
});

test("startProxy() can close one direction and keep the other", async () => {
  await using t = await leakCheck();
  const echo = t.use(await startEcho());
  const proxy = t.use(await startProxy({ targetPort: echo.port }));
  const client = await dial(proxy.port);
  t.defer(() => void client.socket.destroy());
  client.socket.write("a");
  await until(() => client.text === "a");
  proxy.halfClose("down");
  await until(() => client.ended);
  client.socket.write("b");
  await until(() => proxy.bytes.up === 2);
  assert.equal(proxy.connections, 1);
});
