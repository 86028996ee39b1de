import { mkdirSync } from "node:fs";
import { runtimeProgram } from "../../test/support/runtime.ts";
import { runCommand } from "../run_command.ts";

/**
 * Builds and packs the package into a folder, once for all files that test it.
 *
 * @returns The folder; undefined if packing failed: each file then tries itself, and reports the failure.
 */
export async function packPackage(folder: string): Promise<string | undefined> {
  mkdirSync(folder);
  const command = [runtimeProgram("bun"), "pm", "pack", "--destination", folder];
  return (await runCommand(command, { timeoutMs: 180_000 })).code === 0 ? folder : undefined;
}
