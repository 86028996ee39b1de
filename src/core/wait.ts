import type { Clock, Timed } from "./clock.ts";

const nothing: Disposable = { [Symbol.dispose]() {} };

/**
 * Calls `run` once when a signal aborts, at once if it has, until the result is disposed.
 *
 * @param signal Null and undefined never abort.
 */
export function onAbort(signal: AbortSignal | null | undefined, run: () => void): Disposable {
  if (signal === null || signal === undefined) return nothing;
  if (signal.aborted) {
    run();
    return nothing;
  }
  signal.addEventListener("abort", run, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", run) };
}

/** Resolves after `ms` milliseconds, or as soon as one of the signals has aborted. Never rejects. */
export async function pause(
  clock: Clock,
  ms: number,
  ...signals: readonly (AbortSignal | null | undefined)[]
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const listening = signals.map((signal) => onAbort(signal, resolve));
  const cancel = clock.after(ms, resolve);
  try {
    await promise;
  } finally {
    cancel();
    for (const one of listening) one[Symbol.dispose]();
  }
}

/** Options of {@link hold}. */
export interface HoldOptions extends Timed {
  /** Milliseconds. @default {no limit} */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | null | undefined;
  /** Makes the error of a timeout. */
  late?: (() => unknown) | undefined;
}

/**
 * Waits for a promise, within a time. The work behind the promise goes on in either case.
 *
 * @param signals Further signals that end the wait.
 * @throws The promise's error; the signal's reason; the error of `late`.
 */
export async function hold<T>(
  promise: PromiseLike<T>,
  { clock, timeoutMs = Infinity, signal, late }: HoldOptions,
  ...signals: readonly (AbortSignal | null | undefined)[]
): Promise<T> {
  const over = Promise.withResolvers<never>();
  const listening = [signal, ...signals].map((one) => onAbort(one, () => over.reject(one?.reason)));
  const cancel = clock.after(timeoutMs, () => over.reject(late?.()));
  try {
    return await Promise.race([promise, over.promise]);
  } finally {
    cancel();
    for (const one of listening) one[Symbol.dispose]();
  }
}
