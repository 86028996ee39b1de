/**
 * Measures the actors of `actor_server.ts`. Each command is answered with figures: `use` asks actors that work and the
 * management, `freeze` gets other actors stuck, `hold` watches actors, asks them and opens channels to them, and `lost`
 * tells when all of that had ended.
 */
import process from "node:process";
import { Messenger } from "zeromesh";
import { actorRef, ManagementClient, watchActor } from "zeromesh/actors";
import { pause } from "../../test/support/until.ts";
import { Counter, Stuck } from "./actor_contracts.ts";
import { Arguments, Commands, say } from "./protocol.ts";

const args = new Arguments();
const commands = new Commands();
const endpoint = args.text("endpoints");
const ms = args.number("ms");
const open = async () => {
  const messenger = await Messenger.create({ listen: false });
  return { messenger, peer: await messenger.connect(endpoint) };
};
const { messenger, peer } = await open();
const idle = await open();
const managed = new ManagementClient(messenger, peer);
const long = { timeoutMs: 120_000 };
const ignore = (): void => {};
const to = (name: string, from = messenger) => actorRef(from, Stuck, `${name}@${peer}`);

function percentile(values: number[], share: number): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

async function slice(forMs: number): Promise<Record<string, number>> {
  const asked: number[] = [];
  const managing: number[] = [];
  const began = performance.now();
  const over = (): boolean => performance.now() - began >= forMs;
  const timed = async (times: number[], run: () => Promise<unknown>): Promise<void> => {
    const at = performance.now();
    await run();
    times.push(performance.now() - at);
  };
  const asks = async (name: string): Promise<void> => {
    const ref = actorRef(messenger, Counter, `${name}@${peer}`);
    while (!over()) await timed(asked, () => ref.ask("add", 1));
  };
  const look = async (): Promise<void> => {
    while (!over()) {
      await timed(managing, () => managed.list());
      await timed(managing, () => managed.status("a"));
      await pause(5);
    }
  };
  await Promise.all([..."abcdabcd"].map(asks).concat(look()));
  const rate = asked.length / (performance.now() - began) * 1_000;
  return { rate, p99: percentile(asked, 0.99), managed: percentile(managing, 0.99) };
}

/** The medians of several slices: a busy machine disturbs some of them. */
async function use(): Promise<Record<string, number>> {
  const slices: Record<string, number>[] = [];
  for (let n = 0; n < 7; n++) slices.push(await slice(ms / 4));
  const median = (key: string): number => percentile(slices.map((one) => one[key]!), 0.5);
  return { rate: median("rate"), p99: median("p99"), managed: median("managed") };
}

async function freeze(): Promise<Record<string, number>> {
  to("endless").ask("never", null, long).catch(ignore);
  for (let n = 0; n < 6; n++) await to("full").tell("never", n).catch(ignore);
  for (let n = 0; n < 1_000; n++) to("door").open("door", "x", long).catch(ignore);
  // Neither of these is ever read.
  await to("flood", idle.messenger).open("flood", "x");
  await new ManagementClient(idle.messenger, peer).events("noisy", { policy: "block", maxBuffered: 1 });
  for (let n = 0; n < 10_000; n++) to("noisy").tell("fails", null).catch(ignore);
  const stands = async (): Promise<boolean> => {
    const { handled, queued } = await managed.status("noisy");
    await pause(100);
    return queued > 0 && (await managed.status("noisy")).handled === handled;
  };
  while (!await stands());
  return {};
}

let told: Promise<unknown> = Promise.resolve();

async function hold(): Promise<Record<string, number>> {
  const ends: Promise<unknown>[] = [];
  for (let n = 0; n < 100; n++) {
    const ref = to(`held${n}`);
    const channel = await ref.open("open", "x");
    ends.push(channel.closed);
    ends.push(new Promise((resolve) => watchActor(messenger, ref, resolve)));
    for (let i = 0; i < 10; i++) ends.push(ref.ask("never", null, long).catch(ignore));
  }
  told = Promise.all(ends);
  while (!(await managed.status("held99")).busy) await pause(20);
  return { waiting: ends.length };
}

async function lost(): Promise<Record<string, number>> {
  await told;
  return { at: Date.now() };
}

const measures: Record<string, () => Promise<Record<string, number>>> = { use, freeze, hold, lost };
say({ type: "ready", endpoints: [] });
for (let command = await commands.next(); command !== null; command = await commands.next()) {
  say({ type: "figures", values: await measures[command]!() });
}
process.exit(0);
