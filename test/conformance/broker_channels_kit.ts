/** What tests of channels share: a producer and consumers of messengers that know each other, without a broker. */
import { z } from "zod";
import { type ChannelContract, channelContract } from "../../src/broker/mod.ts";
import {
  type ChannelNotice,
  consume,
  type ConsumeOptions,
  type ConsumerParts,
  produce,
  type ProduceOptions,
  type ProducerParts,
} from "../../src/broker/channels/mod.ts";
import type { DroppedEntries } from "../../src/core/mod.ts";
import { portOf as systemPort } from "../../src/messenger/mod.ts";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import type { LeakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { until, within } from "../support/until.ts";

const message = z.object({ n: z.int() });
/** A message of the contracts here. */
export type Numbered = z.infer<typeof message>;

/** Each message goes to one consumer. */
export const line = channelContract("lab/line", { pattern: "pipeline", message });
/** Each message goes to all consumers. */
export const news = channelContract("lab/news", { pattern: "pubsub", message });
/** Messages go both ways. */
export const talk = channelContract("lab/talk", { pattern: "bidirectional", message, reply: z.string() });

/** The producer's side of a channel. */
export function producer<C extends ChannelContract>(
  t: LeakCheck,
  messenger: Messenger,
  contract: C,
  options: ProduceOptions = {},
  parts: Partial<Pick<ProducerParts<C>, "admits" | "left" | "sharedMemory">> = {},
) {
  const side = produce({ port: systemPort(messenger)!, contract, options, admits: () => true, ...parts });
  t.defer(() => side.handle.invalidate());
  return side;
}

let presences = 0;

/** A consumer's side of a channel, once it is open. */
export async function consumer<C extends ChannelContract>(
  t: LeakCheck,
  messenger: Messenger,
  contract: C,
  instance: InstanceId,
  options: ConsumeOptions = {},
  parts: Partial<Pick<ConsumerParts<C>, "left" | "source">> = {},
) {
  const presence = ++presences;
  const source = { route: () => Promise.resolve({ instance, presence }) };
  const side = consume({ port: systemPort(messenger)!, contract, options, source, ...parts });
  t.defer(() => side.handle.invalidate());
  await within(side.run.opened, 5_000, "the opening of the channel");
  return { ...side, presence };
}

/** The next so many messages. */
export async function take<T>(messages: AsyncIterator<T, undefined>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const step = await within(messages.next(), 5_000, `message ${taken.length + 1} of ${count}`);
    if (step.done === true) {
      throw new Error(`the iteration has ended after ${taken.length} of ${count} messages`);
    }
    taken.push(step.value);
  }
  return taken;
}

/** A client whose connection to a server can be cut, and comes back. */
export async function cuttable(t: LeakCheck) {
  const server = await t.messenger({ ipc: false });
  const proxy = t.use(await startProxy({ targetPort: portOf(server.endpoint) }));
  const client = await t.messenger({ ipc: false, listen: false });
  const peer = await client.connect(proxy.endpoint);
  const lost = async (): Promise<void> => {
    proxy.refusing = true;
    proxy.cut({ reset: true });
    await until(() => client.peers()[0]?.up === false && server.peers()[0]?.up !== true);
  };
  const back = (): void => void (proxy.refusing = false);
  return { server, client, peer, lost, back };
}

/** The next notice of a type. */
export async function notice<Type extends ChannelNotice["type"]>(
  notices: AsyncIterator<ChannelNotice | DroppedEntries>,
  type: Type,
): Promise<Extract<ChannelNotice, { type: Type }>> {
  for (;;) {
    const step = await within(notices.next(), 5_000, `a notice of ${type}`);
    if (step.done === true) throw new Error(`the notices have ended without ${type}`);
    if (step.value.type === type) return step.value as Extract<ChannelNotice, { type: Type }>;
  }
}

/** Nothing is left of any stream. */
export async function untilNothing(...messengers: readonly Messenger[]): Promise<void> {
  for (const messenger of messengers) {
    await until(() => {
      const { writers, readers, unreadBytes } = messenger.stats().streams!;
      return writers + readers + unreadBytes === 0;
    }, { message: () => `the end of all streams: ${JSON.stringify(messenger.stats().streams)}` });
  }
}

/** All messages until the iteration ends. */
export async function rest<T>(messages: AsyncIterator<T, undefined>): Promise<T[]> {
  const taken: T[] = [];
  for (;;) {
    const step = await within(messages.next(), 5_000, "the end of the iteration");
    if (step.done === true) return taken;
    taken.push(step.value);
  }
}

/** Numbered messages from one number to another, both included. */
export function numbered(from: number, to: number): Numbered[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i }));
}
