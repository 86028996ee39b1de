import { Worker } from "node:worker_threads";
import { longRun } from "./runtime.ts";
import { within } from "./until.ts";
import type { WorkerResult } from "./worker_suite.ts";

/** Runs the tests of a file in a Worker. */
export async function runInWorker(file: string): Promise<WorkerResult[]> {
  const results: WorkerResult[] = [];
  const worker = new Worker(new URL("./worker_suite.ts", import.meta.url), {
    workerData: { file: `file://${file}` },
  });
  const ended = new Promise<void>((resolve, reject) => {
    worker.on("error", reject);
    worker.on("message", (result: WorkerResult | null) => {
      if (result === null) resolve();
      else results.push(result);
    });
  });
  try {
    await within(ended, longRun ? 600_000 : 60_000, `the tests of ${file}, after ${results.length} of them`);
  } finally {
    await worker.terminate();
  }
  return results;
}
