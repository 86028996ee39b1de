/** What tests of the broker share. */
import { z } from "zod";
import { Broker, BrokerClient, type BrokerOptions, channelContract } from "../../src/broker/mod.ts";
import type { Messenger, MessengerOptions } from "../../src/mod.ts";
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
): Promise<{ readonly messenger: Messenger; readonly client: BrokerClient }> {
  const messenger = await t.messenger(options);
  const client = t.use(
    await BrokerClient.connect(messenger, broker.endpoint, {
      serverKey: broker.publicKey ?? undefined,
      required: true,
    }),
  );
  return { messenger, client };
}
