/** A channel goes on while its broker is away, and the next broker at the same endpoint knows it. */
import { Messenger } from "zeromesh";
import { Broker, BrokerClient } from "zeromesh/broker";
import { readings } from "./readings.ts";

const first = await Broker.start({ endpoint: "tcp://127.0.0.1:0", heartbeatMs: 200 });
const { endpoint } = first;

await using server = await Messenger.create();
await using producer = await BrokerClient.connect(server, endpoint);
await using channel = await producer.createChannel(readings);

await using reader = await Messenger.create({ listen: false });
await using consumer = await BrokerClient.connect(reader, endpoint);
await using incoming = await consumer.connectChannel(readings);
const readingsOf = incoming[Symbol.asyncIterator]();

await channel.send({ at: 1, celsius: 21 });
console.log("with the broker:", (await readingsOf.next()).value?.celsius);

await first.close();
await channel.send({ at: 2, celsius: 22 });
console.log("without it:", (await readingsOf.next()).value?.celsius);

await using second = await Broker.start({ endpoint, heartbeatMs: 200 });
// Both clients come back and register again.
await using late = await Messenger.create({ listen: false });
await using newcomer = await BrokerClient.connect(late, second.endpoint);
const [found] = [await newcomer.discoverProducer(readings, { timeoutMs: 5_000 })];
console.log("the new broker has", found?.name);
