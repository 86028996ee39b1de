/** Broker, producer and consumer in one file: a channel to all who listen. */
import { Messenger } from "zeromesh";
import { Broker, BrokerClient, channelContract } from "zeromesh/broker";
import { z } from "zod";

const news = channelContract("house/news", { pattern: "pubsub", message: z.string() });

await using broker = await Broker.start({ endpoint: "tcp://127.0.0.1:0" });

await using server = await Messenger.create();
await using producer = await BrokerClient.connect(server, broker.endpoint);
await using channel = await producer.createChannel(news);

await using reader = await Messenger.create({ listen: false });
await using consumer = await BrokerClient.connect(reader, broker.endpoint);
await using subscription = await consumer.connectChannel(news);

await channel.send("the kettle boils");
for await (const text of subscription) {
  console.log(text);
  break;
}
