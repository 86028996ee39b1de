/**
 * `test` for files that run in the test runner and, as they are, in a Worker, where the runner's own refuses to work.
 * There it collects what `worker_suite.ts` then runs.
 */
import * as runner from "node:test";
import { isMainThread } from "node:worker_threads";

/** What a test's body may ask of its runner. */
export interface TestContext {
  /** The test does not apply here. */
  skip(reason?: string): void;
  /** Something worth knowing. */
  diagnostic(message: string): void;
}

/** How a test is told from others. */
export interface TestOptions {
  /** Why it does not run, if it does not. */
  skip?: string | boolean | undefined;
}

/** A test's body. */
export type TestBody = (context: TestContext) => void | Promise<void>;

/** A test that was collected. */
export interface CollectedTest {
  readonly name: string;
  readonly skip: boolean;
  readonly body: TestBody;
}

/** What the files imported in this Worker want to be run. */
export const collected: CollectedTest[] = [];

/** Declares a test. */
export function test(name: string, body: TestBody): void;
export function test(name: string, options: TestOptions, body: TestBody): void;
export function test(name: string, second: TestOptions | TestBody, third?: TestBody): void {
  const options = typeof second === "function" ? {} : second;
  const body = (typeof second === "function" ? second : third)!;
  if (!isMainThread) {
    collected.push({ name, skip: Boolean(options.skip), body });
    return;
  }
  const { skip = false } = options;
  void runner.test(name, { skip }, body);
}
