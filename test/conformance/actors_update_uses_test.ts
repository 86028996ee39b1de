/** What an actor does after its update: it uses other actors as before, by its new code and by what the old one left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, type ActorContext, actorContract, actorRef, ActorSystem } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { Counter, counter, served } from "./actors_kit.ts";
import { Feed, feedDefinition } from "./channels_kit.ts";

const User = actorContract("user", {
  tell: { item: z.string(), ended: z.string() },
  ask: {
    /** Tells and asks a counter, opens a channel to a feed, starts a child and watches it. */
    use: { input: z.object({ counter: z.string(), feed: z.string() }), output: z.string() },
    /** Lets the code from before the update do that, by its context. */
    useOld: { input: z.object({ counter: z.string(), feed: z.string() }), output: z.string() },
    noted: { input: z.null(), output: z.array(z.string()) },
    leave: { input: z.null(), output: z.null() },
  },
});
type Uses = (to: { counter: string; feed: string }) => Promise<string>;

for (const where of ["one process", "another instance"] as const) {
  test(`an updated actor tells, asks, opens channels, starts and watches actors of ${where}, and stops itself`, async () => {
    await using t = await leakCheck();
    const { system: there, client, peer } = await served(t);
    const system = where === "one process" ? there : t.use(await ActorSystem.create(client));
    let old: Uses | null = null;
    const user = (version: number) => {
      const uses = (ctx: ActorContext<string[]>): Uses => async (to) => {
        const other = ctx.ref(Counter, to.counter);
        await ctx.tell(other, "reset", { to: 10 * version });
        const sum = await ctx.ask(other, "add", { n: 1 });
        const own = ctx.ref(User, ctx.self);
        const message = (item: unknown): Promise<void> => own.tell("item", `${version} got ${item}`);
        const channel = await ctx.open(ctx.ref(Feed, to.feed), "feed", "hi", { message });
        await channel.send("four");
        const child = await ctx.spawn(counter);
        ctx.watch(child, ({ reason }) => own.tell("ended", `${version} saw ${reason}`));
        await ctx.stopChild(child);
        return `${sum} ${channel.first}`;
      };
      return actor(User, {
        version,
        init: () => [] as string[],
        tell: {
          item: (ctx, text) => void ctx.state.push(`${version}: ${text}`),
          ended: (ctx, text) => void ctx.state.push(`${version}: ${text}`),
        },
        ask: {
          use: (ctx, to) => {
            old ??= uses(ctx);
            return uses(ctx)(to);
          },
          useOld: (_ctx, to) => old!(to),
          noted: (ctx) => ctx.state,
          leave: (ctx) => {
            ctx.stop(`by version ${version}`);
            return null;
          },
        },
      });
    };
    await there.spawn(counter, { name: "counter" });
    const feed = await there.spawn(feedDefinition, { name: "feed" });
    const to = { counter: `counter@${peer}`, feed: `feed@${peer}` };
    const ref = await system.spawn(user(1), { name: "user" });
    const outside = actorRef(client, User, ref.address);
    assert.equal(await within(outside.ask("use", to), 5_000), "11 welcome");
    const took = (
      version: number,
      by: number,
    ) => [`${version}: ${by} got right after`, `${version}: ${by} got 4`];
    const noted = async (count: number) => {
      await until(async () => (await ref.ask("noted", null)).length === count);
      return (await ref.ask("noted", null)).toSorted();
    };
    const first = [...took(1, 1), "1: 1 saw stopped"];
    assert.deepEqual(await noted(3), first.toSorted());
    await system.update("user", user(2));
    assert.equal(await within(outside.ask("use", to), 5_000), "21 welcome");
    const second = [...first, ...took(2, 2), "2: 2 saw stopped"];
    assert.deepEqual(await noted(6), second.toSorted());
    assert.equal(await within(outside.ask("useOld", to), 5_000), "11 welcome");
    assert.deepEqual(await noted(9), [...second, ...took(2, 1), "2: 1 saw stopped"].toSorted());
    assert.equal(there.channels(feed).length, 3);
    const ended = Promise.withResolvers<unknown>();
    system.watch(ref, ({ reason, result }) => ended.resolve([reason, result]));
    await outside.ask("leave", null);
    assert.deepEqual(await within(ended.promise, 5_000), ["finished", "by version 2"]);
    assert.equal(system.lookup("user"), null);
    await until(() => there.channels(feed).length === 0, { message: "the channels end with their opener" });
  });
}
