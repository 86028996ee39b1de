/** Workers that are terminated while they serve; says what they leave, and what their callers get. */
import { readdirSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { Messenger, unaryHandler, ZeromeshError } from "../../src/mod.ts";

const options = { endpoint: "tcp://127.0.0.1:0" };

async function serve(): Promise<void> {
  const messenger = await Messenger.create(options);
  messenger.registerHandler(unaryHandler("wait", () => new Promise<Uint8Array>(() => {})));
  parentPort!.postMessage(messenger.endpoints);
}

/** The error of a caller whose peer's Worker is terminated, and the time until it came. */
async function round(caller: Messenger, which: number): Promise<{ outcome: string; ms: number }> {
  const worker = new Worker(new URL(import.meta.url));
  const endpoints = await new Promise<string[]>((resolve) => worker.once("message", resolve));
  const to = await caller.connect(endpoints[which % endpoints.length]!);
  const call = caller.unary("wait", { to, timeoutMs: 30_000 }).then(
    () => "an answer",
    (error: unknown) => error instanceof ZeromeshError ? `${error.code} ${error.ran}` : String(error),
  );
  await sleep(50);
  const began = performance.now();
  await worker.terminate();
  return { outcome: await call, ms: performance.now() - began };
}

async function rounds(): Promise<{ outcome: string; ms: number }[]> {
  await using caller = await Messenger.create(options);
  return await Promise.all([0, 1, 2, 3].map((which) => round(caller, which)));
}

const count = (): number[] => ["fd", "task"].map((what) => readdirSync(`/proc/self/${what}`).length);

async function main(): Promise<void> {
  await rounds();
  await sleep(200);
  const [descriptors, threads] = count();
  const ends: Awaited<ReturnType<typeof rounds>> = [];
  const workers = Number(process.argv[2]);
  while (ends.length < workers) ends.push(...await rounds());
  let left: number[] = [];
  const began = performance.now();
  do {
    await sleep(20);
    left = count();
  } while ((left[0]! > descriptors! + 4 || left[1]! > threads! + 4) && performance.now() - began < 3_000);
  console.log(`outcomes ${[...new Set(ends.map(({ outcome }) => outcome))].join()}`);
  console.log(`slowest ${Math.max(...ends.map(({ ms }) => ms))}`);
  console.log(`left ${JSON.stringify([left[0]! - descriptors!, left[1]! - threads!])}`);
  process.exit(0);
}

await (isMainThread ? main() : serve());
