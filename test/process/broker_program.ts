/**
 * A broker, or clients of one, as a process of its own. It prints what happens, and answers lines of standard input.
 *
 * Arguments: the role, the broker's endpoint, its key or `-`, options as JSON.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { z } from "zod";
import { Broker, BrokerClient, channelContract } from "../../src/broker/mod.ts";
import { Messenger, type MessengerOptions } from "../../src/mod.ts";

const [role, endpoint, key, given = "{}"] = process.argv.slice(2) as [string, string, string, string?];
const options = JSON.parse(given);
const serverKey = key === "-" ? undefined : key;
const say = (what: string, value?: unknown): void =>
  console.log(value === undefined ? what : `${what} ${JSON.stringify(value)}`);
const curve: MessengerOptions = options.curve === undefined
  ? {}
  // Its consumers are those that the broker names.
  : { curve: { ...options.curve, allow: "any" } };

/** Answers lines until the input ends. */
async function answers(commands: Record<string, (...words: string[]) => unknown>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...words] = line.split(" ") as [string, ...string[]];
    say(name, await commands[name]?.(...words));
  }
}

async function broker(): Promise<void> {
  const wallNow = Date.now.bind(Date);
  let jumped = 0;
  Date.now = () => wallNow() + jumped;
  await using broker = await Broker.start({ endpoint, ...options });
  say("ready", { endpoint: broker.endpoint, publicKey: broker.publicKey });
  await answers({
    channels: () => broker.channels().map(({ name, state, consumers }) => [name, state, consumers]),
    stats: () => broker.stats(),
    jump: (ms) => jumped += Number(ms),
  });
}

/** Registers producers and consumers, spread over some messengers. */
async function crowd(): Promise<void> {
  const { producers = [], consumers = [], messengers = 1 } = options;
  await using stack = new AsyncDisposableStack();
  const clients: BrokerClient[] = [];
  for (let i = 0; i < messengers; i++) {
    const messenger = stack.use(await Messenger.create({ listen: false, ...curve }));
    const client = stack.use(
      await BrokerClient.connect(messenger, endpoint, { serverKey, timeoutMs: 20_000 }),
    );
    clients.push(client);
    void (async () => {
      for await (const notice of client.notices()) {
        if ("channel" in notice) say("notice", { ...notice, data: undefined, route: undefined });
      }
    })();
  }
  const clientAt = (at: number): BrokerClient => clients[at % messengers]!;
  await Promise.all(producers.map((name: string, at: number) => clientAt(at).registerProducer(name)));
  say("produced");
  const consume = async (name: string, at: number): Promise<void> => {
    while (await clientAt(at).discoverProducer(name, { timeoutMs: 20_000 }) === null);
    await clientAt(at).registerConsumer(name);
  };
  await Promise.all(consumers.map(consume));
  say("registered");
  await answers({ status: () => clients.map((client) => client.stats()) });
}

const slot = z.object({ at: z.number(), text: z.string() });

async function produce(): Promise<void> {
  await using messenger = await Messenger.create(curve);
  await using client = await BrokerClient.connect(messenger, endpoint, { serverKey });
  await using channel = await client.createChannel(
    channelContract(options.channel, { pattern: "pipeline", message: slot }),
  );
  say("created");
  for (let at = 1; at <= options.slots; at++) await channel.send({ at, text: options.channel });
  say("sent");
  await answers({});
}

async function consume(): Promise<void> {
  await using messenger = await Messenger.create({ listen: false, ...curve });
  await using client = await BrokerClient.connect(messenger, endpoint, { serverKey });
  try {
    await using channel = await client.connectChannel(
      channelContract(options.channel, { pattern: "pipeline", message: slot }),
      { timeoutMs: 10_000 },
    );
    const got: number[] = [];
    for await (const { at, text } of channel) {
      if (text === options.channel) got.push(at);
      if (got.length === options.slots) break;
    }
    say("got", got);
  } catch (error) {
    say("refused", (error as { code: string }).code);
  }
}

const roles: Readonly<Record<string, () => Promise<void>>> = { broker, crowd, produce, consume };
await roles[role ?? ""]?.();
