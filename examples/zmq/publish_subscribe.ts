/** Publish and subscribe: `publish_subscribe.ts publish`, then `publish_subscribe.ts subscribe ENDPOINT TOPIC`. */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Publisher, Subscriber } from "zeromesh/zmq";

async function publish(): Promise<void> {
  const socket = new Publisher();
  await socket.bind("tcp://127.0.0.1:*");
  console.log(`subscribe with: ${socket.lastEndpoint}`);
  for (let number = 1;; number++) {
    // The first part is the topic. A message that nobody has subscribed to is dropped.
    await socket.send(["weather", `report ${number}`]);
    await socket.send(["sports", `result ${number}`]);
    await pause(20);
  }
}

async function subscribe(endpoint: string, topic: string): Promise<void> {
  const socket = new Subscriber({ receiveTimeout: 5_000 });
  socket.connect(endpoint);
  socket.subscribe(topic);
  let seen = 0;
  for await (const [name, text] of socket) {
    console.log(`${name}: ${text}`);
    if (++seen === 3) break;
  }
  socket.close();
}

const [role, endpoint = "", topic = ""] = process.argv.slice(2);
await (role === "subscribe" ? subscribe(endpoint, topic) : publish());
