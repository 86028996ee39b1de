/** The types of definitions, and what they refuse at run time. The type check is the test of the comments. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract } from "../../src/actors/mod.ts";

const Own = actorContract("own", { ask: { get: { input: z.undefined(), output: z.string() } } });

test("the type of the state is that of what init returns, also when init uses its context", () => {
  const one = actor(Own, {
    init: (_args: unknown, ctx) => ({ id: String(ctx.id) }),
    ask: { get: (ctx) => ctx.state.id },
  });
  const two = actor(Own, {
    init: async (args: { n: number }, ctx) => ({ id: await Promise.resolve(String(ctx.id)), n: args.n }),
    ask: { get: (ctx) => ctx.state.id },
  });
  const plain = actor({ init: () => 5, tell: { size: (ctx, bytes) => void (ctx.state = bytes.length) } });
  assert.deepEqual([one.contract, two.contract, plain.version], [Own, Own, 1]);
});

test("a definition without a handler of its contract is refused", () => {
  // @ts-expect-error: the handlers are missing
  assert.throws(() => actor(Own, { init: () => null }), /ask\.get must be a function/);
  // @ts-expect-error: the handler is missing
  assert.throws(() => actor(Own, { init: () => null, ask: {} }), TypeError);
  // @ts-expect-error: there is no such ask
  assert.throws(() => actor(Own, { init: () => null, ask: { get: () => "", set: () => "" } }), /"set"/);
  // @ts-expect-error: it answers with a string
  actor(Own, { init: () => null, ask: { get: () => 5 } });
});
