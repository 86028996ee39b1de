/**
 * Runs the tests on both runtimes: `bun run tools/test.ts --help`.
 *
 * Every file runs in a process of its own, so that a file cannot disturb another, and one that hangs can be
 * killed and named.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { repositoryRoot, type RuntimeName } from "../test/support/runtime.ts";
import { killAllOnSignals } from "./run_command.ts";
import { buildVelo } from "./testing/build_velo.ts";
import { type Job, jobCommand, planJobs, rings, runsAlone } from "./testing/plan.ts";
import { type JobResult, runJob } from "./testing/run_job.ts";
import { stdAssert } from "./testing/std_assert.ts";

const help = `Runs the tests on Bun and Deno.

bun run tools/test.ts [options] [PATTERN]

  --runtime bun|deno|both   where to run (both)
  --ring NAMES              only these rings: ${rings.map((ring) => ring.name).join(",")} (all)
  --only PATTERN            only files whose path matches this regular expression
  --name PATTERN            only tests whose name matches this regular expression
  --quick                   only the ring unit and the main files of conformance: less than two minutes
  --long                    also the long tests: files named *_long_test.ts, ZEROMESH_LONG=1 for all
  --file-timeout SECONDS    kill a file that takes longer (180; 900 with --long)
  --verbose                 print what every file prints, not only what failing files do
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
  const seconds = Number(values["file-timeout"] ?? (values.long ? 900 : 180));
  if (!(seconds > 0)) throw new Error("--file-timeout is a number of seconds");
  return {
    runtimes: runtime === "both" ? ["bun", "deno"] : [runtime],
    rings: chosen,
    only: pattern === undefined ? undefined : new RegExp(pattern),
    name: values.name,
    long: values.long,
    quick: values.quick,
    fileTimeoutMs: seconds * 1000,
    verbose: values.verbose,
  };
}

const slowestShown = 20;

interface Done extends Job {
  readonly result: JobResult;
}

async function runAll(jobs: readonly Job[], args: Arguments, folder: string): Promise<Done[]> {
  const needsAssert = jobs.some((job) => job.ring.name === "deno");
  const assert = needsAssert ? await stdAssert(folder) : { denoFlags: [], note: "" };
  if (assert.note !== "") console.log(`# ${assert.note}`);
  const done: Done[] = [];
  let started = 0;
  const runOne = async (job: Job): Promise<void> => {
    // Short, because the paths of Unix sockets are.
    const own = `${folder}/${++started}`;
    mkdirSync(own);
    const report = `${own}/report.xml`;
    const command = jobCommand(job, {
      report,
      // Deno lets the files write here, and `os.tmpdir()` leads here.
      temporaryFolder: own,
      testTimeoutMs: Math.max(1000, args.fileTimeoutMs - 5000),
      names: args.name,
      denoFlags: job.ring.name === "deno" ? assert.denoFlags : [],
    });
    const env = testEnvironment(own, args.long);
    const options = {
      command,
      report,
      env,
      timeoutMs: args.fileTimeoutMs,
      mayBeEmpty: args.name !== undefined,
    };
    const result = await runJob(options);
    done.push({ ...job, result });
    printJob(job, result, { verbose: args.verbose, done: done.length, of: jobs.length });
    rmSync(own, { recursive: true, force: true });
  };
  for (const ring of rings) {
    const ofRing = jobs.filter((job) => job.ring === ring);
    const together = ofRing.filter((job) => !runsAlone(job));
    const lane = async (): Promise<void> => {
      for (let job = together.shift(); job !== undefined; job = together.shift()) await runOne(job);
    };
    await Promise.all(Array.from({ length: ring.jobs }, lane));
    for (const job of ofRing.filter(runsAlone)) await runOne(job);
  }
  // On a busy machine something may come too late once. What fails alone and again has a fault.
  for (const first of done.filter(({ result }) => result.failed.length > 0)) {
    console.log(
      `once more, alone: ${first.runtime} ${first.file}, where ${first.result.failed.join("; ")} failed`,
    );
    done.splice(done.indexOf(first), 1);
    await runOne(first);
  }
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

function printJob(
  job: Job,
  result: JobResult,
  { verbose, done, of }: { verbose: boolean; done: number; of: number },
): void {
  const bad = result.failed.length > 0;
  const counts = `${result.passed} passed${bad ? `, ${result.failed.length} FAILED` : ""}${
    result.skipped.length > 0 ? `, ${result.skipped.length} skipped` : ""
  }`;
  const seconds = (result.tookMs / 1000).toFixed(1);
  console.log(
    `${bad ? "FAIL" : "ok  "} ${job.runtime.padEnd(4)} ${
      job.file.padEnd(48)
    } ${counts} (${seconds} s) ${`[${done} of ${of}]`}`,
  );
  if (bad || verbose) {
    console.log(result.output.trimEnd().replaceAll(/^/gm, "     | "));
    for (const name of result.failed) console.log(`     failed: ${name}`);
  } else {
    for (const note of result.notes) console.log(`     ${note}`);
  }
}

function printSummary(done: readonly Done[], tookMs: number): boolean {
  const sum = (jobs: readonly Done[], count: (result: JobResult) => number): number =>
    jobs.reduce((total, one) => total + count(one.result), 0);
  const line = (jobs: readonly Done[]): string => {
    const skipped = sum(jobs, (result) => result.skipped.length);
    return `${sum(jobs, (result) => result.passed)} passed, ${
      sum(jobs, (result) => result.failed.length)
    } failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  };
  console.log("");
  for (const one of done) {
    for (const name of one.result.skipped) console.log(`skipped: ${one.runtime} ${one.file}: ${name}`);
  }
  for (const one of done) {
    for (const name of one.result.failed) console.log(`failed:  ${one.runtime} ${one.file}: ${name}`);
  }
  for (const ring of rings) {
    for (const runtime of ring.runtimes) {
      const jobs = done.filter((one) => one.ring === ring && one.runtime === runtime);
      if (jobs.length === 0) continue;
      const seconds = (sum(jobs, (result) => result.tookMs) / 1000).toFixed(0);
      console.log(
        `${ring.name.padEnd(12)} on ${runtime.padEnd(4)}  ${jobs.length} files, ${seconds} s: ${line(jobs)}`,
      );
    }
  }
  if (done.length > slowestShown) {
    console.log("slowest files:");
    const slowest = done.toSorted((a, b) => b.result.tookMs - a.result.tookMs).slice(0, slowestShown);
    for (const { runtime, file, result } of slowest) {
      console.log(`${(result.tookMs / 1000).toFixed(1).padStart(8)} s  ${runtime.padEnd(4)} ${file}`);
    }
  }
  console.log(`${done.length} files in ${(tookMs / 1000).toFixed(0)} s`);
  if (done.length === 0) console.log("Nothing ran.");
  console.log(line(done));
  return sum(done, (result) => result.failed.length) === 0 && sum(done, (result) => result.passed) > 0;
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
    if (jobs.some((job) => job.file.includes("/velo"))) buildVelo();
    const done = await runAll(jobs, args, folder);
    return printSummary(done, performance.now() - start) ? 0 : 1;
  } finally {
    cleanup();
  }
}

process.exit(await main());
