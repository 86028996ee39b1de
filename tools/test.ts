/**
 * Runs the tests on both runtimes: `bun run tools/test.ts --help`.
 *
 * Most files run in their own process, so that files cannot disturb each other, and one that hangs can be killed and
 * named. Small files share a process; after a failure there, each of them runs again in its own.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { repositoryRoot, type RuntimeName } from "../test/support/runtime.ts";
import { killAllOnSignals } from "./run_command.ts";
import { buildVelo } from "./testing/build_velo.ts";
import { laneCount, runInLanes } from "./testing/lanes.ts";
import { packPackage } from "./testing/package.ts";
import {
  type Job,
  jobCommand,
  lanesOf,
  oneByOne,
  planJobs,
  rings,
  titleOf,
  usesPackage,
  usesVelo,
} from "./testing/plan.ts";
import { type Done, printSummary, Progress } from "./testing/report.ts";
import { runJob } from "./testing/run_job.ts";
import { stdAssert } from "./testing/std_assert.ts";

const help = `Runs the tests on Bun and Deno.

bun run tools/test.ts [options] [PATTERN]

  --runtime bun|deno|both   where to run (both)
  --ring NAMES              only these rings: ${rings.map((ring) => ring.name).join(",")} (all)
  --only PATTERN            only files whose path matches this regular expression
  --name PATTERN            only tests whose name matches this regular expression
  --quick                   only the ring unit and the main files of conformance (less than two minutes)
  --long                    also the long tests: files named *_long_test.ts, and ZEROMESH_LONG=1 for all
  --lanes COUNT             how many files run at once (five for two processors: ${laneCount} here)
  --file-timeout SECONDS    kill a process that takes longer (240; 900 with --long)
  --verbose                 print the output of every file, not only of failing ones
  --help                    this text

The last line is "N passed, N failed" (and ", N skipped"). The exit code is 0 when nothing failed and
something ran. ZEROMESH_SEED repeats a run of the tests that use random numbers.`;

interface Arguments {
  runtimes: readonly RuntimeName[];
  rings: readonly string[];
  only: RegExp | undefined;
  name: string | undefined;
  long: boolean;
  quick: boolean;
  lanes: number;
  fileTimeoutMs: number;
  verbose: boolean;
}

function parseArguments(args: readonly string[]): Arguments | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runtime: { type: "string", default: "both" },
      ring: { type: "string" },
      only: { type: "string" },
      name: { type: "string" },
      long: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      lanes: { type: "string", default: String(laneCount) },
      "file-timeout": { type: "string" },
      verbose: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const { runtime } = values;
  if (runtime !== "bun" && runtime !== "deno" && runtime !== "both") {
    throw new Error(`--runtime is bun, deno or both, not ${runtime}`);
  }
  const known = rings.map((ring) => ring.name);
  const chosen = values.ring?.split(",") ?? known;
  const unknown = chosen.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`--ring knows ${known.join(", ")}, not ${unknown.join(", ")}`);
  if (positionals.length > 1) throw new Error("At most one PATTERN");
  const pattern = values.only ?? positionals[0];
  if (values.quick && values.long) throw new Error("--quick and --long exclude each other");
  const seconds = Number(values["file-timeout"] ?? (values.long ? 900 : 240));
  if (!(seconds > 0)) throw new Error("--file-timeout is a number of seconds");
  const lanes = Number(values.lanes);
  if (!(Number.isInteger(lanes) && lanes > 0)) throw new Error("--lanes is a whole number above 0");
  return {
    runtimes: runtime === "both" ? ["bun", "deno"] : [runtime],
    rings: chosen,
    only: pattern === undefined ? undefined : new RegExp(pattern),
    name: values.name,
    long: values.long,
    quick: values.quick,
    lanes,
    fileTimeoutMs: seconds * 1000,
    verbose: values.verbose,
  };
}

async function runAll(jobs: readonly Job[], args: Arguments, folder: string): Promise<Done[]> {
  const needsAssert = jobs.some((job) => job.ring.name === "deno");
  const assert = needsAssert ? await stdAssert(folder) : { denoFlags: [], note: "" };
  if (assert.note !== "") console.log(`# ${assert.note}`);
  const done: Done[] = [];
  const progress = new Progress(jobs.reduce((sum, { files }) => sum + files.length, 0));
  let started = 0;
  // Both take a while and begin at once, beside the files that need neither.
  const packed = jobs.some(usesPackage) ? packPackage(`${folder}/packed`) : undefined;
  const built = jobs.some(usesVelo) ? buildVelo() : undefined;
  void built?.then((note) => progress.say(note));
  const runOne = async (job: Job): Promise<void> => {
    // Short, because paths of Unix sockets are limited.
    const own = `${folder}/${++started}`;
    mkdirSync(own);
    const report = `${own}/report.xml`;
    const command = jobCommand(job, {
      report,
      // Deno lets the files write here, and `os.tmpdir()` points here.
      temporaryFolder: own,
      testTimeoutMs: Math.max(1000, args.fileTimeoutMs - 5000),
      names: args.name,
      denoFlags: job.ring.name === "deno" ? assert.denoFlags : [],
    });
    const env: Record<string, string | undefined> = testEnvironment(own, args.long);
    progress.start(job);
    if (usesPackage(job)) env["ZEROMESH_PACKED"] = await packed;
    if (usesVelo(job)) await built;
    const result = await runJob({
      command,
      report,
      env,
      timeoutMs: args.fileTimeoutMs,
      files: job.files,
      mayBeEmpty: args.name !== undefined,
    });
    done.push({ ...job, result });
    progress.end(job, result, args.verbose);
    rmSync(own, { recursive: true, force: true });
  };
  await runInLanes(jobs, args.lanes, lanesOf, runOne);
  // On a busy machine a deadline may be missed once. A file that also fails alone has a fault.
  for (const first of done.filter(({ result }) => result.failed.length > 0)) {
    progress.say(
      `once more, alone: ${first.runtime} ${titleOf(first)}, where ${first.result.failed.join("; ")} failed`,
    );
    done.splice(done.indexOf(first), 1);
    for (const job of oneByOne(first)) await runOne(job);
  }
  progress.close();
  return done;
}

function testEnvironment(folder: string, long: boolean): Record<string, string | undefined> {
  return {
    ...process.env,
    PATH: `${repositoryRoot}/node_modules/.bin:${process.env["PATH"] ?? ""}`,
    TMPDIR: folder,
    NO_COLOR: "1",
    FORCE_COLOR: undefined,
    RUST_BACKTRACE: undefined,
    DENO_NO_UPDATE_CHECK: "1",
    ZEROMESH_LONG: long ? "1" : undefined,
  };
}

async function main(): Promise<number> {
  let args: Arguments | "help";
  try {
    args = parseArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return 2;
  }
  if (args === "help") {
    console.log(help);
    return 0;
  }
  const folder = mkdtempSync(`${tmpdir()}/zeromesh-`);
  const cleanup = (): void => rmSync(folder, { recursive: true, force: true });
  killAllOnSignals(cleanup);
  const start = performance.now();
  try {
    const jobs = planJobs(args);
    const done = await runAll(jobs, args, folder);
    return printSummary(done, performance.now() - start) ? 0 : 1;
  } finally {
    cleanup();
  }
}

process.exit(await main());
