/** Two instances, one of which closes: what was under way, what comes later, and how long it takes. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { amHandler, type Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { busy, turn } from "../support/raw_sockets.ts";
import { until, within } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";

const options: Record<string, MessengerOptions> = {
  "in batches": {},
  "one by one": { features: { batch: false } },
  "through a high-water mark of 5": { highWaterMark: 5, maxQueuedMessages: 20 },
};

for (const [how, common] of Object.entries(options)) {
  test(`500 answers on their way when the other side closes all arrive, however late they are read (${how})`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { server: common, client: common });
    const hold = gate(t);
    let running = 0;
    server.registerHandler(unaryHandler("late", async ({ payload }) => {
      running++;
      await hold.opened;
      return payload;
    }));
    const calls = Promise.all(
      Array.from({ length: 500 }, (_, i) => client.unary("late", { to: peer, rawPayload: bytes(`${i}`) })),
    );
    calls.catch(() => {});
    await until(() => running === 500);
    hold.open();
    const closing = server.close();
    await turn();
    busy(100);
    await within(closing, 4_000, "the close");
    const answers = await within(calls, 4_000, "the answers");
    assert.deepEqual(answers.map(text), Array.from({ length: 500 }, (_, i) => `${i}`));
  });
}

test("calls under way finish, new ones are refused with PEER_DRAINING and did not run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const ran: string[] = [];
  for (const name of ["old", "new"]) {
    server.registerHandler(unaryHandler(name, async () => {
      ran.push(name);
      await hold.opened;
      return bytes(name);
    }));
  }
  server.registerHandler(amHandler("note", () => void ran.push("note")));
  const old = client.unary("old", { to: peer });
  await until(() => ran.length === 1);
  const closing = server.close({ timeoutMs: 5_000 });
  const refused = { code: "PEER_DRAINING", ran: "no", peer };
  await Promise.all(
    Array.from(
      { length: 20 },
      (_, i) =>
        fails(i % 2 === 0 ? client.unary("new", { to: peer }) : client.amSync("note", { to: peer }), refused),
    ),
  );
  hold.open();
  assert.equal(text(await old), "old");
  await closing;
  assert.deepEqual(ran, ["old"]);
});

test("close() takes no longer than its time when handlers do not heed their signal", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { redialForMs: 0 } });
  const hold = gate(t);
  let running = 0;
  server.registerHandler(unaryHandler("stubborn", () => {
    running++;
    return hold.opened.then(() => bytes("x"));
  }));
  const calls = Array.from(
    { length: 10 },
    () =>
      client.unary("stubborn", { to: peer }).then(
        () => "answered",
        (error: { code: string; ran: string }) => {
          return `${error.code} ${error.ran}`;
        },
      ),
  );
  await until(() => running === 10);
  const began = performance.now();
  await server.close({ timeoutMs: 200 });
  const took = performance.now() - began;
  assert.ok(took >= 190 && took < 1_000, `${took} ms`);
  for (const outcome of await within(Promise.all(calls), 2_000, "the callers")) {
    assert.match(outcome, /^(PEER_DISCONNECTED|PEER_DRAINING) maybe$/);
  }
});

for (const side of ["dialled", "accepted"] as const) {
  test(`a peer that says goodbye is not used any more, and comes back under the same id (${side})`, async () => {
    await using t = await leakCheck();
    const listener = await t.messenger({ ipc: false });
    const dialler = await t.messenger({ ipc: false });
    await dialler.connect(listener.endpoint);
    await until(() => listener.peers()[0]?.up);
    const [stays, leaves]: [Messenger, Messenger] = side === "dialled"
      ? [dialler, listener]
      : [listener, dialler];
    const downs: string[] = [];
    void (async () => {
      for await (const status of stays.status()) if (status.type === "peerDown") downs.push(status.code);
    })();
    const { instanceId, endpoint } = leaves;
    await leaves.close();
    await until(() => stays.peers()[0]?.up === false);
    await until(() => downs.length === 1);
    assert.deepEqual(downs, ["PEER_DRAINING"]);
    await until(() => stays.stats().transport.dialled + stays.stats().transport.accepted === 0);
    const again = await t.messenger({ ipc: false, endpoint, instanceId });
    again.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    assert.equal(text(await stays.unary("echo", { to: instanceId, rawPayload: bytes("back") })), "back");
  });
}

test("messages of an instance that closes while it floods a peer arrive", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  let seen = 0;
  server.registerHandler(amHandler("n", () => void seen++));
  const client = await t.messenger({ highWaterMark: 10 });
  const peer = await client.connect(server.endpoint);
  const sends = Array.from(
    { length: 20_000 },
    () => client.amSend("n", { to: peer, rawPayload: new Uint8Array(100) }),
  );
  await Promise.all(sends);
  await client.close();
  await until(() => seen === 20_000, { message: () => `${seen} of 20000` });
});

test("a closing instance delays no other: many go on calling each other", async () => {
  await using t = await leakCheck();
  const all = await Promise.all(Array.from({ length: 6 }, () => t.messenger({ redialForMs: 0 })));
  for (const each of all) each.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  for (const from of all) for (const to of all) if (from !== to) from.registerPeer(to.peerInfo());
  const ring = () =>
    Promise.all(
      all.slice(1).flatMap((from) =>
        all.slice(1).filter((to) => to !== from).map((to) =>
          from.unary("echo", { to: to.instanceId, rawPayload: bytes("x"), timeoutMs: 3_000 })
        )
      ),
    );
  await ring();
  await all[1]!.unary("echo", { to: all[0]!.instanceId });
  const [closed] = await Promise.all([all[0]!.close(), ring(), ring(), ring()]);
  assert.equal(closed, undefined);
  await ring();
});
