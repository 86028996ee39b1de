import { existsSync, readFileSync } from "node:fs";
import { runCommand } from "../run_command.ts";
import { countJunit, type Counts } from "./junit.ts";
import { unhandledMark } from "./unhandled_mark.ts";

/** What a job came to. */
export interface JobResult extends Counts {
  /** What the runtime printed. */
  readonly output: string;
  /** Lines of the output that a reader wants in any case, such as seeds. */
  readonly notes: readonly string[];
  /** How long it took. */
  readonly tookMs: number;
}

/** How {@link runJob} runs a job. */
export interface JobOptions {
  /** The command of the job. */
  command: readonly string[];
  /** Where the command writes its JUnit report. */
  report: string;
  /** The variables of the command. */
  env: Readonly<Record<string, string | undefined>>;
  /** When the job is killed. */
  timeoutMs: number;
  /** Whether a file without any test is fine, as when tests are chosen by name. */
  mayBeEmpty: boolean;
}

/**
 * Runs one test file and counts. Whatever keeps the counts from being the truth is a failure with a name of its
 * own: no report, no tests, a bad exit code though every test passed, an error that no test caught, a process
 * left behind, no end in time.
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
    // A run in which the filter left nothing ends with an error under both runtimes.
    if (!(options.mayBeEmpty && counts?.passed === 0)) failed.push(`(${ended} though no test failed)`);
  }
  if (failed.length === 0 && result.output.includes(unhandledMark)) failed.push("(an error no test caught)");
  for (const command of result.leftBehind) failed.push(`(left a process behind: ${command})`);
  return {
    passed: counts?.passed ?? 0,
    // Where tests are chosen by name, the others count as skipped for the runtimes; nobody wants to read that.
    skipped: options.mayBeEmpty ? [] : counts?.skipped ?? [],
    failed,
    output: result.output,
    notes: result.output.split("\n").filter((line) => /^# (?!Unhandled)|^\S*seed\b/i.test(line)),
    tookMs: result.tookMs,
  };
}
