/** All that can be stuck in a system of actors, at once: it holds up nobody else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, actorRef, ManagementClient, serveManagement } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { Counter, counter, served } from "./actors_kit.ts";

const Stuck = actorContract("stuck", {
  tell: { never: z.number(), fails: z.null() },
  ask: { never: { input: z.null(), output: z.null() } },
  channel: {
    door: { fromOpener: z.string(), toOpener: z.string() },
    flood: { fromOpener: z.string(), toOpener: z.string() },
  },
});

const opens = 1_000;
const each = 250;

test("a handler that never ends, a full mailbox, pending opens, a client that never reads and a stuck subscriber hold up nobody else", async () => {
  await using t = await leakCheck();
  const { system, messenger, client, peer } = await served(t);
  let flooded = 0;
  const stuck = actor(Stuck, {
    init: () => null,
    tell: {
      never: () => new Promise<void>(() => {}),
      fails: () => {
        throw new Error("a failure is an event");
      },
    },
    ask: { never: () => new Promise<null>(() => {}) },
    channel: {
      door: { open: () => {}, message: () => {} },
      flood: {
        async open(_ctx, channel) {
          const accepted = channel.accept();
          for (; flooded < 100_000; flooded++) await accepted.send("x".repeat(1_000));
        },
        message: () => {},
      },
    },
  });
  for (const name of ["endless", "door", "flood", "noisy"]) await system.spawn(stuck, { name });
  await system.spawn(stuck, { name: "full", mailbox: { capacity: 4, overflow: "fail" } });
  const others = ["a", "b", "c", "d"];
  for (const name of others) await system.spawn(counter, { name });
  t.use(serveManagement(system));

  const ended: Promise<unknown>[] = [];
  const ends = (promise: Promise<unknown>): void => void ended.push(promise.catch(() => {}));
  const to = (name: string, from = client) => actorRef(from, Stuck, `${name}@${peer}`);
  ends(to("endless").ask("never", null, { timeoutMs: 60_000 }));
  for (let n = 0; n < 5; n++) await to("full").tell("never", n);
  await assert.rejects(to("full").tell("never", 5), { code: "ACTOR_MAILBOX_FULL" });
  for (let n = 0; n < opens; n++) ends(to("door").open("door", "hello", { timeoutMs: 60_000 }));
  const idle = await t.messenger({ listen: false });
  await idle.connect(messenger.endpoint);
  const unread = await to("flood", idle).open("flood", "go");
  const subscriber = new ManagementClient(idle, peer);
  const events = await subscriber.events("noisy", { policy: "block", maxBuffered: 1 });
  const noise = (async () => {
    for (let n = 0; n < 20_000; n++) await to("noisy", client).tell("fails", null);
  })();
  ends(noise);

  const actors = new ManagementClient(client, peer);
  await until(() => system.lookup("endless")!.busy && system.channels("door").length === opens);
  let before = -1;
  // Its window is full when it sends no more.
  await until(() => flooded > 0 && flooded === before || (before = flooded, false), { intervalMs: 50 });
  const stands = async (): Promise<boolean> => {
    const { queued, handled } = await actors.status("noisy");
    await pause(50);
    const later = await actors.status("noisy");
    return queued > 0 && handled === later.handled;
  };
  await until(stands, { timeoutMs: 10_000, message: "the subscriber to hold up its actor" });

  const use = async (name: string): Promise<number[]> => {
    const ref = actorRef(client, Counter, `${name}@${peer}`);
    const sums: number[] = [];
    for (let n = 0; n < each; n++) {
      sums.push(await ref.ask("add", { n: 1 }));
      if (n % 25 === 0) {
        assert.equal((await actors.list()).length, others.length + 5);
        assert.equal((await actors.status("full")).name, "full");
      }
    }
    return sums;
  };
  const wanted = Array.from({ length: each }, (_, n) => n + 1);
  const sums = await within(Promise.all(others.map(use)), 10_000, "the asks of the others");
  assert.deepEqual(sums, others.map(() => wanted));
  assert.ok(system.lookup("endless")!.busy && flooded < 100_000, "they are not stuck any more");
  assert.equal(system.channels("door").length, opens);
  assert.ok(await stands(), "the subscriber does not hold up its actor any more");

  await events.return!();
  await unread.close("enough");
  for (const name of ["endless", "full", "door", "flood", "noisy"]) system.terminate(name);
  await within(Promise.all(ended), 10_000, "the ends of what was stuck");
});
