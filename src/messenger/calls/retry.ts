import { withDefaults, ZeromeshError } from "../../core/mod.ts";
import type { BaseCallOptions } from "./caller.ts";
import { type ResolvedRetry, retryOptionTable, retryPauses } from "./retry_options.ts";
import { companionIn } from "./companion.ts";
import { isDestination, type RetriedDestination } from "./destination.ts";
import { elapsedMs, elapsedOf, type PartOfCall } from "./elapsed.ts";
import type { SharedParts } from "../shared_parts.ts";

// Failures that a later attempt, or another instance, may avoid; others would only repeat.
const passing: ReadonlySet<string> = new Set([
  "PEER_UNREACHABLE",
  "PEER_DISCONNECTED",
  "PEER_REPLACED",
  "PEER_DRAINING",
  "QUEUE_FULL",
  "OVERLOADED",
]);

/** Retries calls as their caller, or the messenger's options, allow. */
export class Retries {
  readonly #parts: SharedParts;

  /** @param parts Its parts. */
  constructor(parts: SharedParts) {
    this.#parts = parts;
  }

  /** Whether a call may be sent again. */
  concern(options: BaseCallOptions | undefined): boolean {
    return (options?.retry ?? this.#parts.retry) !== null &&
      (options === undefined || companionIn(options) === undefined);
  }

  /** The retries of a call with checked options; null for none. */
  of(options: BaseCallOptions): ResolvedRetry | null {
    const { retry } = options;
    if (companionIn(options) !== undefined) return null;
    return retry === undefined ? this.#parts.retry : withDefaults(retry, retryOptionTable);
  }

  /** Makes a call with its retries, within its deadline. */
  async run<T, O extends BaseCallOptions>(
    retry: ResolvedRetry,
    options: O,
    call: (options: O) => Promise<T>,
  ): Promise<T> {
    const { calls, clock } = this.#parts;
    const { to, signal } = options;
    const tried = new Set<string>();
    let next = options;
    const { timeoutMs = this.#parts.timeoutMs } = options;
    const startedAt = clock.now() - elapsedOf(options);
    const giveUpAt = startedAt + timeoutMs;
    const pauses = retryPauses(retry);
    for (let attempt = 1;; attempt++) {
      const part: PartOfCall = { [elapsedMs]: attempt === 1 ? elapsedOf(options) : clock.now() - startedAt };
      try {
        return await call({ ...next, ...part });
      } catch (error) {
        const pauseMs = pauses.next();
        const over = attempt >= retry.attempts || clock.now() + pauseMs >= giveUpAt;
        if (over || !mayRepeat(error, retry) || signal?.aborted) throw error;
        // An entry in the table ends with the caller's signal and the messenger, like a call.
        const waiting = calls.open(typeof to === "string" ? to : undefined, "retry", Infinity, signal, null);
        const cancel = clock.after(pauseMs, () => waiting.succeed(undefined));
        await waiting.promise.finally(cancel);
        calls.repeated++;
        if (!isDestination(to) || !(error instanceof ZeromeshError) || error.peer === undefined) continue;
        tried.add(error.peer);
        next = { ...options, to: { ...to, tried } as RetriedDestination };
      }
    }
  }
}

function mayRepeat(error: unknown, { ran }: ResolvedRetry): boolean {
  if (!(error instanceof ZeromeshError) || !passing.has(error.code)) return false;
  return error.ran === "no" || error.ran === ran;
}
