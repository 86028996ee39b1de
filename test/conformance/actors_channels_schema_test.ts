/** Channels whose schemas need time: what is refused or given up meanwhile leaves nothing behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorRef,
  actorRef,
  ActorSystem,
  type ServedChannel,
} from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { unhandledIn } from "../support/unhandled.ts";
import { until, within } from "../support/until.ts";
import { served } from "./actors_kit.ts";

/** A number that is valid, or not, once `settle` was called. */
function slowNumber(): { schema: z.ZodNumber; settle: (valid: boolean) => void } {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  return { schema: z.number().refine(() => promise), settle: resolve };
}

test("a first item that turns out invalid after its channel was refused is nobody's unhandled rejection", async () => {
  await using system = ActorSystem.local();
  const { schema, settle } = slowNumber();
  const Own = actorContract("own", {
    ask: { open: { input: z.null(), output: z.string() } },
    channel: { line: { fromOpener: schema, toOpener: z.number() } },
  });
  const ref: ActorRef<typeof Own> = await system.spawn(actor(Own, {
    init: () => null,
    ask: {
      open: (ctx) =>
        ctx.open(ctx.ref(Own, ctx.self.address), "line", 1).then(() => "", (error) => String(error.code)),
    },
    channel: { line: { open: (_ctx, channel) => void channel.accept(), message: () => {} } },
  }));
  const unhandled = await unhandledIn(async () => {
    assert.equal(await ref.ask("open", null), "ACTOR_CHANNEL_REJECTED");
    settle(false);
  });
  assert.deepEqual(unhandled, []);
});

test("an item that turns out invalid after it was refused for want of room is nobody's unhandled rejection", async () => {
  await using system = ActorSystem.local();
  const { schema, settle } = slowNumber();
  const Line = actorContract("line", {
    channel: { line: { fromOpener: z.union([z.null(), schema]), toOpener: z.number() } },
  });
  const ref = await system.spawn(actor(Line, {
    init: () => null,
    channel: { line: { open: (_ctx, channel) => void channel.accept(), message: () => {} } },
  }));
  const line = await ref.open("line", null);
  const sends: Promise<unknown>[] = [];
  const unhandled = await unhandledIn(async () => {
    for (let i = 0; i < 1_024; i++) sends.push(line.send(i).catch(() => {}));
    await assert.rejects(line.send(-1), { code: "QUEUE_FULL" });
    settle(false);
    await within(Promise.all(sends), 5_000);
  });
  assert.deepEqual(unhandled, []);
});

test("items to another instance that wait for their validator are bounded in bytes, and leave as they were given", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const item = z.object({ text: z.string() });
  const kind = (schema: typeof item) =>
    actorContract("line", {
      channel: { line: { fromOpener: z.union([z.null(), schema]), toOpener: z.number() } },
    });
  const lengths: number[] = [];
  await system.spawn(
    actor(kind(item), {
      init: () => null,
      channel: {
        line: {
          open: (_ctx, channel) => void channel.accept(),
          message: (_ctx, _channel, one) => void lengths.push(one?.text.length ?? 0),
        },
      },
    }),
    { name: "line" },
  );
  await using line = await actorRef(client, kind(item.refine(() => promise)), `line@${peer}`).open(
    "line",
    null,
  );
  const given = { text: "x".repeat(300_000) };
  const sends = [line.send(given), line.send(given), line.send(given)];
  await assert.rejects(within(line.send(given), 5_000), { code: "QUEUE_FULL" });
  given.text = "";
  await assert.rejects(within(line.send({ text: 1n as never }), 5_000), { code: "PAYLOAD_INVALID" });
  resolve(true);
  await within(Promise.all(sends), 5_000);
  await until(() => lengths.length === 3);
  assert.deepEqual(lengths, [300_000, 300_000, 300_000]);
});

test("an opener that gives up while the first item of accept is checked leaves no open channel", async () => {
  await using system = ActorSystem.local();
  const { schema, settle } = slowNumber();
  const Line = actorContract("line", { channel: { line: { fromOpener: z.null(), toOpener: schema } } });
  let accepted: ServedChannel<number> | undefined;
  const ref = await system.spawn(actor(Line, {
    init: () => null,
    channel: {
      line: {
        open: (_ctx, channel) => void (accepted = channel.accept(1)),
        message: () => {},
      },
    },
  }));
  const gone = new AbortController();
  const opening = ref.open("line", null, { signal: gone.signal });
  const channel = await until(() => accepted);
  gone.abort(new Error("enough"));
  await assert.rejects(opening, { message: "enough" });
  assert.deepEqual(await within(channel.closed, 5_000), { closedBy: "opener", reason: "cancelled" });
  settle(true);
  await until(() => system.channels(ref).length === 0);
  const { open, opening: waiting, abandoned } = system.stats().channels;
  assert.deepEqual({ open, waiting, abandoned }, { open: 0, waiting: 0, abandoned: 1 });
});

test("the context of an ended actor opens no channel, which nobody would ever close", async () => {
  await using system = ActorSystem.local();
  const Line = actorContract("line", { channel: { line: { fromOpener: z.null(), toOpener: z.null() } } });
  const ref = await system.spawn(actor(Line, {
    init: () => null,
    channel: { line: { open: (_ctx, channel) => void channel.accept(), message: () => {} } },
  }));
  let open: (() => Promise<unknown>) | undefined;
  const ended = await system.spawn(actor({
    init: (_args: undefined, own) => {
      open = () => own.open(own.ref(Line, ref.address), "line", null);
      return null;
    },
  }));
  await system.terminate(ended);
  await assert.rejects(open!(), { code: "ACTOR_STOPPED" });
  assert.equal(system.stats().channels.open, 0);
});
