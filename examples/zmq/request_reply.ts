/** Request and reply: `request_reply.ts serve`, then `request_reply.ts ask ENDPOINT` in another terminal. */
import process from "node:process";
import { Reply, Request } from "zeromesh/zmq";

async function serve(): Promise<void> {
  const socket = new Reply();
  await socket.bind("tcp://127.0.0.1:*");
  console.log(`ask with: ${socket.lastEndpoint}`);
  for await (const [question] of socket) {
    await socket.send(String(2 * Number(question)));
  }
}

async function ask(endpoint: string): Promise<void> {
  const socket = new Request({ receiveTimeout: 5_000 });
  socket.connect(endpoint);
  for (const number of [1, 2, 3]) {
    await socket.send(String(number));
    const [answer] = await socket.receive();
    console.log(`twice ${number} is ${answer}`);
  }
  socket.close();
}

const [role, endpoint = ""] = process.argv.slice(2);
await (role === "ask" ? ask(endpoint) : serve());
