/** The command `zeromesh`, run from the sources. */
import { discoveryPermissions } from "./discovery_peers.ts";
import { currentRuntime, scriptCommand } from "./runtime.ts";
import { type SpawnedProcess, spawnScript } from "./spawn.ts";
import { within } from "./until.ts";

/** The end of a command, and its output. */
export interface CliRun {
  /** Its exit code. */
  readonly code: number | null;
  /** Its standard output. */
  readonly output: string;
  /** Its standard error. */
  readonly errors: string;
}

/** The words that start a command on this runtime. */
export function cliCommand(args: readonly string[]): string[] {
  return scriptCommand(currentRuntime, "src/cli/main.ts", { args, permissions: discoveryPermissions });
}

/** Starts a command. */
export function startCli(args: readonly string[]): SpawnedProcess {
  return spawnScript("src/cli/main.ts", args, { permissions: discoveryPermissions });
}

/** Runs a command to its end. */
export async function runCli(...args: string[]): Promise<CliRun> {
  await using child = startCli(args);
  const { code } = await within(child.exit, 30_000, `zeromesh ${args.join(" ")}`);
  return { code, output: child.outputText, errors: child.errorText };
}
