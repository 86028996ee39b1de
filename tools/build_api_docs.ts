/** Writes the documentation of all entry points as HTML: `bun run tools/build_api_docs.ts [FOLDER]`. */
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { repositoryRoot, runtimeProgram } from "../test/support/runtime.ts";
import { killAllOnSignals, runCommand } from "./run_command.ts";

killAllOnSignals();
const folder = process.argv[2] ?? "dist/api";
const out = resolve(repositoryRoot, folder);
const manifest: unknown = JSON.parse(readFileSync(`${repositoryRoot}/deno.json`, "utf8"));
const entries = Object.values((manifest as { exports: Record<string, string> }).exports);
// Pages of removed exports would remain.
if (process.argv[2] === undefined) rmSync(out, { recursive: true, force: true });
const command = [runtimeProgram("deno"), "doc", "--html", "--name=zeromesh", `--output=${out}`, ...entries];
const result = await runCommand(command, { timeoutMs: 120_000 });
console.log(result.code === 0 ? `${folder}: ${entries.length} entry points` : result.output);
process.exitCode = result.code === 0 ? 0 : 1;
