/**
 * Pipeline: `pipeline.ts sink` collects results and gives out work, which any number of `pipeline.ts work TASKS RESULTS`
 * share.
 */
import process from "node:process";
import { Pull, Push } from "zeromesh/zmq";

const tasks = 100;

async function sink(): Promise<void> {
  const work = new Push({ linger: 0 });
  const results = new Pull();
  await work.bind("tcp://127.0.0.1:*");
  await results.bind("tcp://127.0.0.1:*");
  console.log(`work with: ${work.lastEndpoint} ${results.lastEndpoint}`);
  // A `send` waits until a worker is connected and has room.
  const sending = (async () => {
    for (let task = 1; task <= tasks; task++) await work.send(String(task));
  })();
  let sum = 0;
  for (let i = 0; i < tasks; i++) {
    const [result] = await results.receive();
    sum += Number(result);
  }
  await sending;
  console.log(`the sum of ${tasks} squares is ${sum}`);
  work.close();
  results.close();
}

async function work(tasksAt: string, resultsAt: string): Promise<void> {
  const input = new Pull();
  const output = new Push();
  input.connect(tasksAt);
  output.connect(resultsAt);
  for await (const [task] of input) await output.send(String(Number(task) ** 2));
}

const [role, tasksAt = "", resultsAt = ""] = process.argv.slice(2);
await (role === "work" ? work(tasksAt, resultsAt) : sink());
