import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { repositoryRoot, runtimeProgram } from "../../test/support/runtime.ts";
import { runCommand } from "../run_command.ts";

/** The `@std/assert` of the tests under `test/deno`. */
export interface StdAssert {
  /** Flags for Deno. */
  readonly denoFlags: readonly string[];
  /** One line for people. */
  readonly note: string;
}

let found: Promise<StdAssert> | undefined;

/**
 * Checks whether JSR with `@std/assert` can be reached, and if not, writes an import map into the folder that replaces
 * it by `test/deno/std_assert.ts`.
 */
export function stdAssert(folder: string): Promise<StdAssert> {
  return found ??= probe(folder);
}

async function probe(folder: string): Promise<StdAssert> {
  const config: unknown = JSON.parse(readFileSync(`${repositoryRoot}/deno.json`, "utf8"));
  const imports = importsOf(config);
  const specifier = imports["@std/assert"] ?? "jsr:@std/assert@1";
  const command = [runtimeProgram("deno"), "cache", "--quiet", "--no-config", specifier];
  const result = await runCommand(command, { timeoutMs: 5000 });
  if (result.code === 0) return { denoFlags: [], note: `@std/assert is ${specifier}` };
  const base = pathToFileURL(`${repositoryRoot}/`);
  const absolute: Record<string, string> = {};
  for (const [name, target] of Object.entries(imports)) {
    absolute[name] = target.startsWith("./") ? new URL(target, base).href : target;
  }
  absolute["@std/assert"] = new URL("test/deno/std_assert.ts", base).href;
  const path = `${folder}/import_map.json`;
  writeFileSync(path, JSON.stringify({ imports: absolute }));
  return {
    denoFlags: [`--import-map=${path}`],
    note: "@std/assert cannot be fetched here: test/deno/std_assert.ts stands in for it",
  };
}

function importsOf(config: unknown): Record<string, string> {
  if (typeof config !== "object" || config === null || !("imports" in config)) return {};
  return config.imports as Record<string, string>;
}
