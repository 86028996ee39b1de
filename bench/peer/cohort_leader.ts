/**
 * The leader of a cohort of `workers` workers. Commands: `complete` waits for them; `acks` and `unary` measure a
 * broadcast with acks, and one simultaneous call to each worker.
 */
import process from "node:process";
import { Messenger } from "zeromesh";
import { LeaderWorkerCohort } from "zeromesh/cohort";
import { measureCalls } from "./measure.ts";
import { Arguments, Commands, say } from "./protocol.ts";

const args = new Arguments();
const commands = new Commands();
const messenger = await Messenger.create();
const cohort = LeaderWorkerCohort.create(messenger, { size: args.number("workers") });
say({ type: "ready", endpoints: [messenger.endpoint], library: messenger.library.version });

async function acks(payload: Uint8Array): Promise<Uint8Array> {
  const results = await cohort.sync("note", { rawPayload: payload });
  if (!results.ok) throw results.failures[0]!.error;
  return payload;
}

async function unary(payload: Uint8Array): Promise<Uint8Array> {
  const calls = cohort.workers().map(({ instanceId }) =>
    messenger.unary("echo", { to: instanceId, rawPayload: payload })
  );
  return (await Promise.all(calls))[0]!;
}

for (;;) {
  const command = await commands.next();
  if (command === null) process.exit(0);
  if (command === "complete") {
    await cohort.whenComplete();
    say({ type: "warm", sent: 0 });
    continue;
  }
  const call = command === "acks" ? acks : unary;
  const before = process.cpuUsage();
  const figures = await measureCalls(
    { call, sizeOf: (answer) => answer.length, close: () => messenger.close() },
    { inFlight: 1, size: 64, ms: args.number("ms") },
  );
  const { user, system } = process.cpuUsage(before);
  say({ type: "result", ...figures, cpuUs: user + system });
}
