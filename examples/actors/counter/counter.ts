/** The contract is shared with callers, the definition is what the server runs. */
import { actor, actorContract } from "zeromesh/actors";
import { z } from "zod";

/** A counter that is reset and added to, and that measures texts on a channel. */
export const Counter = actorContract("counter", {
  tell: { reset: z.object({ to: z.number() }) },
  ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
  channel: { feed: { fromOpener: z.string(), toOpener: z.number() } },
});

export default actor(Counter, {
  version: 2,
  init: () => ({ count: 0 }),
  migrate: (old: { total: number }, _fromVersion) => ({ count: old.total }),
  tell: {
    reset: (ctx, { to }) => {
      ctx.state.count = to;
    },
  },
  ask: { add: (ctx, { n }) => (ctx.state.count += n) },
  channel: {
    feed: {
      open: (ctx, channel, first) =>
        first === "hi" ? channel.accept(ctx.state.count) : channel.reject("say hi"),
      message: (_ctx, channel, text) => channel.send(text.length),
    },
  },
});
