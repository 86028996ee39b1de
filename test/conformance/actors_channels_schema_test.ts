/** Channels whose schemas need time: what is refused or given up meanwhile leaves nothing behind. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorRef,
  ActorSystem,
  type ServedChannel,
} from "../../src/actors/mod.ts";
import { pause, until, within } from "../support/until.ts";

/** A number that is valid, or not, once `settle` was called. */
function slowNumber(): { schema: z.ZodNumber; settle: (valid: boolean) => void } {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  return { schema: z.number().refine(() => promise), settle: resolve };
}

/** Rejections that nobody handled while a function ran. */
async function unhandledIn(run: () => Promise<void>): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", note);
  try {
    await run();
    // Unhandled rejections are told in a later turn of the event loop.
    for (let turn = 0; turn < 5; turn++) await pause(1);
  } finally {
    process.off("unhandledRejection", note);
  }
  return unhandled;
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
