/** A worker with a pretended model. Run several; the gateway shares the prompts out among them. */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Messenger } from "zeromesh";
import { LocalDiscovery } from "zeromesh/discovery";
import { generate } from "./contracts.ts";

const directory = process.argv[2];
const discovery = new LocalDiscovery({ mesh: "streams-example", directory });
const messenger = await Messenger.create({ discovery, services: ["model"] });

messenger.handle(generate, async function* ({ input: { prompt, tokens }, signal }) {
  const words = prompt.split(" ");
  try {
    for (let i = 0; i < tokens; i++) {
      yield words[i % words.length]!;
      await pause(5, undefined, { signal });
    }
  } finally {
    console.log(signal.aborted ? `stopped "${prompt}"` : `finished "${prompt}"`);
  }
}, { concurrency: 4 });

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void messenger.close());
console.log("worker is ready");
