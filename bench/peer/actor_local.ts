/**
 * Measures actors in one process: `tell` against a loop without actors, `update` the pauses of updates, `idle` the memory
 * of actors that do nothing.
 */
import process from "node:process";
import { actor, actorContract, type ActorRef, ActorSystem } from "zeromesh/actors";
import { z } from "zod";
import { memory } from "./memory.ts";
import { Arguments, Commands, say } from "./protocol.ts";

const args = new Arguments();
const commands = new Commands();
const few = args.flag("quick");
const Sink = actorContract("sink", { tell: { hit: z.number() } });
const messages = few ? 20_000 : 200_000;
let seen = 0;
let done = Promise.withResolvers<void>();
const hit = (): void => {
  if (++seen === messages) done.resolve();
};
const sink = actor(Sink, { init: () => null, tell: { hit } });

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Sends all messages, and waits now and then. Returns the rate. */
async function rateOf(send: (n: number) => unknown): Promise<number> {
  seen = 0;
  done = Promise.withResolvers();
  const began = performance.now();
  for (let n = 0; n < messages; n++) {
    const sent = send(n);
    if ((n & 255) === 0) await sent;
  }
  await done.promise;
  return messages / (performance.now() - began) * 1_000;
}

function bare(): Promise<number> {
  const queue: number[] = [];
  let running = false;
  const pump = async (): Promise<void> => {
    running = true;
    for (let n = 0; n < queue.length; n++) await hit();
    queue.length = 0;
    running = false;
  };
  return rateOf((n) => {
    queue.push(n);
    if (!running) void pump();
    return null;
  });
}

async function tell(): Promise<Record<string, number>> {
  await using system = ActorSystem.local();
  const options = { mailbox: { capacity: messages } };
  const one = await system.spawn(sink, options);
  const all: ActorRef<typeof Sink>[] = [];
  for (let n = 0; n < 1_000; n++) all.push(await system.spawn(sink, options));
  const rounds: [bare: number, one: number, many: number][] = [];
  // The first round warms up.
  for (let round = 0; round < 6; round++) {
    const loop = await bare();
    const toOne = await rateOf((n) => one.tell("hit", n));
    rounds.push([loop, toOne, await rateOf((n) => all[n % 1_000]!.tell("hit", n))]);
  }
  const later = rounds.slice(1);
  return {
    rate: median(later.map(([, toOne]) => toOne)),
    share: median(later.map(([loop, toOne]) => toOne / loop)),
    many: median(later.map(([, toOne, toMany]) => toMany / toOne)),
  };
}

async function update(): Promise<Record<string, number>> {
  await using system = ActorSystem.local();
  const queued = 10_000;
  const before = 1_000;
  let last = 0;
  let begin = (): void => {};
  let pauseMs = 0;
  let current = 1;
  const versionOf = (version: number) =>
    actor(Sink, {
      version,
      init: () => ({ handled: 0 }),
      migrate: (old: { handled: number }) => ({ ...old }),
      tell: {
        hit: (context, n) => {
          // The actor is at work, and so many messages wait.
          if (n === before) begin();
          const now = performance.now();
          // From the last message of the old version to the first of the new one.
          if (current !== version) [current, pauseMs] = [version, now - last];
          last = now;
          context.state.handled++;
        },
      },
    });
  const ref = await system.spawn(versionOf(1), { mailbox: { capacity: before + queued } });
  const pauses: number[] = [];
  for (let version = 2; version < (few ? 12 : 112); version++) {
    const next = versionOf(version);
    const updated = Promise.withResolvers<unknown>();
    begin = () => updated.resolve(system.update(ref, next));
    for (let n = 0; n < before + queued; n++) void ref.tell("hit", n);
    await updated.promise;
    while (system.lookup(ref)!.queued > 0) await new Promise((resolve) => setTimeout(resolve));
    // The first ones warm up.
    if (version > 10) pauses.push(pauseMs);
  }
  pauses.sort((a, b) => a - b);
  return { pause: pauses[Math.ceil(pauses.length * 0.99) - 1]! };
}

async function idle(): Promise<Record<string, number>> {
  await using system = ActorSystem.local({ maxActors: 200_000 });
  const count = few ? 2_000 : 20_000;
  await system.spawn(sink);
  const before = await memory();
  for (let n = 0; n < count; n++) await system.spawn(sink);
  const after = await memory();
  return { heap: (after.heap - before.heap) / count, rss: (after.rss - before.rss) / count };
}

const measures: Record<string, () => Promise<Record<string, number>>> = { tell, update, idle };
say({ type: "ready", endpoints: [] });
for (let command = await commands.next(); command !== null; command = await commands.next()) {
  say({ type: "figures", values: await measures[command]!() });
}
process.exit(0);
