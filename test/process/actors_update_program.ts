/** Program of the tests of updates from files: an actor that takes numbers, updated by the lines of the input. */
import process from "node:process";
import { createInterface } from "node:readline";
import { actor, ActorSystem, type UpdateOptions } from "../../src/actors/mod.ts";
import { Messenger } from "../../src/mod.ts";
import { Sequence } from "../support/actor_sequence.ts";
import { collectGarbage } from "../support/collect.ts";
import { pause } from "../support/until.ts";

/** The heap in use and the memory of the process, each as the least of a few looks, in bytes. */
async function memory(): Promise<{ heap: number; rss: number }> {
  let heap = Infinity;
  let rss = Infinity;
  for (let look = 0; look < 5; look++) {
    collectGarbage();
    await pause(50);
    const now = process.memoryUsage();
    heap = Math.min(heap, now.heapUsed);
    rss = Math.min(rss, now.rss);
  }
  return { heap, rss };
}

const messenger = await Messenger.create({});
const system = await ActorSystem.create(messenger);
const first = actor(Sequence, {
  version: 0,
  init: () => ({ next: 0, wrong: 0 }),
  tell: { add: (ctx, n) => void (n === ctx.state.next ? ctx.state.next++ : ctx.state.wrong++) },
  ask: { state: (ctx) => ({ ...ctx.state, code: "first" }) },
});
await system.spawn(first, { name: "sequence" });
console.log(`ready ${messenger.endpoint} ${messenger.instanceId}`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "end") break;
  const [number, path, options] = JSON.parse(line) as [number, string | null, UpdateOptions];
  let answer: unknown;
  try {
    answer = path === null ? await memory() : await system.update("sequence", path, options);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    answer = { code, message };
  }
  console.log(`${number} ${JSON.stringify(answer)}`);
}
await messenger.close();
// The interface would keep the process alive.
process.exit();
