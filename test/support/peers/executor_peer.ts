/** Serves an executor to `process/executor_test.ts`: prints where it listens, and a line for each message that hangs. */
import process from "node:process";
import { ActiveMessageExecutor, serveExecutor } from "../../../src/executor/mod.ts";
import { Messenger } from "../../../src/mod.ts";

const messenger = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
const executor = new ActiveMessageExecutor({ concurrency: 4 });
let taken = 0;
executor.registerHandlers({
  add: async (data) => {
    await Promise.resolve();
    taken += data.length;
  },
  total: () => {
    throw new Error(`${taken} bytes`);
  },
  hang: async () => {
    console.log("hangs");
    await new Promise(() => {});
  },
});
serveExecutor(messenger, executor, { name: process.argv[2] });
console.log(`ready ${messenger.endpoint}`);
