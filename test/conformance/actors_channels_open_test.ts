/** Openings of channels whose handlers use other actors before they accept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, actorRef, ActorSystem } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { within } from "../support/until.ts";
import { served } from "./actors_kit.ts";

for (const where of ["one process", "another instance"] as const) {
  test(`in ${where} a handler of channels tells, asks and opens channels itself before it accepts one`, async () => {
    await using t = await leakCheck();
    const { system, client, peer } = await served(t);
    const Desk = actorContract("desk", {
      tell: { note: z.string() },
      ask: {
        number: { input: z.string(), output: z.number() },
        /** Opens a channel at a desk, and gives the item that it is accepted with. */
        visit: { input: z.object({ at: z.string(), first: z.string() }), output: z.string() },
        noted: { input: z.null(), output: z.array(z.string()) },
      },
      channel: {
        plain: { fromOpener: z.string(), toOpener: z.string() },
        /** Its first item is the address of the actor that the handler asks. */
        helped: { fromOpener: z.string(), toOpener: z.string() },
      },
    });
    const desk = actor(Desk, {
      init: () => ({ noted: [] as string[], numbers: 0 }),
      tell: { note: (ctx, text) => void ctx.state.noted.push(text) },
      ask: {
        number: (ctx) => ++ctx.state.numbers,
        visit: async (ctx, { at, first }) => {
          const channel = await ctx.open(ctx.ref(Desk, at), "helped", first);
          return channel.first!;
        },
        noted: (ctx) => ctx.state.noted,
      },
      channel: {
        plain: { open: (_ctx, channel, first) => void channel.accept(`plain ${first}`) },
        helped: {
          async open(ctx, channel, first) {
            const helper = ctx.ref(Desk, first);
            await ctx.tell(helper, "note", "told");
            if (ctx.sender !== null) await ctx.tell(ctx.ref(Desk, ctx.sender), "note", "told by the target");
            await ctx.tell(ctx.ref(Desk, ctx.self), "note", "told by itself");
            const number = await ctx.ask(helper, "number", "please");
            const own = await ctx.open(helper, "plain", "first");
            channel.accept(`${number} ${own.first}`);
          },
        },
      },
    });
    // The actors that it tells and asks are of its process, or all of the other instance.
    const helpers = t.use(await ActorSystem.create(client));
    const helper = await (where === "one process" ? system : helpers).spawn(desk, { name: "helper" });
    const own = await system.spawn(desk, { name: "desk" });
    const visitor = await (where === "one process" ? system : helpers).spawn(desk, { name: "visitor" });
    const ref = where === "one process" ? own : actorRef(client, Desk, `desk@${peer}`);
    const opened = await within(
      Promise.all(Array.from({ length: 20 }, () => ref.open("helped", helper.address))),
      5_000,
      "channels whose opening takes messages to another actor",
    );
    assert.deepEqual(opened.map(({ first }) => first), opened.map((_, n) => `${n + 1} plain first`));
    const visit = { at: own.address, first: helper.address };
    assert.equal(await within(visitor.ask("visit", visit), 5_000), "21 plain first");
    // Two that open channels at each other at once: each handler waits for the other's actor in its own turn only.
    const crossing = [
      own.open("helped", helper.address),
      helper.open("helped", visitor.address),
      visitor.open("helped", own.address),
    ];
    const codes = await within(
      Promise.all(crossing.map((one) => one.then(() => "open", (error) => error.message))),
      5_000,
      "handlers of openings that ask each other in a ring",
    );
    for (const one of codes) assert.match(one, /^open$|would wait for each other/);
    assert.ok(codes.includes("open"));
    assert.equal((await helper.ask("noted", null)).filter((one) => one === "told").length, 22);
    assert.ok((await visitor.ask("noted", null)).includes("told by the target"));
    assert.ok((await own.ask("noted", null)).includes("told by itself"));
  });
}
