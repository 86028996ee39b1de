import { existsSync, readFileSync } from "node:fs";
import { runCommand } from "../run_command.ts";
import { countJunit, type Counts } from "./junit.ts";
import { unhandledMark } from "./unhandled_mark.ts";

/** The result of a job. */
export interface JobResult extends Counts {
  /** Output of the runtime. */
  readonly output: string;
  /** Lines of the output that are always shown, such as seeds. */
  readonly notes: readonly string[];
  /** Duration in milliseconds. */
  readonly tookMs: number;
}

/** Options of {@link runJob}. */
export interface JobOptions {
  /** The command of the job. */
  command: readonly string[];
  /** Path of its JUnit report. */
  report: string;
  /** Its environment. */
  env: Readonly<Record<string, string | undefined>>;
  /** Time after which it is killed, in milliseconds. */
  timeoutMs: number;
  /** Whether a file may have no tests, as when tests are selected by name. */
  mayBeEmpty: boolean;
}

/**
 * Runs one test file and counts its tests. Whatever makes the counts unreliable is a failure with its own name: no
 * report, no tests, a bad exit code although every test passed, an uncaught error, a process left behind, a timeout.
 */
export async function runJob(options: JobOptions): Promise<JobResult> {
  const result = await runCommand(options.command, options);
  const reported = existsSync(options.report);
  const counts = reported ? countJunit(readFileSync(options.report, "utf8")) : undefined;
  const failed = [...counts?.failed ?? []];
  const ended = result.signal === null ? `exit code ${result.code}` : result.signal;
  const total = (counts?.passed ?? 0) + failed.length + (counts?.skipped.length ?? 0);
  if (result.timedOut) {
    failed.push(`(no end within ${options.timeoutMs / 1000} s: killed)`);
  } else if (!reported && result.code === 0 && /^\s*Ran 0 tests|^\s*0 pass\b/m.test(result.output)) {
    // Bun writes no report for a file without tests.
    if (!options.mayBeEmpty) failed.push("(the file has no tests)");
  } else if (!reported) {
    failed.push(`(ended without a report, ${ended})`);
  } else if (total === 0 && result.code === 0) {
    if (!options.mayBeEmpty) failed.push("(the file has no tests)");
  } else if (result.code !== 0 && failed.length === 0) {
    // With a filter that selects no test, both runtimes exit with an error.
    if (!(options.mayBeEmpty && counts?.passed === 0)) failed.push(`(${ended} though no test failed)`);
  }
  if (failed.length === 0 && result.output.includes(unhandledMark)) failed.push("(an error no test caught)");
  for (const command of result.leftBehind) failed.push(`(left a process behind: ${command})`);
  return {
    passed: counts?.passed ?? 0,
    // The runtimes count tests that the filter excludes as skipped; they are of no interest.
    skipped: options.mayBeEmpty ? [] : counts?.skipped ?? [],
    failed,
    output: result.output,
    notes: result.output.split("\n").filter((line) => /^# (?!Unhandled)|^\S*seed\b/i.test(line)),
    tookMs: result.tookMs,
  };
}
