/** Makes the page of the benchmarks and its plot from a result: `bun run bench/report.ts --help`. */
import { readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { basename, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { repositoryRoot, runtimeProgram } from "../test/support/runtime.ts";
import type { BenchResult } from "./harness/bench_result.ts";
import { pageOf } from "./report/page.ts";
import { plotOf } from "./report/plot.ts";

const help = `Makes docs/benchmarks.md and docs/benchmarks.svg from docs/benchmarks.json.

bun run bench/report.ts [--data FILE] [--check]

  --data FILE   another result; it is copied to docs/benchmarks.json
  --check       writes nothing; fails when the page or the plot is not that of the result
  --help        this text`;

const target = `${repositoryRoot}/docs/benchmarks`;

/** Formats text by the repository's formatter. */
function formatted(text: string, extension: "md" | "svg" | "json"): string {
  const options = { input: text, encoding: "utf8", cwd: repositoryRoot, maxBuffer: 2 ** 26 } as const;
  const { status, stdout, stderr } = spawnSync(
    runtimeProgram("deno"),
    ["fmt", "--quiet", "--ext", extension, "-"],
    options,
  );
  if (status !== 0) throw new Error(`Could not format the ${extension}: ${stderr || "deno fmt did not run"}`);
  return stdout;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      check: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return console.log(help);
  const data = readFileSync(resolve(values.data ?? `${target}.json`), "utf8");
  const result = JSON.parse(data) as BenchResult;
  const names = { data: basename(`${target}.json`), plot: basename(`${target}.svg`) };
  const files = {
    json: formatted(data, "json"),
    md: formatted(pageOf(result, names), "md"),
    svg: formatted(plotOf(result), "svg"),
  };
  for (const [extension, text] of Object.entries(files)) {
    const path = `${target}.${extension}`;
    if (!values.check) writeFileSync(path, text);
    else if (readFileSync(path, "utf8") !== text) {
      throw new Error(`${basename(path)} is not that of the result: run bun run bench/report.ts`);
    }
  }
  console.log(values.check ? "the page is that of the result" : "written: docs/benchmarks.md, .svg, .json");
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
