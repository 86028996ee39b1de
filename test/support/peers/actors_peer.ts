/** Program of the tests of actors in `test/process`: a node with actors that count, wait and report. */
import process from "node:process";
import { z } from "zod";
import { actor, actorContract, ActorSystem } from "../../../src/actors/mod.ts";
import { Messenger } from "../../../src/mod.ts";

/** The contract of its actors. */
export const Worker = actorContract("worker", {
  tell: { reset: z.object({ to: z.number() }) },
  ask: {
    add: { input: z.object({ n: z.number() }), output: z.number() },
    /** It is answered when its asker is gone. */
    wait: { input: z.undefined(), output: z.null() },
    /** How many asks wait, and how many askers have gone. */
    state: { input: z.undefined(), output: z.object({ waiting: z.number(), gone: z.number() }) },
    /** Asks another actor to add. */
    forward: { input: z.object({ to: z.string(), n: z.number() }), output: z.number() },
  },
  channel: { line: { fromOpener: z.string(), toOpener: z.string() } },
});

if (import.meta.main) {
  const [workers = "1", other] = process.argv.slice(2);
  const messenger = await Messenger.create({});
  if (other !== undefined) await messenger.connect(other);
  const system = await ActorSystem.create(messenger);
  let waiting = 0;
  let gone = 0;
  const worker = actor(Worker, {
    init: () => ({ count: 0 }),
    tell: { reset: (ctx, { to }) => void (ctx.state.count = to) },
    ask: {
      add: (ctx, { n }) => (ctx.state.count += n),
      wait: (ctx) => {
        const reply = ctx.defer();
        waiting++;
        reply.signal.addEventListener("abort", () => {
          gone++;
          reply.send(null);
        });
      },
      state: () => ({ waiting, gone }),
      forward: (ctx, { to, n }) => ctx.ask(ctx.ref(Worker, to), "add", { n }),
    },
    channel: {
      line: {
        open: (_ctx, channel) => void channel.accept(),
        message: (_ctx, channel, text) => channel.send(text),
      },
    },
  });
  for (let i = 0; i < Number(workers); i++) await system.spawn(worker, { name: `worker${i}` });
  console.log(`ready ${messenger.endpoint} ${messenger.instanceId}`);
}
