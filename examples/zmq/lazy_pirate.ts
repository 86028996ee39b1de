/**
 * Lazy pirate: a client that asks again when no answer comes. `lazy_pirate.ts serve` answers only every third request;
 * `lazy_pirate.ts ask ENDPOINT` gets its answers all the same.
 */
import process from "node:process";
import { Request, Router } from "zeromesh/zmq";

const timeoutMs = 200;
const attempts = 5;

async function serve(): Promise<void> {
  const socket = new Router();
  await socket.bind("tcp://127.0.0.1:*");
  console.log(`ask with: ${socket.lastEndpoint}`);
  let seen = 0;
  for await (const [client, , question] of socket) {
    if (++seen % 3 === 0) await socket.send([client!, "", `answer to ${question}`]);
  }
}

async function ask(endpoint: string, question: string): Promise<string> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    // A Request that got no answer cannot send again, so each attempt has a socket of its own.
    const socket = new Request({ receiveTimeout: timeoutMs, linger: 0 });
    socket.connect(endpoint);
    try {
      await socket.send(question);
      const [answer] = await socket.receive();
      return `${answer} after ${attempt} attempts`;
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
    } finally {
      socket.close();
    }
  }
  throw new Error(`No answer from ${endpoint} after ${attempts} attempts`);
}

const [role, endpoint = ""] = process.argv.slice(2);
if (role === "ask") {
  console.log(await ask(endpoint, "one"));
  const nobody = await ask("tcp://127.0.0.1:1", "two").catch((error: Error) => error.message);
  console.log(nobody);
} else await serve();
