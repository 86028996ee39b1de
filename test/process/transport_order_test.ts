/** Traffic between processes through small queues and bad connections: nothing is lost, doubled or out of order. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "../support/testing.ts";
import { leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { numbered } from "../support/raw_sockets.ts";
import { currentRuntime, longRun } from "../support/runtime.ts";
import { counts, otherRuntime, start } from "../support/transport_peers.ts";
import { until, within } from "../support/until.ts";

const numberIn = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);

const echoes = [
  ["tcp", true, currentRuntime],
  ["tcp", false, otherRuntime],
  ["ipc", true, otherRuntime],
  ["ipc", false, currentRuntime],
] as const;
for (const [way, batch, runtime] of echoes) {
  const count = longRun ? 1_000_000 : 6_000;
  test(
    `${count} echoes of ${runtime} through a high-water mark of 10 come once and in order (${way}, batch ${batch})`,
    { skip: way === "ipc" && process.platform !== "linux" ? "local names are Linux's" : false },
    async () => {
      await using t = await leakCheck();
      const options = { highWaterMark: 10, features: { batch } };
      const server = await start(t, options, 5_000, runtime);
      const client = await t.messenger({ ...options, timeoutMs: 120_000 });
      const peer = way === "tcp" ? await client.connect(server.endpoint) : client.registerPeer(server.info);
      let [next, wrong] = [0, 0];
      // Of 64 B too few batches come of a thousand messages to fill anything.
      const size = batch ? 2_000 : 64;
      for (let i = 0; i < count; i++) {
        const answer = client.unary("en", { to: peer, rawPayload: numbered(i, size) }).then((bytes) => {
          if (numberIn(bytes) !== next || bytes.length !== size) wrong++;
          next++;
        });
        if (i % 1_000 === 999) await answer;
      }
      await until(() => next === count, { timeoutMs: 60_000, message: () => `${count} echoes, got ${next}` });
      assert.equal(wrong, 0);
      assert.deepEqual(await counts(client, peer), { next: count, wrong: 0, held: 0 });
      assert.ok(client.stats().transport.blocked > 0, "the high-water mark was never reached");
    },
  );
}

test(`calls to ${otherRuntime} over a way that is cut, half closed and delayed again and again end once, and it recovers`, async () => {
  await using t = await leakCheck();
  const server = await start(t, { ipc: false }, 0, otherRuntime);
  const proxy = t.use(await startProxy({ targetPort: portOf(server.endpoint) }));
  const client = await t.messenger({ ipc: false, listen: false });
  const peer = await client.connect(proxy.endpoint);
  const outcomes = new Map<number, string>();
  const calls: Promise<unknown>[] = [];
  const send = (): void => {
    const number = calls.length;
    const end = (outcome: string): void => {
      assert.ok(!outcomes.has(number));
      outcomes.set(number, outcome);
    };
    calls.push(
      client.unary("once", { to: peer, rawPayload: numbered(number, 2_000) }).then(
        (bytes) => end(numberIn(bytes) === number ? "answered" : "wrong"),
        ({ code, ran }: { code: string; ran: string }) => end(`${code} ${ran}`),
      ),
    );
  };
  const faults = [
    () => proxy.cut(),
    () => proxy.cut({ reset: true }),
    () => proxy.halfClose("up"),
    () => proxy.halfClose("down"),
  ];
  for (let round = 0; round < (longRun ? 100 : 8); round++) {
    proxy.delayMs = round % 3 === 2 ? 10 : 0;
    const answered = await until(() => client.peers()[0]?.up);
    assert.ok(answered);
    for (let i = 0; i < 200; i++) send();
    await Promise.race(calls.slice(-200));
    const seen = proxy.accepted;
    faults[round % faults.length]!();
    await until(() => proxy.accepted > seen, { message: `a new connection after fault ${round % 4}` });
  }
  proxy.delayMs = 0;
  send();
  await within(Promise.all(calls), 10_000, "every call to end");
  assert.equal(outcomes.get(calls.length - 1), "answered");
  const found = new Map<number, number>(
    JSON.parse(new TextDecoder().decode(await client.unary("seen", { to: peer }))),
  );
  assert.ok([...found.values()].every((times) => times === 1), "a call ran twice");
  for (const [number, outcome] of outcomes) {
    assert.match(outcome, /^(answered|PEER_DISCONNECTED (no|maybe))$/);
    if (outcome === "answered") assert.ok(found.has(number));
    if (outcome.endsWith(" no")) {
      assert.ok(!found.has(number), `call ${number} ran, and was said not to have`);
    }
  }
});
