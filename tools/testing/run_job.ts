import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { repositoryRoot } from "../../test/support/runtime.ts";
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
  /** Processor time of the job and its descendants, in seconds. */
  readonly usedSeconds: number;
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
  /** The test files of the job. */
  files: readonly string[];
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
  const report = reported ? readFileSync(options.report, "utf8") : "";
  const counts = reported ? countJunit(report) : undefined;
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
  if (options.files.length > 1 && !options.mayBeEmpty) {
    for (const file of withoutTests(options.files, report)) failed.push(`(${file} has no tests)`);
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
    usedSeconds: result.usedSeconds,
  };
}

/** Files without tests in a report of Bun; Deno's reports do not name files, and each file runs on Bun too. */
function withoutTests(files: readonly string[], report: string): string[] {
  if (!report.includes(`name="bun test"`)) return [];
  const at = (file: string): string => resolve(repositoryRoot, file);
  const having = new Set(
    [...report.matchAll(/<testcase\b[^>]* file="([^"]*)"/g)].map(([, file = ""]) => at(file)),
  );
  return files.filter((file) => !having.has(at(file)));
}
