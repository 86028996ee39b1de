import { readFileSync } from "node:fs";
import process from "node:process";
import { type Job, rings } from "./plan.ts";
import type { JobResult } from "./run_job.ts";

/** A finished job. */
export interface Done extends Job {
  readonly result: JobResult;
}

const slowestShown = 20;

/** Prints the result and number of each finished file, and on a terminal, in the last line, the running ones. */
export class Progress {
  readonly #of: number;
  readonly #start = performance.now();
  readonly #running = new Set<Job>();
  readonly #inPlace = process.stdout.isTTY === true;
  readonly #ticker: ReturnType<typeof setInterval> | undefined;
  #done = 0;

  /** @param of Number of files. */
  constructor(of: number) {
    this.#of = of;
    if (this.#inPlace) this.#ticker = setInterval(() => this.#show(), 1000);
  }

  /** Notes the start of a file. */
  start(job: Job): void {
    this.#running.add(job);
    this.#show();
  }

  /** Notes the end of a file. A repeated run counts once. */
  end(job: Job, result: JobResult, verbose: boolean): void {
    this.#running.delete(job);
    this.#done = Math.min(this.#of, this.#done + 1);
    const bad = result.failed.length > 0;
    const counts = `${result.passed} passed${bad ? `, ${result.failed.length} FAILED` : ""}${
      result.skipped.length > 0 ? `, ${result.skipped.length} skipped` : ""
    }`;
    const seconds = (result.tookMs / 1000).toFixed(1);
    this.say(
      `${bad ? "FAIL" : "ok  "} ${job.runtime.padEnd(4)} ${
        job.file.padEnd(48)
      } ${counts} (${seconds} s) [${this.#done} of ${this.#of}]`,
    );
    if (bad || verbose) {
      this.say(result.output.trimEnd().replaceAll(/^/gm, "     | "));
      for (const name of result.failed) this.say(`     failed: ${name}`);
    } else {
      for (const note of result.notes) this.say(`     ${note}`);
    }
    this.#show();
  }

  /** Prints permanent lines. */
  say(text: string): void {
    this.#clear();
    console.log(text);
  }

  /** Ends the progress line. */
  close(): void {
    clearInterval(this.#ticker);
    this.#clear();
  }

  #clear(): void {
    if (this.#inPlace) process.stdout.write("\r\x1b[K");
  }

  #show(): void {
    if (!this.#inPlace) return;
    const names = [...this.#running].map(({ runtime, file }) =>
      `${runtime} ${file.replace(/^test\//, "").replace(/_test\.ts$/, "")}`
    );
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(0);
    const line = `${this.#done} of ${this.#of} files, ${seconds} s; running: ${names.join(", ")}`;
    process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
  }
}

/** Prints the summary; its last line is "N passed, N failed". Returns whether all passed. */
export function printSummary(done: readonly Done[], tookMs: number): boolean {
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
    for (const runtime of ["bun", "deno"]) {
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
  const used = processorSeconds();
  console.log(
    `${done.length} files in ${(tookMs / 1000).toFixed(0)} s${
      used === undefined ? "" : `, with ${used.toFixed(0)} s of processor time`
    }`,
  );
  if (done.length === 0) console.log("Nothing ran.");
  console.log(line(done));
  return sum(done, (result) => result.failed.length) === 0 && sum(done, (result) => result.passed) > 0;
}

/** Processor time of this process's descendants; undefined without `/proc`. */
function processorSeconds(): number | undefined {
  try {
    // The command's name is in parentheses and may hold spaces; the state is the third field.
    const fields = readFileSync("/proc/self/stat", "utf8").replace(/^.*\) /s, "").split(" ");
    // The unit is a hundredth of a second on every Linux.
    return (Number(fields[13]) + Number(fields[14])) / 100;
  } catch {
    return undefined;
  }
}
