/** What tests of the broker share. */
import { z } from "zod";
import { Broker, BrokerClient, type BrokerOptions, channelContract } from "../../src/broker/mod.ts";
import { brokerContracts } from "../../src/broker/protocol/contracts.ts";
import type { CallOutput } from "../../src/core/mod.ts";
import { portOf, type SystemCall } from "../../src/messenger/mod.ts";
import { curveKeyPair, type InstanceId, type Messenger, type MessengerOptions } from "../../src/mod.ts";
import type { LeakCheck } from "../support/fixture.ts";

/** A pipeline of numbers. */
export const numbers = channelContract("lab/numbers", { pattern: "pipeline", message: z.number() });
/** The same name with another schema. */
export const words = channelContract("lab/numbers", { pattern: "pipeline", message: z.string() });

/** Texts for all. */
export const news = channelContract("house/news", { pattern: "pubsub", message: z.string() });

/** A broker that is closed when the test ends. */
export async function startedBroker(t: LeakCheck, options: BrokerOptions = {}): Promise<Broker> {
  return t.use(await Broker.start({ heartbeatMs: 200, ...options }));
}

/** A client of a broker, on a messenger of its own. */
export async function clientOf(
  t: LeakCheck,
  broker: Pick<Broker, "endpoint" | "publicKey">,
  options: MessengerOptions = {},
  timeoutMs = 5_000,
): Promise<{ readonly messenger: Messenger; readonly client: BrokerClient }> {
  const messenger = await t.messenger(options);
  const client = t.use(
    await BrokerClient.connect(messenger, broker.endpoint, {
      serverKey: broker.publicKey ?? undefined,
      required: true,
      timeoutMs,
    }),
  );
  return { messenger, client };
}

/** A broker with CURVE keys, which lets everybody in who has some. */
export async function keyedBroker(t: LeakCheck, options: BrokerOptions = {}): Promise<Broker> {
  return await startedBroker(t, { keys: await curveKeyPair(), ...options });
}

/** A client that says what a test wants, in the messages of the protocol. */
export interface RawClient {
  readonly messenger: Messenger;
  readonly instance: InstanceId;
  /** Its key, else its instance. */
  readonly identity: string;
  /** What it says of itself. */
  readonly info: { pid: number; host: string; runtime: string; name: string | null };
  /** The presence of its last {@link register}. */
  presence: number;
  /** Introduces itself, with an anchor for its notices if there is one. */
  hello(notices?: string | null): Promise<void>;
  /** Asks something. */
  ask<Name extends keyof typeof brokerContracts>(
    name: Name,
    input: SystemCall<typeof brokerContracts[Name]>["input"],
  ): Promise<CallOutput<typeof brokerContracts[Name]>>;
  /** What it registers as the producer of a channel. */
  producing(channel: string): SystemCall<typeof brokerContracts.register>["input"];
  /** Registers as the producer of a channel, which is ready then. */
  register(channel: string): Promise<void>;
}

/** A {@link RawClient}, connected and not introduced. */
export async function rawClient(
  t: LeakCheck,
  broker: Pick<Broker, "endpoint" | "publicKey">,
  keys?: { publicKey: string; secretKey: string },
): Promise<RawClient> {
  const messenger = await t.messenger(keys === undefined ? {} : { curve: keys });
  const peer = await messenger.connect(broker.endpoint, { serverKey: broker.publicKey ?? undefined });
  const port = portOf(messenger)!;
  const instance = messenger.instanceId;
  const info = { pid: 1, host: "here", runtime: "test", name: null };
  const raw: RawClient = {
    messenger,
    instance,
    identity: keys?.publicKey ?? instance,
    info,
    presence: 0,
    ask: async (name, input) =>
      await port.call(brokerContracts[name], peer, input as never, { timeoutMs: 5_000 }) as never,
    hello: async (notices = null) => void await raw.ask("hello", { lowest: 1, highest: 1, info, notices }),
    producing: (channel) => ({
      channel,
      pattern: "pipeline",
      schema: { hash: null, text: null, version: "1" },
      metadata: null,
      sharedMemory: null,
      route: { transport: "stream", instance, peer: null },
      ready: true,
    }),
    async register(channel) {
      raw.presence = (await raw.ask("register", raw.producing(channel))).presence;
    },
  };
  return raw;
}
