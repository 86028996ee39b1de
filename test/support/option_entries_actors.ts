/** What takes options of actors. */
import { actor, actorContract, type ActorSelf, ActorSystem } from "../../src/actors/mod.ts";
import { type OptionEntry, type OptionScene, watched } from "./option_scene.ts";

const mailbox = ["capacity", "overflow", "maxWaiting"];
const system = {
  options: [
    ...[
      "maxActors",
      "mailbox",
      "tellTimeoutMs",
      "askTimeoutMs",
      "stopMs",
      "maxDeferred",
      "maxTimers",
      "maxChildren",
      "maxWatches",
      "maxChannels",
      "maxPeerChannels",
      "maxPendingOpens",
      "logger",
      "meter",
      "clock",
    ],
  ],
  nested: { mailbox },
  durations: ["tellTimeoutMs", "askTimeoutMs", "stopMs"],
};

const supervision = ["onFailure", "strategy", "maxRestarts", "withinMs", "backoff"];

const echo = actor({ init: () => null, tell: { note: () => {} }, ask: { echo: (_ctx, bytes) => bytes } });
const bytes = new Uint8Array(1);

/** Accepts channels with options, and says what that throws. */
function accepting(options: never): { readonly definition: typeof echo; readonly failure: () => unknown } {
  let failure: unknown;
  const definition = actor({
    init: () => null,
    channel: {
      line: {
        open(_ctx, channel) {
          try {
            channel.accept(undefined, options);
          } catch (error) {
            failure = error;
            throw error;
          }
        },
      },
    },
  });
  return { definition, failure: () => failure };
}

/** Runs with a system and an actor in it. */
const within =
  <Options>(run: (local: ActorSystem, options: Options) => unknown) =>
  async (_scene: OptionScene, options: Options) => {
    await using local = ActorSystem.local();
    await run(local, options);
  };

const send = { options: ["headers", "timeoutMs", "signal"] };

export const actorEntries: readonly OptionEntry[] = [
  {
    name: "actorContract",
    options: ["tell", "ask", "channel", "encoding"],
    call: (_scene, options) => void actorContract("counter", options),
  },
  {
    name: "ActorSystem.create",
    ...system,
    call: async ({ third }, options) => await (await ActorSystem.create(third, options)).close(),
  },
  {
    name: "ActorSystem.local",
    ...system,
    call: async (_scene, options) => await ActorSystem.local(options).close(),
  },
  {
    name: "ActorSystem.spawn",
    options: ["name", "id", "args", "replace", "mailbox", "supervision", "timeoutMs", "signal"],
    nested: { mailbox, supervision },
    timeouts: ["timeoutMs"],
    call: within((local, options: never) => local.spawn(echo, options)),
  },
  {
    name: "ActorSystem.mailbox",
    options: [...mailbox, "name", "contract", "signal"],
    call: within((local, options: never) => local.mailbox(options)),
  },
  {
    name: "ActorSystem.pool",
    options: [
      ...["name", "id", "args", "replace", "mailbox", "supervision", "timeoutMs", "signal"],
      ...["size", "route", "backoff"],
    ],
    nested: { mailbox, supervision, backoff: ["firstMs", "maxMs"] },
    timeouts: ["timeoutMs"],
    call: within((local, options: never) => local.pool(echo, options)),
    needs: () => ({ size: 1 }),
  },
  {
    name: "ActorPool#broadcast",
    ...send,
    timeouts: ["timeoutMs"],
    call: within(async (local, options: never) => {
      await (await local.pool(echo, { size: 1 })).broadcast("note", bytes, options);
    }),
  },
  {
    name: "ActorSystem.stop",
    options: ["timeoutMs"],
    durations: ["timeoutMs"],
    call: within(async (local, options: never) => local.stop(await local.spawn(echo), options)),
  },
  {
    name: "ActorSelf#stopChild",
    options: ["timeoutMs"],
    durations: ["timeoutMs"],
    call: within(async (local, options: never) => {
      let self: ActorSelf | null = null;
      await local.spawn(actor({ init: (_args: unknown, context: ActorSelf) => void (self = context) }));
      await self!.stopChild(await self!.spawn(echo), options);
    }),
  },
  {
    name: "ActorSystem.close",
    options: ["timeoutMs"],
    durations: ["timeoutMs"],
    call: within((local, options: never) => local.close(options)),
  },
  {
    name: "ActorSystem.registrations",
    options: ["maxBuffered", "signal"],
    call: within((local, options: never) => watched(local.registrations(options))),
  },
  {
    name: "ActorSystem.deadLetters",
    options: ["maxBuffered", "signal"],
    call: within((local, options: never) => watched(local.deadLetters(options))),
  },
  {
    name: "ActorSystem.events",
    options: ["maxBuffered", "signal"],
    call: within((local, options: never) => watched(local.events(options))),
  },
  {
    name: "ActorSystem.update",
    options: ["maxFiles", "maxBytes", "timeoutMs", "migrateTimeoutMs", "probation", "signal"],
    nested: { probation: ["failures", "withinMs"] },
    timeouts: ["timeoutMs", "migrateTimeoutMs"],
    call: within(async (local, options: never) =>
      void await local.update(await local.spawn(echo), echo, options)
    ),
  },
  {
    name: "ActorRef#tell",
    ...send,
    timeouts: ["timeoutMs"],
    call: within(async (local, options: never) => (await local.spawn(echo)).tell("note", bytes, options)),
  },
  {
    name: "ActorRef#ask",
    ...send,
    timeouts: ["timeoutMs"],
    call: within(async (local, options: never) => (await local.spawn(echo)).ask("echo", bytes, options)),
  },
  {
    name: "ActorRef#open",
    options: ["headers", "timeoutMs", "signal", "idleTimeoutMs", "message", "end", "close"],
    timeouts: ["timeoutMs"],
    durations: ["idleTimeoutMs"],
    call: within(async (local, options: never) => {
      await (await local.spawn(accepting({} as never).definition)).open("line", bytes, options);
    }),
  },
  {
    name: "MailboxOpen#accept",
    options: ["idleTimeoutMs"],
    durations: ["idleTimeoutMs"],
    call: within(async (local, options: never) => {
      const box = await local.mailbox();
      const opening = box.ref.open("line", bytes).catch(() => {});
      for await (const message of box) {
        if (message.kind === "open") message.accept(undefined, options);
        break;
      }
      await opening;
    }),
  },
  {
    name: "OpeningChannel#accept",
    options: ["idleTimeoutMs"],
    durations: ["idleTimeoutMs"],
    call: within(async (local, options: never) => {
      const { definition, failure } = accepting(options);
      try {
        await (await local.spawn(definition)).open("line", bytes);
      } catch (error) {
        throw failure() ?? error;
      }
    }),
  },
];
