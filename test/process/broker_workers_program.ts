/** A Worker with clients of a broker of its own, which registers and consumes channels at once with others. */
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { BrokerClient, channelContract } from "../../src/broker/mod.ts";
import { Messenger } from "../../src/mod.ts";

const { endpoint, publicKey, curve, at, of, channels } = workerData as {
  endpoint: string;
  publicKey: string;
  curve: { publicKey: string; secretKey: string };
  at: number;
  of: number;
  channels: number;
};
const contractOf = (worker: number, n: number) =>
  channelContract(`w${worker}/c${n}`, { pattern: "pipeline", message: z.object({ n: z.number() }) });

await using messenger = await Messenger.create({ curve: { ...curve, allow: "any" } });
await using one = await BrokerClient.connect(messenger, endpoint, { serverKey: publicKey, required: true });
await using two = await BrokerClient.connect(messenger, endpoint, { serverKey: publicKey, required: true });
const numbers = Array.from({ length: channels }, (_, n) => n);
const made = await Promise.all(numbers.map((n) => one.createChannel(contractOf(at, n))));
const consumed = numbers.map(async (n) => {
  // Those of the next Worker.
  await using channel = await two.connectChannel(contractOf((at + 1) % of, n), { timeoutMs: 20_000 });
  for await (const message of channel) return message.n;
  return -1;
});
await Promise.all(made.map((channel, n) => channel.send({ n })));
const got = await Promise.all(consumed);
const { requests, registrations } = one.stats();
parentPort!.postMessage({
  got,
  requests,
  registered: registrations.registered,
  connects: one.stats().connects,
});
// The others may still consume.
await new Promise((resolve) => parentPort!.once("message", resolve));
await Promise.all(made.map((channel) => channel.close()));
await two.close();
await one.close();
await messenger.close();
parentPort!.postMessage("closed");
