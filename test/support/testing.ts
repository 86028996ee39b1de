/**
 * `test` of the runner, with the reason in the title of what is skipped. In a Worker, where the runner's own refuses to
 * work, it collects what `worker_suite.ts` then runs.
 */
import * as runner from "node:test";
import { isMainThread } from "node:worker_threads";

/** The functions of the runner for the body of a test. */
export interface TestContext {
  /** Something worth knowing. */
  diagnostic(message: string): void;
}

/** Options of a test. */
export interface TestOptions {
  /** Why it does not run here; false when it does. */
  skip?: string | false | undefined;
}

/** A test's body. */
export type TestBody = (context: TestContext) => void | Promise<void>;

/** A test that was collected. */
export interface CollectedTest {
  readonly name: string;
  readonly skip: boolean;
  readonly body: TestBody;
}

/** The tests of the files that this Worker has imported. */
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
  void runner.test(skip === false ? name : `${name} (skipped: ${skip})`, { skip: skip !== false }, body);
}
