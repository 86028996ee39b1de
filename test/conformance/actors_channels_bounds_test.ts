/** What bounds channels and updates, and channels whose opener or definition changes while something is still to come. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  ActorSystem,
  type OpeningChannel,
  type ServedChannel,
} from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { twoNodes } from "./actors_kit.ts";

const line = { fromOpener: z.string(), toOpener: z.string() };

test("a channel that waits for accept is opened as its contract was, although a rollback took its kind away", async () => {
  await using system = ActorSystem.local();
  let waiting: OpeningChannel<string> | undefined;
  const without = actor(actorContract("line", {}), { init: () => null });
  const With = actorContract("line", { channel: { line } });
  const ref = await system.spawn(without);
  await system.update(
    ref,
    actor(With, {
      version: 2,
      init: () => null,
      channel: { line: { open: (_ctx, channel) => void (waiting = channel), message: () => {} } },
    }),
  );
  const opening = system.ref(With, ref.address).open("line", "hi");
  const channel = await until(() => waiting);
  await system.rollback(ref);
  channel.accept("welcome");
  const opened = await within(opening, 5_000);
  assert.equal(opened.first, "welcome");
  await opened.close();
});

test("an opener that gives up while it checks the first item of accept has no side, and the target hears of it", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  let accepted: ServedChannel<string> | undefined;
  const Line = actorContract("line", { channel: { line } });
  await two.system.spawn(
    actor(Line, {
      init: () => null,
      channel: {
        line: { open: (_ctx, channel) => void (accepted = channel.accept("hi")), message: () => {} },
      },
    }),
    { name: "line" },
  );
  const { promise: checked, resolve: check } = Promise.withResolvers<boolean>();
  let checking = false;
  const slow = z.string().refine(() => {
    checking = true;
    return checked;
  });
  const Slow = actorContract("line", { channel: { line: { ...line, toOpener: slow } } });
  const gone = new AbortController();
  const opener = await one.system.spawn(actor({
    init: () => null,
    ask: {
      open: async (ctx, address) => {
        const { signal } = gone;
        const ref = ctx.ref(Slow, new TextDecoder().decode(address));
        await ctx.open(ref, "line", "hi", { signal, message: () => {} }).catch(() => {});
        return new Uint8Array(0);
      },
    },
  }));
  const opening = opener.ask("open", new TextEncoder().encode(`line@${two.messenger.instanceId}`));
  const channel = await until(() => accepted);
  await until(() => checking);
  gone.abort(new Error("enough"));
  await within(opening, 5_000);
  assert.deepEqual(await within(channel.closed, 5_000), { closedBy: "opener", reason: "cancelled" });
  check(true);
  await until(() => two.system.stats().channels.open === 0);
  // What the check leads to comes in a later microtask.
  await pause(1);
  assert.deepEqual(one.system.channels(opener), []);
  assert.equal(one.system.stats().channels.open, 0);
});

test("channelWindowItems bounds the items that wait on a side in one process, and maxUnsent those that wait for room", async () => {
  await using system = ActorSystem.local({ channelWindowItems: 2, maxUnsent: 1 });
  const Line = actorContract("line", { channel: { line } });
  const ref = await system.spawn(actor(Line, {
    init: () => null,
    channel: { line: { open: (_ctx, channel) => void channel.accept(), message: () => {} } },
  }));
  const channel = await ref.open("line", "hi");
  system.pause(ref);
  await channel.send("1");
  await channel.send("2");
  const third = channel.send("3");
  await assert.rejects(channel.send("4"), { code: "QUEUE_FULL" });
  assert.deepEqual([system.channels(ref)[0]?.queued, system.stats().channels.itemsRefused], [2, 1]);
  system.resume(ref);
  await within(third, 5_000);
});

test("updates of one actor wait for each other up to maxUpdates, and the refused ones are counted", async () => {
  await using system = ActorSystem.local({ maxUpdates: 2 });
  const release = Promise.withResolvers<void>();
  const version = (number: number) =>
    actor({ version: number, init: () => null, migrate: () => release.promise.then(() => null) });
  const ref = await system.spawn(version(1));
  const updates = [2, 3, 4].map((number) => system.update(ref, version(number)));
  await assert.rejects(system.update(ref, version(5)), { code: "LIMIT_REACHED", message: /2 updates wait/ });
  await assert.rejects(system.rollback(ref), { code: "LIMIT_REACHED" });
  assert.equal(system.stats().updatesRefused, 2);
  release.resolve();
  assert.deepEqual((await within(Promise.all(updates), 5_000)).map(({ toVersion }) => toVersion), [2, 3, 4]);
  assert.equal(system.lookup(ref)?.version, 4);
});
