import { Worker } from "node:worker_threads";
import { runAway } from "./bun_thread.ts";
import { Errno } from "./constants.ts";
import type { Handle } from "./memory.ts";
import type { Calls, OptionalCalls, threadSymbols, zmqSymbols } from "./symbols.ts";

/** The parts of {@link termAway}. */
export interface TermParts {
  /** The path of the opened library. */
  readonly path: string;
  /** Its functions. */
  readonly zmq: Calls<typeof zmqSymbols>;
  /** Threads of C. */
  readonly threads: OptionalCalls<typeof threadSymbols>;
}

/**
 * `zmq_ctx_term` on its own thread, so that this one continues during a linger. Contexts may be used from all threads.
 *
 * @returns 0, or a negated errno.
 */
export async function termAway({ path, zmq, threads }: TermParts, context: Handle): Promise<number> {
  if (!threads.create || !threads.tryJoin) return await termInWorker(path, context);
  const away = runAway(threads, zmq.ctxTerm, context);
  // Without a thread, waiting here is better than not ending the context.
  if (away === null) return zmq.ctxTerm(context) < 0 ? -zmq.errno() : 0;
  // The errno is lost with its thread; for a valid context only a signal makes the call fail.
  return await away === 0 ? 0 : -Errno.EINTR;
}

/** The same for C libraries that cannot join a thread without waiting. */
function termInWorker(path: string, context: Handle): Promise<number> {
  const source = `
const { parentPort, workerData } = require("node:worker_threads");
const { dlopen } = require("bun:ffi");
const { symbols } = dlopen(workerData.path, {
  zmq_ctx_term: { args: ["ptr"], returns: "i32" },
  zmq_errno: { args: [], returns: "i32" },
});
parentPort.postMessage(symbols.zmq_ctx_term(workerData.context) < 0 ? -symbols.zmq_errno() : 0);
`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(source, {
      eval: true,
      workerData: { path, context },
    });
    worker.once("message", (result: unknown) => {
      resolve(Number(result));
      void worker.terminate();
    });
    worker.once("error", reject);
  });
}
