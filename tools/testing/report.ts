import process from "node:process";
import { processorSeconds } from "../run_command.ts";
import { type Job, rings, titleOf } from "./plan.ts";
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

  /** Notes the start of a job. */
  start(job: Job): void {
    this.#running.add(job);
    this.#show();
  }

  /** Notes the end of a job. A repeated run of a file counts once. */
  end(job: Job, result: JobResult, verbose: boolean): void {
    this.#running.delete(job);
    this.#done = Math.min(this.#of, this.#done + job.files.length);
    const bad = result.failed.length > 0;
    const counts = `${result.passed} passed${bad ? `, ${result.failed.length} FAILED` : ""}${
      result.skipped.length > 0 ? `, ${result.skipped.length} skipped` : ""
    }`;
    const seconds = `${(result.tookMs / 1000).toFixed(1)} s, ${result.usedSeconds.toFixed(1)} of processor`;
    this.say(
      `${bad ? "FAIL" : "ok  "} ${job.runtime.padEnd(4)} ${
        titleOf(job).padEnd(48)
      } ${counts} (${seconds}) [${this.#done} of ${this.#of}]`,
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
    const names = [...this.#running].map((job) =>
      `${job.runtime} ${titleOf(job).replace(/^test\//, "").replaceAll("_test.ts", "")}`
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
    for (const name of one.result.skipped) console.log(`skipped: ${one.runtime} ${titleOf(one)}: ${name}`);
  }
  for (const one of done) {
    for (const name of one.result.failed) console.log(`failed:  ${one.runtime} ${titleOf(one)}: ${name}`);
  }
  for (const ring of rings) {
    for (const runtime of ["bun", "deno"]) {
      const jobs = done.filter((one) => one.ring === ring && one.runtime === runtime);
      if (jobs.length === 0) continue;
      const seconds = `${(sum(jobs, (result) => result.tookMs) / 1000).toFixed(0)} s, ${
        sum(jobs, (result) => result.usedSeconds).toFixed(0)
      } of processor`;
      console.log(
        `${ring.name.padEnd(12)} on ${runtime.padEnd(4)}  ${filesOf(jobs)} files, ${seconds}: ${line(jobs)}`,
      );
    }
  }
  if (done.length > slowestShown) {
    console.log("slowest:");
    const slowest = done.toSorted((a, b) => b.result.tookMs - a.result.tookMs).slice(0, slowestShown);
    for (const one of slowest) {
      const { runtime, result } = one;
      const seconds = (result.tookMs / 1000).toFixed(1).padStart(8);
      const used = result.usedSeconds.toFixed(1).padStart(6);
      console.log(`${seconds} s, ${used} of processor  ${runtime.padEnd(4)} ${titleOf(one)}`);
    }
  }
  console.log(
    `${filesOf(done)} files in ${(tookMs / 1000).toFixed(0)} s, with ${
      processorSeconds().toFixed(0)
    } s of processor time`,
  );
  if (done.length === 0) console.log("Nothing ran.");
  console.log(line(done));
  return sum(done, (result) => result.failed.length) === 0 && sum(done, (result) => result.passed) > 0;
}

function filesOf(jobs: readonly Job[]): number {
  return jobs.reduce((sum, { files }) => sum + files.length, 0);
}
