import { mkdirSync } from "node:fs";
import { runtimeProgram } from "../../test/support/runtime.ts";
import { runCommand } from "../run_command.ts";

/**
 * Packs the package, which builds it, once for all files that try it, into a folder of its own.
 *
 * @returns The folder; undefined if it could not be packed: then each file tries for itself, and says why it fails.
 */
export async function packPackage(folder: string): Promise<string | undefined> {
  mkdirSync(folder);
  const command = [runtimeProgram("bun"), "pm", "pack", "--destination", folder];
  return (await runCommand(command, { timeoutMs: 180_000 })).code === 0 ? folder : undefined;
}
