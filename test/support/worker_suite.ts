/** Runs the tests of one file in a Worker, one after the other; posts the end of each, and then `null`. */
import { parentPort, workerData } from "node:worker_threads";
import { inspect } from "node:util";
import { collected } from "./testing.ts";

/** The end of a test in a Worker. */
export interface WorkerResult {
  readonly name: string;
  readonly outcome: "passed" | "skipped" | "failed";
  /** The error's stack. */
  readonly error?: string;
}

const { file } = workerData as { file: string };
/** The error's stack, with those of the errors in it, such as a failure beside one of the clean-up. */
const stackOf = (error: unknown): string => inspect(error);
const tell = (result: WorkerResult): void => parentPort!.postMessage(result);

// Bun opens a descriptor for a Worker's first line, which would count as a leak of the test that writes it.
console.log(`# the tests of ${file.split("/").at(-1)} in a Worker`);
await import(file);
for (const { name, skip, body } of collected) {
  try {
    if (!skip) await body({ diagnostic: () => {} });
    tell({ name, outcome: skip ? "skipped" : "passed" });
  } catch (error) {
    tell({ name, outcome: "failed", error: stackOf(error) });
  }
}
parentPort!.postMessage(null);
