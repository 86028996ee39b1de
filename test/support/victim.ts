/** A serving process that a test has strangers attack, and what its good peers notice of that. */
import assert from "node:assert/strict";
import type { InstanceId, Messenger, MessengerStats } from "../../src/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { type SpawnedProcess, spawnScript } from "./spawn.ts";
import { pause } from "./until.ts";
import { type Vitals, vitals } from "./vitals.ts";

/** The program of the victim and of its attackers. */
export const hostileProgram = "test/support/peers/hostile_peer.ts";

/** A serving process, and a good peer of it here. */
export interface Victim {
  readonly child: SpawnedProcess;
  readonly endpoint: string;
  readonly client: Messenger;
  readonly peer: InstanceId;
}

/** Starts a victim. */
export async function victim(t: LeakCheck): Promise<Victim> {
  const child = t.use(spawnScript(hostileProgram, ["serve"]));
  const [, endpoint] = (await child.waitForLine("ready")).split(" ");
  const client = await t.messenger();
  return { child, endpoint: endpoint!, client, peer: await client.connect(endpoint!) };
}

/** Calls the victim one call after another until `done`; returns how long each took, in milliseconds, sorted. */
export async function latencies({ client, peer, child }: Victim, done: () => boolean): Promise<number[]> {
  const took: number[] = [];
  const rawPayload = new Uint8Array(64).fill(7);
  do {
    const start = performance.now();
    const answer = await client.unary("echo", { to: peer, rawPayload, timeoutMs: 10_000 });
    took.push(performance.now() - start);
    assert.deepEqual(answer, rawPayload);
    assert.equal(child.ended, undefined, child.errorText);
    // Hundreds of them are a measure; more would take the processor from those who attack.
    await pause(5);
  } while (!done());
  return took.sort((a, b) => a - b);
}

/** Prints how long good calls took meanwhile; 99 of 100 have to take less than a second. */
export function assertSoon(what: string, took: readonly number[]): void {
  const share = (of: number): number => took[Math.floor((took.length - 1) * of)]!;
  const [p50, p99, longest] = [0.5, 0.99, 1].map((of) => share(of).toFixed(2));
  console.log(
    `# ${what}: ${took.length} good calls meanwhile, p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms`,
  );
  assert.ok(share(0.99) < 1_000, `good calls took up to ${longest} ms`);
}

/** The victim's counters. */
export async function statsOf({ client, peer }: Victim): Promise<MessengerStats> {
  return JSON.parse(new TextDecoder().decode(await client.unary("stats", { to: peer })));
}

/** The victim's process must not have grown by more than so many MiB. Returns what it holds now. */
export async function assertGrownAtMost(one: Victim, before: Vitals, mebibytes: number): Promise<Vitals> {
  const now = await vitals(one.child.pid);
  assert.ok(
    now.residentMiB < before.residentMiB + mebibytes,
    `resident memory went from ${before.residentMiB} to ${now.residentMiB} MiB`,
  );
  return now;
}
