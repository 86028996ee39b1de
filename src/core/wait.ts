import type { Clock } from "./clock.ts";

const nothing: Disposable = { [Symbol.dispose]() {} };

/**
 * Calls back once when a signal aborts, at once if it has, until the result is disposed of.
 *
 * @param signal Nothing for one that never aborts.
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

/** Lets time pass: resolves after `ms` milliseconds, or as soon as one of the signals has aborted. Never rejects. */
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

/** How long {@link hold} waits. */
export interface HoldOptions {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Milliseconds. @default {as long as it takes} */
  readonly timeoutMs?: number | undefined;
  /** Gives the wait up. */
  readonly signal?: AbortSignal | null | undefined;
  /** Makes the error of a wait that took too long. */
  late?: (() => unknown) | undefined;
}

/**
 * What a promise comes to, if it does so in time. The work behind it goes on all the same.
 *
 * @throws What the promise rejects with; the signal's reason; or what `late` makes.
 */
export async function hold<T>(
  promise: PromiseLike<T>,
  { clock, timeoutMs = Infinity, signal, late }: HoldOptions,
): Promise<T> {
  const over = Promise.withResolvers<never>();
  const listening = onAbort(signal, () => over.reject(signal?.reason));
  const cancel = clock.after(timeoutMs, () => over.reject(late?.()));
  try {
    return await Promise.race([promise, over.promise]);
  } finally {
    cancel();
    listening[Symbol.dispose]();
  }
}
