/** How iterations over channels end: behind all items, and with an error only if the other side was lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  actorRef,
  type OpeningChannel,
  type ServedChannel,
} from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { proxiedNode, served } from "./actors_kit.ts";
import { all } from "./channels_kit.ts";

const Line = actorContract("line", {
  ask: { sync: { input: z.undefined(), output: z.undefined() } },
  channel: { line: { fromOpener: z.string(), toOpener: z.string() } },
});

/** Accepts each channel, sends two items, and keeps it for the test. */
function lines() {
  const kept: ServedChannel<string>[] = [];
  const ends: string[] = [];
  const definition = actor(Line, {
    init: () => null,
    ask: { sync: () => undefined },
    channel: {
      line: {
        open: (_ctx, opening) => {
          const channel = opening.accept();
          void channel.send("one");
          void channel.send("two");
          kept.push(channel);
        },
        close: (_ctx, _channel, { closedBy, reason }) => void ends.push(`${closedBy}: ${reason}`),
      },
    },
  });
  return { kept, ends, definition };
}

test("an iteration whose other side is lost gives all items, then PEER_DISCONNECTED once, and is over then", async () => {
  await using t = await leakCheck();
  const { system, client, peer, lost } = await proxiedNode(t);
  await system.spawn(lines().definition, { name: "line" });
  const ref = actorRef(client, Line, `line@${peer}`);
  const channel = await ref.open("line", "hi");
  // The answer comes behind the items.
  await ref.ask("sync");
  await lost({ reset: true });
  assert.equal((await within(channel.closed, 5_000)).reason, "peerLost");
  const items = channel[Symbol.asyncIterator]();
  assert.deepEqual(await items.next(), { done: false, value: "one" });
  assert.deepEqual(await items.next(), { done: false, value: "two" });
  await assert.rejects(items.next(), {
    code: "PEER_DISCONNECTED",
    message: `Channel "line" has ended: its target line@${peer} was lost`,
    peer,
    handler: "line",
  });
  assert.deepEqual(await items.next(), { done: true, value: undefined });
});

test("an iteration that waits when its other side is lost fails, on either side", async () => {
  await using t = await leakCheck();
  const { system, client, peer, lost } = await proxiedNode(t);
  const mailbox = await system.mailbox({ name: "box", contract: Line });
  const opened = actorRef(client, Line, `box@${peer}`).open("line", "hi");
  const { value } = await mailbox[Symbol.asyncIterator]().next();
  assert.ok(value?.kind === "open");
  const sides = [value.accept(), await opened];
  const ends = sides.map((side) =>
    all(side as AsyncIterable<string>).then(() => "ended", ({ code }) => code)
  );
  await lost({ reset: false });
  assert.deepEqual(await within(Promise.all(ends), 5_000), ["PEER_DISCONNECTED", "PEER_DISCONNECTED"]);
});

test("an iteration that its other side has closed in order ends without an error, whatever the reason is called", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const { kept, definition } = lines();
  await system.spawn(definition, { name: "line" });
  const channel = await actorRef(client, Line, `line@${peer}`).open("line", "hi");
  const items = all(channel);
  await kept[0]!.close("peerLost");
  assert.deepEqual(await within(items, 5_000), ["one", "two"]);
  assert.deepEqual(await channel.closed, { closedBy: "target", reason: "peerLost" });
  await assert.rejects(channel.send("x"), {
    code: "ACTOR_CHANNEL_CLOSED",
    message: /the target has closed it/,
  });
});

test("an iteration whose other side has ended its sending before it is lost ends without an error", async () => {
  await using t = await leakCheck();
  const { system, client, peer, lost } = await proxiedNode(t);
  const { kept, definition } = lines();
  await system.spawn(definition, { name: "line" });
  const ref = actorRef(client, Line, `line@${peer}`);
  const channel = await ref.open("line", "hi");
  await kept[0]!.endSending();
  await ref.ask("sync");
  await lost({ reset: true });
  assert.equal((await within(channel.closed, 5_000)).reason, "peerLost");
  assert.deepEqual(await within(all(channel), 5_000), ["one", "two"]);
});

for (const [how, reason] of [["closes", "peerStopped"], ["is lost", "peerLost"]] as const) {
  test(`a channel that is accepted after its opener's instance ${how} ends as ${reason}`, async () => {
    await using t = await leakCheck();
    const { system, client, peer, lost } = await proxiedNode(t);
    const waiting: OpeningChannel<string>[] = [];
    const ends: string[] = [];
    const slow = actor(Line, {
      init: () => null,
      ask: { sync: () => undefined },
      channel: {
        line: {
          open: (_ctx, opening) => void waiting.push(opening),
          close: (_ctx, _channel, { closedBy, reason }) => void ends.push(`${closedBy}: ${reason}`),
        },
      },
    });
    await system.spawn(slow, { name: "line" });
    const opened = assert.rejects(actorRef(client, Line, `line@${peer}`).open("line", "hi"));
    await until(() => waiting.length === 1);
    if (how === "closes") await client.close();
    else await lost({ reset: true });
    await opened;
    await until(() => system.stats().channels.abandoned === 1);
    waiting[0]!.accept();
    await until(() => ends.length === 1);
    assert.deepEqual(ends, [`opener: ${reason}`]);
  });
}
