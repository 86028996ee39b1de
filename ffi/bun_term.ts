import { Worker } from "node:worker_threads";
import type { BunLibrary } from "./bun_library.ts";
import { runAway } from "./bun_thread.ts";
import { Errno } from "./constants.ts";

/** How often an interrupted call is made again. */
const mostTries = 100;

/**
 * `zmq_ctx_term` on a thread of its own, so that this one goes on during a linger.
 *
 * Contexts may be used from any thread.
 *
 * @param library The opened library.
 * @param context The context's address.
 * @returns 0, or a negated errno.
 */
export async function termAway(library: BunLibrary, context: number): Promise<number> {
  for (let tries = 0; tries < mostTries; tries++) {
    const result = await termOnce(library, context);
    if (result !== -Errno.EINTR) return result;
  }
  return -Errno.EINTR;
}

async function termOnce(library: BunLibrary, context: number): Promise<number> {
  const { create, tryJoin } = library.threads;
  if (create === undefined || tryJoin === undefined) return await termInWorker(library.path, context);
  const away = runAway(library, library.zmq.ctxTerm, context);
  // No thread to be had: better to wait here than not to end the context.
  if (away === null) return library.zmq.ctxTerm(context) < 0 ? -library.zmq.errno() : 0;
  // The errno stays on the thread that ran it; with a living context only a signal makes it fail.
  return await away === 0 ? 0 : -Errno.EINTR;
}

/** The same for platforms whose C library cannot join a thread without waiting. */
function termInWorker(path: string, context: number): Promise<number> {
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
