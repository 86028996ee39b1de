/** Program of the tests of channels in `test/process`: a node whose actors answer on channels, or a client with some. */
import process from "node:process";
import { z } from "zod";
import { actor, actorContract, actorRef, ActorSystem } from "../../../src/actors/mod.ts";
import { Messenger } from "../../../src/mod.ts";

/** The contract of its actors. */
export const Speaker = actorContract("speaker", {
  tell: { log: z.string() },
  ask: {
    /** What came, in order. */
    logged: { input: z.undefined(), output: z.array(z.string()) },
    /** Starts and stops other actors, so many times. */
    churn: { input: z.number(), output: z.number() },
  },
  channel: {
    /** Each item comes back. */
    echo: { fromOpener: z.string(), toOpener: z.string() },
    /** Items are noted. */
    log: { fromOpener: z.string(), toOpener: z.null() },
  },
});

/** The same without a contract: bytes come back. */
export const bytesEcho = actor({
  init: () => null,
  channel: {
    echo: {
      open: (_ctx, channel) => channel.accept(),
      message: (_ctx, channel, bytes) => channel.send(bytes),
    },
  },
});

const idle = actor({ init: () => null });

/** What serves {@link Speaker}. */
export const speaker = (system: ActorSystem) =>
  actor(Speaker, {
    init: () => ({ logged: [] as string[] }),
    tell: { log: (ctx, text) => void ctx.state.logged.push(text) },
    ask: {
      logged: (ctx) => ctx.state.logged,
      async churn(_ctx, count) {
        for (let i = 0; i < count; i++) {
          await system.spawn(idle, { name: `churn${i % 10}`, replace: true });
        }
        return count;
      },
    },
    channel: {
      echo: {
        open: (_ctx, channel, first) =>
          first === "no" ? channel.reject("say something else") : channel.accept(first),
        message: (_ctx, channel, text) => channel.send(text),
      },
      log: {
        open(ctx, channel, first) {
          ctx.state.logged.push(`open ${first}`);
          channel.accept();
        },
        message: (ctx, _channel, text) => void ctx.state.logged.push(text),
        close: (ctx, _channel, { closedBy, reason }) => void ctx.state.logged.push(`${closedBy}: ${reason}`),
      },
    },
  });

if (import.meta.main) {
  const [role, count = "1", endpoint = ""] = process.argv.slice(2);
  if (role === "serve") {
    const messenger = await Messenger.create({});
    const system = await ActorSystem.create(messenger);
    for (let i = 0; i < Number(count); i++) await system.spawn(speaker(system), { name: `speaker${i}` });
    await system.spawn(bytesEcho, { name: "bytes" });
    console.log(`ready ${messenger.endpoint} ${messenger.instanceId}`);
  } else {
    const client = await Messenger.create({ listen: false });
    const peer = await client.connect(endpoint);
    const channels = [];
    for (let i = 0; i < Number(count); i++) {
      channels.push(await actorRef(client, Speaker, `speaker0@${peer}`).open("log", `${i}`));
    }
    console.log("opened");
    for (const { closed } of channels) void closed.then(({ reason }) => console.log(`closed: ${reason}`));
  }
}
