import { Worker } from "node:worker_threads";
import { type BunLibrary, makeRegion } from "./bun_library.ts";
import type { BunFunction } from "./bun_types.ts";
import { Errno } from "./constants.ts";

/** How often the end of the thread is looked for: at once first, then ever more slowly, in ms. */
const pauses = [0, 0, 1, 1, 2, 4, 8, 16] as const;

/** How often an interrupted call is made again. */
const mostTries = 100;

/**
 * `zmq_ctx_term` on a thread of its own, so that this one goes on during a linger.
 *
 * The thread is C's alone: `zmq_ctx_term` takes the context and returns, as a thread's function does, and a
 * JavaScript engine for it would cost 60 ms and several megabytes. Contexts may be used from any thread.
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

function termOnce(library: BunLibrary, context: number): Promise<number> {
  const { create, tryJoin } = library.threads;
  const start = Number((library.zmq.ctxTerm as unknown as BunFunction).ptr ?? 0);
  if (create === undefined || tryJoin === undefined || start === 0) {
    return termInWorker(library.path, context);
  }
  const thread = makeRegion(8);
  const result = makeRegion(8);
  const failure = create(thread.address, null, start, context);
  // No thread to be had: better to wait here than not to end the context.
  if (failure !== 0) return Promise.resolve(library.zmq.ctxTerm(context) < 0 ? -library.zmq.errno() : 0);
  const id = Number(thread.view.getBigUint64(0, true));
  return new Promise((resolve) => {
    let round = 0;
    const look = (): void => {
      if (tryJoin(id, result.address) !== 0) {
        const pause = pauses[Math.min(round++, pauses.length - 1)]!;
        if (pause === 0) setImmediate(look);
        else setTimeout(look, pause);
      } else {
        // The errno stays on the thread that ran it; with a living context only a signal makes it fail.
        resolve(result.view.getInt32(0, true) === 0 ? 0 : -Errno.EINTR);
      }
    };
    look();
  });
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
