/** A proxy between publishers and subscribers, so that neither needs the addresses of the other. */
import { setTimeout as pause } from "node:timers/promises";
import { Proxy, Publisher, Subscriber, XPublisher, XSubscriber } from "zeromesh/zmq";

const proxy = new Proxy(new XSubscriber(), new XPublisher());
await proxy.frontEnd.bind("tcp://127.0.0.1:*");
await proxy.backEnd.bind("tcp://127.0.0.1:*");
const publishersAt = proxy.frontEnd.lastEndpoint!;
const subscribersAt = proxy.backEnd.lastEndpoint!;
const running = proxy.run();

const publishers = ["north", "south"].map((name) => {
  const socket = new Publisher({ linger: 0 });
  socket.connect(publishersAt);
  return { name, socket };
});
const subscriber = new Subscriber({ receiveTimeout: 5_000 });
subscriber.connect(subscribersAt);
subscriber.subscribe("north", "south");

// What is published before the subscription has arrived is lost, so they publish until both have been heard.
const heard = new Set<string>();
const publishing = (async () => {
  while (heard.size < publishers.length) {
    for (const { name, socket } of publishers) await socket.send([name, "hello"]);
    await pause(5);
  }
})();
for await (const [name, text] of subscriber) {
  if (heard.has(String(name))) continue;
  heard.add(String(name));
  if (heard.size === publishers.length) {
    console.log(`${[...heard].sort().join(" and ")} said ${text}`);
    break;
  }
}
await publishing;

// While the proxy is paused, messages wait in the queues of its sockets.
proxy.pause();
proxy.resume();
proxy.terminate();
await running;
console.log(`the proxy's sockets are closed: ${proxy.frontEnd.closed && proxy.backEnd.closed}`);
subscriber.close();
for (const { socket } of publishers) socket.close();
