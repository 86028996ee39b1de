/** Measures the library beside its baselines: `bun run bench --help`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../test/support/runtime.ts";
import { killAll } from "../tools/run_command.ts";
import {
  baselines,
  type BenchResult,
  ours,
  type ScenarioResult,
  subjectTitles,
} from "./harness/bench_result.ts";
import { killPeers } from "./harness/peer_process.ts";
import { runScenario } from "./harness/rounds.ts";
import type { Scenario } from "./harness/scenario.ts";
import { namesIn, type Settings, settingsFrom } from "./harness/settings.ts";
import { asText, tablesOf } from "./harness/tables.ts";
import { machine, versions } from "./harness/versions.ts";
import { scenarios } from "./scenarios/mod.ts";

const help =
  `Measures zeromesh between two processes, in turn with other ways to do the same, and prints medians.

bun run bench [options]

  --only NAMES      these scenarios only, separated by commas
  --rounds N        how often each figure is taken (5; with --quick 1)
  --ms N            how long each case is measured (1000; with --quick 200)
  --quick           fewer and shorter cases: shows that everything works, no more
  --runtimes NAMES  ${ours.join(", ")} (all); mixed is Bun calling Deno
  --baselines NAMES ${baselines.join(", ")} (all), or none
  --out FILE        where the JSON goes (bench/results/DATE.json)
  --help            this text

${scenarios.map(({ name, title }) => `  ${name.padEnd(17)} ${title}`).join("\n")}

C needs a C compiler and zmq.h, zeromq and grpc need Node and npm, nats needs npm and nats-server. What is not there
is skipped, and the output says why. "bun run bench/report.ts" makes the page of a JSON file.`;

function options() {
  return parseArgs({
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      ms: { type: "string" },
      quick: { type: "boolean", default: false },
      runtimes: { type: "string", default: ours.join(",") },
      baselines: { type: "string", default: baselines.join(",") },
      out: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  }).values;
}

function print(result: ScenarioResult): void {
  console.log(`\n${result.title}  [${result.name}, ${result.tookSeconds} s]\n${result.question}\n`);
  for (const table of tablesOf(result)) console.log(`${asText(table)}\n`);
  for (const { ok, text } of result.verdicts) console.log(`${ok ? "ok    " : "NOT OK"} ${text}`);
  for (const { subject, reason } of result.skipped) {
    console.log(`skipped: ${subjectTitles[subject]}: ${reason}`);
  }
  for (const problem of result.problems) console.log(`PROBLEM ${problem}`);
}

/** Measures, and keeps what there is after each scenario: a run that is broken off has measured something. */
async function measure(
  chosen: readonly Scenario[],
  settings: Settings,
  keep: (result: BenchResult) => void,
): Promise<BenchResult> {
  const progress = process.stderr.isTTY
    ? (text: string) => void process.stderr.write(`\r\x1b[K${text}`)
    : () => {};
  const { rounds, ms, quick } = settings;
  const all: BenchResult = {
    schema: 1,
    date: new Date().toISOString(),
    machine: machine(),
    versions: await versions(),
    settings: { rounds, ms, quick },
    scenarios: [],
  };
  let result = all;
  for (const scenario of chosen) {
    const one = await runScenario(scenario, settings, progress);
    progress("");
    print(one);
    result = { ...result, scenarios: [...result.scenarios, one] };
    keep(result);
  }
  return result;
}

async function main(): Promise<void> {
  const values = options();
  if (values.help) return console.log(help);
  const all = scenarios.map(({ name }) => name);
  const names = values.only === undefined ? all : namesIn("only", values.only, all);
  const folder = mkdtempSync(join(tmpdir(), "zeromesh-bench-"));
  const cleanUp = (): void => {
    killPeers();
    killAll();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    process.once(signal, () => {
      cleanUp();
      process.exit(code);
    });
  }
  try {
    const settings = settingsFrom({ ...values, folder });
    const started = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const out = resolve(values.out ?? `${repositoryRoot}/bench/results/${started}.json`);
    mkdirSync(dirname(out), { recursive: true });
    const chosen = scenarios.filter(({ name }) => names.includes(name));
    const result = await measure(chosen, settings, (kept) => {
      writeFileSync(out, `${JSON.stringify(kept, null, 2)}\n`);
    });
    console.log(`\nwritten: ${relative(process.cwd(), out)}`);
    if (result.scenarios.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
  } finally {
    cleanUp();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
