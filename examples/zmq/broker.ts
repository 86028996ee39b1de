/**
 * A broker of a ROUTER for clients and a ROUTER for workers: a request goes to the worker that has been ready longest.
 * Everything runs in this process to keep the example short; the addresses may as well be `tcp://`.
 */
import { Dealer, Request, Router } from "zeromesh/zmq";

const clientsAt = "inproc://clients";
const workersAt = "inproc://workers";

async function broker(clients: Router, workers: Router): Promise<void> {
  const ready: Uint8Array[] = [];
  const waiting: Uint8Array[][] = [];
  const assign = async (): Promise<void> => {
    while (ready.length > 0 && waiting.length > 0) await workers.send([ready.shift()!, ...waiting.shift()!]);
  };
  const fromClients = async (): Promise<void> => {
    for await (const [client, , question] of clients) {
      waiting.push([client!, question!]);
      await assign();
    }
  };
  const fromWorkers = async (): Promise<void> => {
    for await (const [worker, client, answer] of workers) {
      ready.push(worker!);
      // The first message of a worker answers nobody. A Request expects an empty part before the answer.
      if (client!.length > 0) await clients.send([client!, "", answer!]);
      await assign();
    }
  };
  await Promise.all([fromClients(), fromWorkers()]);
}

async function worker(name: string, stop: AbortSignal): Promise<void> {
  const socket = new Dealer({ routingId: name });
  stop.addEventListener("abort", () => socket.close());
  socket.connect(workersAt);
  await socket.send(["", "ready"]);
  for await (const [client, question] of socket) {
    await socket.send([client!, `${name} heard ${question}`]);
  }
}

async function client(question: string): Promise<string> {
  const socket = new Request();
  socket.connect(clientsAt);
  await socket.send(question);
  const [answer] = await socket.receive();
  socket.close();
  return String(answer);
}

const clients = new Router();
const workers = new Router();
await clients.bind(clientsAt);
await workers.bind(workersAt);
const brokering = broker(clients, workers);
const stop = new AbortController();
const working = ["Ann", "Bob"].map((name) => worker(name, stop.signal));

const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => client(`question ${i + 1}`)));
for (const name of ["Ann", "Bob"]) {
  console.log(`${name} answered ${answers.filter((answer) => answer.startsWith(name)).length > 0}`);
}
console.log(`${answers.length} answers, the last one to ${answers.at(-1)!.split(" ").slice(2).join(" ")}`);

stop.abort();
clients.close();
workers.close();
await Promise.all([brokering, ...working]);
