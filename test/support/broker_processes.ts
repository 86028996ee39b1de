import type { LeakCheck } from "./fixture.ts";
import type { RuntimeName } from "./runtime.ts";
import { type SpawnedProcess, spawnScript } from "./spawn.ts";

const program = "test/process/broker_program.ts";

/** Keys of CURVE. */
export interface Keys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** A broker as clients need it. */
export interface BrokerAddress {
  readonly endpoint: string;
  readonly publicKey: string | null;
}

/** A broker in a process of its own. */
export interface BrokerProcess extends BrokerAddress {
  readonly child: SpawnedProcess;
  /** What it answers to a line. */
  ask(line: string): Promise<never>;
}

/** Starts a broker in a process of its own. */
export async function brokerProcess(
  t: LeakCheck,
  options: { heartbeatMs?: number; keys?: Keys; endpoint?: string; runtime?: RuntimeName | "self" } = {},
): Promise<BrokerProcess> {
  const { endpoint = "tcp://127.0.0.1:0", runtime, ...rest } = options;
  const child = t.use(spawnScript(program, ["broker", endpoint, "-", JSON.stringify(rest)], { runtime }));
  const ready = JSON.parse((await child.waitForLine("ready ", 20_000)).slice("ready ".length));
  return { ...ready, child, ask: asking(child) };
}

/** Starts clients of a broker in a process of their own. */
export function clientProcess(
  t: LeakCheck,
  role: "crowd" | "produce" | "consume",
  { endpoint, publicKey }: BrokerAddress,
  options: Record<string, unknown>,
  runtime?: RuntimeName | "self",
): SpawnedProcess & { ask(line: string): Promise<never> } {
  const args = [role, endpoint, publicKey ?? "-", JSON.stringify(options)];
  const child = t.use(spawnScript(program, args, { runtime }));
  return Object.assign(child, { ask: asking(child) });
}

/** The notices that a process has printed. */
export function noticesOf(child: SpawnedProcess): { type: string; channel: string; reason?: string }[] {
  return child.outputText.split("\n").filter((line) => line.startsWith("notice "))
    .map((line) => JSON.parse(line.slice("notice ".length)));
}

function asking(child: SpawnedProcess): (line: string) => Promise<never> {
  return async (line) => {
    const name = line.split(" ")[0]!;
    // Answers come in the order of the questions, and only the one to this question is new.
    const before = child.outputText.split("\n").filter((one) => one.startsWith(`${name} `)).length;
    child.write(`${line}\n`);
    for (;;) {
      const all = child.outputText.split("\n").slice(0, -1).filter((one) => one.startsWith(`${name} `));
      const answer = all[before];
      if (answer !== undefined) return JSON.parse(answer.slice(name.length + 1)) as never;
      if (child.ended !== undefined) throw new Error(`the process ended: ${child.errorText}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
}
