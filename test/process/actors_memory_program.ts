/** Starts many actors, and prints the memory that each takes and how many have answered. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { z } from "zod";
import { actor, actorContract, ActorSystem } from "../../src/actors/mod.ts";
import { collectGarbage } from "../support/collect.ts";
import { pause } from "../support/until.ts";

/** Whether libzmq is loaded, as far as the process may look. */
function hasLibzmq(): boolean {
  try {
    return readFileSync("/proc/self/maps", "utf8").includes("libzmq");
  } catch {
    return false;
  }
}

const count = Number(process.argv[2]);
const Tally = actorContract("tally", {
  tell: { add: z.number() },
  ask: { sum: { input: z.undefined(), output: z.number() } },
});
const tally = actor(Tally, {
  init: () => ({ sum: 0 }),
  tell: { add: (ctx, n) => void (ctx.state.sum += n) },
  ask: { sum: (ctx) => ctx.state.sum },
});

/** The heap in use, as the least of a few looks: a collector frees memory in steps. */
async function heap(): Promise<number> {
  let least = Infinity;
  for (let look = 0; look < 3; look++) {
    collectGarbage();
    await pause(30);
    least = Math.min(least, process.memoryUsage().heapUsed);
  }
  return least;
}

await using system = ActorSystem.local();
// What the first actors make is made once.
const first = await system.spawn(tally);
await first.tell("add", 0);
const before = await heap();
const refs = [];
for (let i = 0; i < count; i++) refs.push(await system.spawn(tally));
const idle = await heap();
await Promise.all(refs.map((ref, i) => ref.tell("add", i & 1)));
let sum = 0;
for (const ref of refs) sum += await ref.ask("sum");
const used = await heap();
const each = (bytes: number): number => Math.round((bytes - before) / count);
console.log(
  JSON.stringify({
    actors: system.stats().actors - 1,
    idle: each(idle),
    used: each(used),
    sum,
    zmq: hasLibzmq(),
  }),
);
