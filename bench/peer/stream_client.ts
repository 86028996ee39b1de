/**
 * Measures streams to `stream_server.ts`. Each command is answered with figures: `first`, `rate`, `held`, `open=N`,
 * which leaves N streams open, and `memory`.
 */
import process from "node:process";
import { type InstanceId, Messenger } from "zeromesh";
import { pause } from "../../test/support/until.ts";
import { memory } from "./memory.ts";
import { Arguments, Commands, say } from "./protocol.ts";
import * as contracts from "./stream_contracts.ts";

const args = new Arguments();
const commands = new Commands();
const messenger = await Messenger.create({ listen: false });
const to: InstanceId = await messenger.connect(args.text("endpoints"));
const client = messenger.client(contracts, { to });
const ms = args.number("ms");
const turns = 5;
const sendsBetweenPauses = 256;

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

const median = (values: readonly number[]): number => percentile(values, 0.5);

async function counts(): Promise<{ received: number; given: number }> {
  const bytes = await messenger.unary("counts", { to, rawPayload: new Uint8Array() });
  return JSON.parse(new TextDecoder().decode(bytes)) as { received: number; given: number };
}

/** Measures ways in turns, and takes the median of the turns. */
async function inTurns(
  ways: Readonly<Record<string, () => Promise<number>>>,
  count: number,
): Promise<Record<string, number>> {
  const found: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  // The first two turns warm up. Every other turn is reversed, so that drift affects all alike.
  for (let turn = -2; turn < count; turn++) {
    const order = Object.entries(ways);
    for (const [name, measure] of turn % 2 === 0 ? order : order.reverse()) {
      const value = await measure();
      if (turn >= 0) found[name]!.push(value);
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, median(values)]));
}

/** Half of the times, in microseconds, that something takes when it is done one after another for a time. */
async function halfWithin(once: () => Promise<number>, forMs: number): Promise<number> {
  const times: number[] = [];
  for (const end = performance.now() + forMs; performance.now() < end;) times.push(await once());
  return 1000 * median(times);
}

const payload = new Uint8Array(64);

async function rawCall(): Promise<number> {
  const start = performance.now();
  await messenger.unary("echo", { to, rawPayload: payload });
  return performance.now() - start;
}

async function typedCall(): Promise<number> {
  const start = performance.now();
  await client.one({ n: 1 });
  return performance.now() - start;
}

async function firstOf(n: number): Promise<number> {
  const start = performance.now();
  let first = 0;
  for await (const _ of client.some({ n })) first ||= performance.now() - start;
  return first;
}

function first(): Promise<Record<string, number>> {
  // Short turns, so that all ways meet the same conditions.
  const each = 40;
  const ways = { raw: rawCall, typed: typedCall, first: () => firstOf(1), firstOf3: () => firstOf(3) };
  const measures = Object.entries(ways).map(([name, once]) => [name, () => halfWithin(once, each)] as const);
  return inTurns(Object.fromEntries(measures), Math.max(turns, Math.ceil(ms / each)));
}

/** Messages without an answer a second, until the server has counted all of them. */
async function sendRate(size: number, forMs: number): Promise<number> {
  const bytes = new Uint8Array(size);
  const before = (await counts()).received;
  const start = performance.now();
  let n = 0;
  do {
    for (let i = 1; i < sendsBetweenPauses; i++) messenger.amSend("sink", { to, rawPayload: bytes });
    await messenger.amSend("sink", { to, rawPayload: bytes });
    n += sendsBetweenPauses;
  } while (performance.now() - start < forMs);
  while ((await counts()).received < before + n);
  return n / (performance.now() - start) * 1000;
}

/** Items a second through some streams together, until all calls have their results. */
async function itemRate<Item>(
  call: () => { send(item: Item): Promise<void>; end(): Promise<void>; readonly result: Promise<number> },
  item: Item,
  { streams, awaited = sendsBetweenPauses, forMs }: { streams: number; awaited?: number; forMs: number },
): Promise<number> {
  const start = performance.now();
  const results = await Promise.all(Array.from({ length: streams }, async () => {
    const one = call();
    for (let n = 0;;) {
      for (let i = 1; i < awaited; i++) void one.send(item);
      await one.send(item);
      n += awaited;
      if (performance.now() - start >= forMs) break;
    }
    await one.end();
    return await one.result;
  }));
  return results.reduce((sum, n) => sum + n, 0) / (performance.now() - start) * 1000;
}

function rate(): Promise<Record<string, number>> {
  const forMs = ms / turns;
  const text = "x".repeat(62);
  const long = "x".repeat(64 * 1024 - 3);
  const chunk = new Uint8Array(64 * 1024 - 6);
  return inTurns({
    sends: () => sendRate(64, forMs),
    one: () => itemRate(() => client.texts(), text, { streams: 1, forMs }),
    awaited: () => itemRate(() => client.texts(), text, { streams: 1, awaited: 1, forMs }),
    many: () => itemRate(() => client.texts(), text, { streams: 64, forMs }),
    largeSends: () => sendRate(64 * 1024, forMs),
    largeBytes: () => itemRate(() => client.chunks(), chunk, { streams: 1, awaited: 8, forMs }),
    largeTexts: () => itemRate(() => client.texts(), long, { streams: 1, awaited: 8, forMs }),
  }, turns);
}

/** 99 of 100 calls are answered within so many microseconds. */
async function p99(forMs: number): Promise<number> {
  const times: number[] = [];
  for (const end = performance.now() + forMs; performance.now() < end;) times.push(await rawCall());
  return 1000 * percentile(times, 0.99);
}

/** A reader that takes one item a second. */
async function held(): Promise<Record<string, number>> {
  const size = 1024;
  const forMs = Math.max(200, ms / turns);
  const before = await memory();
  let ahead = 0;
  let unread = 0;
  let heap = 0;
  const ways = await inTurns({
    without: () => p99(forMs),
    with: async () => {
      await using call = client.flood({ n: size });
      const items = call[Symbol.asyncIterator]();
      let taken = 0;
      const take = async (): Promise<void> => {
        await items.next();
        taken++;
      };
      await take();
      const timer = setInterval(() => void take(), 1000);
      await pause(100);
      const within = await p99(forMs);
      ahead = Math.max(ahead, (await counts()).given - taken);
      unread = Math.max(unread, messenger.stats().streams?.unreadBytes ?? 0);
      heap = Math.max(heap, (await memory()).heap - before.heap);
      clearInterval(timer);
      return within;
    },
  }, turns);
  return { ...ways, ahead, unread, heap };
}

const kept: unknown[] = [];

async function openStreams(count: number): Promise<Record<string, number>> {
  await Promise.all(Array.from({ length: count }, async () => {
    const call = client.open({ n: 1 });
    const items = call[Symbol.asyncIterator]();
    await items.next();
    kept.push(call, items);
  }));
  return {};
}

say({ type: "ready", endpoints: [] });
for (;;) {
  const command = await commands.next();
  if (command === null) process.exit(0);
  const [what, count] = command.split("=");
  const values = what === "first"
    ? await first()
    : what === "rate"
    ? await rate()
    : what === "held"
    ? await held()
    : what === "open"
    ? await openStreams(Number(count))
    : await memory();
  say({ type: "figures", values });
}
