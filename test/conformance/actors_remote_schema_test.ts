/** Messages to actors of other instances whose schemas need time, or never end, and the order of those that come late. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, actorRef } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { within } from "../support/until.ts";
import { Counter, counter, served } from "./actors_kit.ts";

const never = z.number().refine(() => new Promise<boolean>(() => {}));
/** {@link Counter}, as a sender may have it whose schemas never end. */
const Stuck = actorContract("counter", {
  tell: { reset: z.object({ to: never }) },
  ask: { add: { input: z.object({ n: never }), output: z.number() } },
});

test("a message whose schema never ends fails within its time or at its signal, and later ones are sent", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  await system.spawn(counter, { name: "counter" });
  const stuck = actorRef(client, Stuck, `counter@${peer}`);
  const ref = actorRef(client, Counter, `counter@${peer}`);
  const gone = new AbortController();
  const cancelled = stuck.ask("add", { n: 1 }, { signal: gone.signal });
  const late = stuck.tell("reset", { to: 1 }, { timeoutMs: 30 });
  await assert.rejects(within(late, 5_000), { code: "TIMEOUT", ran: "no" });
  const behind = ref.ask("add", { n: 2 });
  gone.abort(new Error("enough"));
  await assert.rejects(within(cancelled, 5_000), { message: "enough" });
  assert.equal(await within(behind, 5_000), 2);
});

test("a message that comes while an actor works through its mailbox overtakes nothing", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const gate = Promise.withResolvers<void>();
  const Log = actorContract("log", {
    tell: { put: z.number() },
    ask: { all: { input: z.undefined(), output: z.array(z.number()) } },
  });
  const log = actor(Log, {
    init: () => [] as number[],
    tell: {
      put: (ctx, n) => {
        if (n === 0) return gate.promise.then(() => void ctx.state.push(n));
        // Longer than a time slice, so that the event loop has a turn after each message.
        for (const until = performance.now() + 2; performance.now() < until;);
        ctx.state.push(n);
        return undefined;
      },
    },
    ask: { all: (ctx) => ctx.state },
  });
  await system.spawn(log, { name: "log" });
  const ref = actorRef(client, Log, `log@${peer}`);
  await Promise.all(Array.from({ length: 20 }, (_, n) => ref.tell("put", n)));
  gate.resolve();
  await ref.tell("put", 20);
  assert.deepEqual(await ref.ask("all"), Array.from({ length: 21 }, (_, n) => n));
});
