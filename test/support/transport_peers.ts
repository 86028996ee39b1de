/** Starts `peers/transport_peer.ts` and asks it what it has seen. */
import process from "node:process";
import type { InstanceId, Messenger, MessengerOptions, PeerInfoJson } from "../../src/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { allRuntimes, currentRuntime, productPermissions, type RuntimeName } from "./runtime.ts";
import { type SpawnedProcess, spawnScript } from "./spawn.ts";

/** The program. */
export const program = "test/support/peers/transport_peer.ts";

/** The runtime that this process does not run on. */
export const otherRuntime: RuntimeName = allRuntimes[1]!;

// `TRANSPORT_PEER_RUNTIME=other` has every test try the other runtime's peers, not only those that do it anyway.
const usualRuntime = process.env["TRANSPORT_PEER_RUNTIME"] === "other" ? otherRuntime : currentRuntime;

// For figures of memory: on Deno only a flag lets a program collect what nobody needs.
const permissions = [...productPermissions, "--v8-flags=--expose-gc"];

/** The program in a role, on the runtime of this process unless told otherwise. */
export function startRole(
  t: LeakCheck,
  args: readonly string[],
  runtime: RuntimeName = usualRuntime,
): SpawnedProcess {
  return t.use(spawnScript(program, args, { runtime, permissions }));
}

/** An instance in a process of its own. */
export interface Served {
  readonly child: SpawnedProcess;
  readonly info: PeerInfoJson;
  readonly endpoint: string;
}

/** Starts an instance in a process of its own, which naps for a moment at every so many numbered messages. */
export async function start(
  t: LeakCheck,
  options: MessengerOptions = {},
  sleepEvery = 0,
  runtime?: RuntimeName,
): Promise<Served> {
  const child = startRole(t, ["serve", JSON.stringify(options), String(sleepEvery)], runtime);
  const line = await child.waitForLine("ready");
  const { info, endpoints } = JSON.parse(line.slice("ready ".length)) as {
    info: PeerInfoJson;
    endpoints: string[];
  };
  return { child, info, endpoint: endpoints[0]! };
}

/** What a peer says of the numbered messages: the next one it awaits, how many came out of turn, held calls. */
export async function counts(
  client: Messenger,
  to: InstanceId,
): Promise<{ next: number; wrong: number; held: number }> {
  const answer = await client.unary("counts", { to, timeoutMs: 60_000 });
  return JSON.parse(new TextDecoder().decode(answer));
}

/** Stops a process, and lets it go on when the test ends. */
export function stop(t: LeakCheck, child: SpawnedProcess): void {
  process.kill(child.pid, "SIGSTOP");
  // So that the process can be ended whatever becomes of the test.
  t.defer(() => {
    if (child.ended === undefined) process.kill(child.pid, "SIGCONT");
  });
}
