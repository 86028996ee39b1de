/** What takes options of the broker and of channels. */
import { z } from "zod";
import {
  Broker,
  BrokerClient,
  channelContract,
  type ChannelHandle,
  ChannelRegistry,
  channelRules,
} from "../../src/broker/mod.ts";
import { type OptionEntry, type OptionScene, wait, waits } from "./option_scene.ts";

const talk = channelContract("option/talk", { pattern: "bidirectional", message: z.number() });
const limits = [
  "maxChannels",
  "maxConsumers",
  "maxPresences",
  "maxSchemas",
  "maxSchemaCharacters",
  "maxMetadataCharacters",
  "maxMetrics",
  "closeGraceMs",
];
const sending = ["maxUnsent", "maxUnsentBytes", "overflow", "window"];
const nested = { window: ["items", "bytes"] };
const facts = ["metadata", "sharedMemory"];
const subscription = ["maxBuffered", "signal"];

/** Runs with a client of a broker. */
const served =
  <Options>(run: (client: BrokerClient, options: Options) => unknown) =>
  async ({ client: messenger }: OptionScene, options: Options) => {
    await using broker = await Broker.start();
    await using client = await BrokerClient.connect(messenger, broker.endpoint);
    await run(client, options);
  };

/** Runs with both sides of a channel. */
const talking = <Options>(
  run: (producer: ChannelHandle<typeof talk, "producer">, options: Options) => unknown,
) =>
  served<Options>(async (client, options) => {
    await using producer = await client.createChannel(talk);
    await using _consumer = await client.connectChannel(talk);
    await run(producer, options);
  });

/** What takes options of the broker. */
export const brokerEntries: readonly OptionEntry[] = [
  {
    name: "channelContract",
    options: ["pattern", "message", "reply", "encoding", "version"],
    needs: () => ({ pattern: "bidirectional", message: z.number() }),
    call: (_scene, options) => void channelContract("option/any", options),
  },
  {
    name: "channelRules",
    options: ["channels", "produce", "consume", "list", "close"],
    needs: () => ({ channels: "**" }),
    call: (_scene, options) => void channelRules([options]),
  },
  {
    name: "new ChannelRegistry",
    options: limits,
    call: (_scene, options) => {
      const nothing = (): void => {};
      void new ChannelRegistry(
        { notice: nothing, renew: nothing, release: nothing, grace: nothing },
        options,
      );
    },
  },
  {
    name: "Broker.start",
    options: [
      ...limits,
      "endpoint",
      "plainEndpoint",
      "advertise",
      "keys",
      "allow",
      "allowFile",
      "authorize",
      "heartbeatMs",
      "missedHeartbeats",
      "maxClients",
      "maxNotices",
      "logger",
      "meter",
      "signal",
    ],
    call: async (_scene, options) => await (await Broker.start(options)).close(),
  },
  {
    name: "BrokerClient.connect",
    options: ["serverKey", "name", "timeoutMs", "required", "signal"],
    ...waits,
    needs: () => ({ required: true }),
    call: async ({ client }, options) => {
      await using broker = await Broker.start();
      await (await BrokerClient.connect(client, broker.endpoint, options)).close();
    },
  },
  {
    name: "BrokerClient.whenConnected",
    options: wait,
    ...waits,
    call: served((client, options: never) => client.whenConnected(options)),
  },
  {
    name: "BrokerClient.registerProducer",
    options: [...facts, "pattern", "schemaHash", "schemaVersion"],
    call: served((client, options: never) => client.registerProducer("option/any", options)),
  },
  {
    name: "BrokerClient.discoverProducer",
    options: wait,
    ...waits,
    call: served(async (client, options: never) => {
      // One that is there, since the wait may be endless.
      await client.registerProducer("option/any");
      await client.discoverProducer("option/any", options);
    }),
  },
  {
    name: "BrokerClient.registerConsumer",
    options: ["schemaHash"],
    call: served(async (client, options: never) => {
      await client.registerProducer("option/any");
      await client.registerConsumer("option/any", options);
    }),
  },
  {
    name: "BrokerClient.createChannel",
    options: [...facts, ...sending, "maxConsumers", "plain"],
    nested: { ...nested, plain: ["endpoint", "advertise", "keys"] },
    call: served(async (client, options: never) => void await client.createChannel(talk, options)),
  },
  {
    name: "BrokerClient.connectChannel",
    options: [...sending, ...wait, "keys"],
    ...waits,
    nested,
    call: served(async (client, options: never) => {
      await client.createChannel(talk);
      await client.connectChannel(talk, options);
    }),
  },
  {
    name: "BrokerClient.notices",
    options: subscription,
    call: served((client, options: never) => void client.notices(options).return?.()),
  },
  {
    name: "ChannelHandle.send",
    options: [...wait, "to"],
    ...waits,
    call: talking((producer, options: never) => producer.send(1, options)),
  },
  {
    name: "ChannelHandle.notices",
    options: subscription,
    call: talking((producer, options: never) => void producer.notices(options).return?.()),
  },
  {
    name: "ChannelHandle.close",
    options: ["timeoutMs"],
    ...waits,
    call: talking((producer, options: never) => producer.close(options)),
  },
];
