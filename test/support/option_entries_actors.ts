/** What takes options of actors. */
import {
  actor,
  actorContract,
  type ActorSelf,
  ActorSystem,
  ManagementClient,
  serveManagement,
} from "../../src/actors/mod.ts";
import { type OptionEntry, type OptionScene, watched } from "./option_scene.ts";

const mailbox = ["capacity", "overflow", "maxWaiting"];
const system = {
  options: [
    "maxActors",
    "mailbox",
    "tellTimeoutMs",
    "askTimeoutMs",
    "stopMs",
    "maxAskChain",
    "maxDeferred",
    "maxTimers",
    "maxChildren",
    "maxWatches",
    "maxChannels",
    "maxPeerChannels",
    "maxPendingOpens",
    "channelWindowItems",
    "maxUnsent",
    "maxUnsentBytes",
    "channelCloseMs",
    "maxUpdates",
    "logger",
    "meter",
    "clock",
  ],
  nested: { mailbox },
  durations: ["tellTimeoutMs", "askTimeoutMs", "stopMs", "channelCloseMs"],
};

const supervision = ["onFailure", "strategy", "maxRestarts", "withinMs", "backoff"];

const echo = actor({
  init: () => null,
  tell: { note: () => {} },
  ask: { echo: (_ctx, bytes) => bytes },
  channel: { line: { open: (_ctx, channel) => void channel.accept() } },
});
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

/** Runs with a client of a management server, which has an actor "one". */
const managing =
  <Options>(run: (client: ManagementClient, options: Options) => unknown) =>
  async ({ third }: OptionScene, options: Options) => {
    await using system = await ActorSystem.create(third);
    await using _server = serveManagement(system, { catalogue: { echo } });
    await system.spawn(echo, { name: "one" });
    await run(new ManagementClient(third, third.instanceId), options);
  };

const waits = { options: ["timeoutMs", "signal"], timeouts: ["timeoutMs"] };

/** A command with the options of a wait. */
const command = (
  name: string,
  run: (client: ManagementClient, options: never) => unknown,
  more: readonly string[] = [],
): OptionEntry => ({
  name: `ManagementClient.${name}`,
  ...waits,
  options: [...waits.options, ...more],
  call: managing(run),
});

const managementEntries: readonly OptionEntry[] = [
  ...["serveManagement", "new ManagementServer"].map((name) => ({
    name,
    options: ["catalogue", "administrators", "folders", "maxSubscriptions"],
    call: within((local, options: never) => serveManagement(local, options)),
  })),
  command("list", (client, options) => client.list(options)),
  command("tree", (client, options) => client.tree(options)),
  command("metrics", (client, options) => client.metrics(undefined, options)),
  command("status", (client, options) => client.status("one", options)),
  command("describe", (client, options) => client.describe("one", options)),
  command("state", (client, options) => client.state("one", options)),
  command("channels", (client, options) => client.channels("one", options)),
  command("channel", async (client, options) => {
    await client.channel(crypto.randomUUID(), options).catch((error) => {
      if (error.code !== "ACTOR_CHANNEL_CLOSED") throw error;
    });
  }),
  command("stop", (client, options) => client.stop("one", options)),
  command("terminate", (client, options) => client.terminate("one", options)),
  command("restart", (client, options) => client.restart("one", options)),
  command("pause", (client, options) => client.pause("one", options)),
  command("resume", async (client, options) => {
    await client.pause("one");
    await client.resume("one", options);
  }),
  command("rollback", async (client, options) => {
    await client.update("one", "echo");
    await client.rollback("one", options);
  }),
  command("start", (client, options) => client.start("echo", options), ["name", "args", "replace", "parent"]),
  command(
    "startWithEvents",
    async (client, options) => (await client.startWithEvents("echo", options)).events.return!(),
    ["name", "args", "replace", "parent"],
  ),
  command("tell", (client, options) => client.tell("one", "note", bytes, options)),
  command("ask", (client, options) => client.ask("one", "echo", bytes, options)),
  {
    ...command("update", (client, options) => client.update("one", "echo", options), [
      "migrateTimeoutMs",
      "probation",
      "canary",
    ]),
    nested: { probation: ["failures", "withinMs"] },
    timeouts: ["timeoutMs", "migrateTimeoutMs"],
  },
  command("events", async (client, options) => (await client.events("one", options)).return!(), [
    "policy",
    "maxBuffered",
  ]),
  {
    name: "ManagementClient.open",
    options: ["headers", "timeoutMs", "signal", "idleTimeoutMs"],
    timeouts: ["timeoutMs"],
    durations: ["idleTimeoutMs"],
    call: managing(async (client, options: never) => {
      await (await client.open("one", "line", bytes, options)).close();
    }),
  },
];

const send = { options: ["headers", "timeoutMs", "signal"] };

export const actorEntries: readonly OptionEntry[] = [
  ...managementEntries,
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
    options: ["maxFiles", "maxBytes", "timeoutMs", "migrateTimeoutMs", "probation", "canary", "signal"],
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
