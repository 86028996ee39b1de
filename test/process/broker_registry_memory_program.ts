/** Registers many producers and consumers, lists them, and prints the memory that each presence takes. */
import process from "node:process";
import type { InstanceId } from "../../src/mod.ts";
import { collectGarbage } from "../support/collect.ts";
import { client, consume, ownedRegistry, produce } from "../support/broker_registry.ts";
import { pause } from "../support/until.ts";

const count = Number(process.argv[2]);

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

const owned = ownedRegistry({ maxSchemas: 16 });
const { registry } = owned;
// What the first registration makes is made once.
produce(owned, "first", client("first"));
const before = await heap();
let started = performance.now();
for (let i = 0; i < count; i++) {
  const by = client(`key${i}:producer`);
  const peer = {
    instance_id: by.instance as InstanceId,
    worker_address: Array.from({ length: 120 }, (_, n) => n),
  };
  produce(owned, `lab/channel${i}`, by, {
    route: { transport: "stream", instance: by.instance as InstanceId, peer },
  });
  const consumer = client(`key${i}:consumer`);
  consume(owned, `lab/channel${i}`, consumer, {
    peer: { ...peer, instance_id: consumer.instance as InstanceId },
  });
  owned.told();
}
const registeredMs = performance.now() - started;
started = performance.now();
let listed = 0;
for (let after: string | undefined = "";;) {
  const { channels, more } = registry.list({ after, limit: 100 });
  listed += channels.length;
  after = channels.at(-1)?.name;
  if (!more) break;
}
const listedMs = performance.now() - started;
const held = await heap();
const { producers, consumers } = registry.stats();
console.log(JSON.stringify({
  presences: producers + consumers,
  each: Math.round((held - before) / (2 * count)),
  listed,
  registeredMs,
  listedMs,
}));
