import { ZeromeshError } from "../../core/mod.ts";

// One failure, of a connection for instance, may end many calls; it keeps the stack of the first.
const seen = new WeakSet<ZeromeshError>();

/**
 * Gives the error of a call the stack of whoever awaits the call. It was made when the answer came, in the receive
 * loop, and both runtimes can tell who awaits only from within an async function that the caller awaits. Nothing is
 * captured unless the call fails.
 *
 * @param signal The caller's own, whose reason is left untouched.
 */
export async function located<T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ZeromeshError && error !== signal?.reason && !seen.has(error)) {
      seen.add(error);
      Error.captureStackTrace(error, located);
    }
    throw error;
  }
}
