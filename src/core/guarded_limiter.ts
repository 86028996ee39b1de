import type { CancelTimer, Clock } from "./clock.ts";
import { describeValue } from "./describe_value.ts";
import type { Guard } from "./guard.ts";
import { isOwnLimiter, type LimitedTask, type Limiter } from "./limiter.ts";

// Without a call back from a broken limiter, the waiter asks again after this time.
const askAgainMs = 100;

/** Wraps a user's limiter, which may throw: a failed answer means no. For one waiter. */
class GuardedLimiter implements Limiter {
  readonly #limiter: Limiter;
  readonly #guard: Guard;
  #again: CancelTimer | null = null;

  constructor(limiter: Limiter, guard: Guard) {
    this.#limiter = limiter;
    this.#guard = guard;
  }

  ready(now: number): boolean {
    const answer: unknown = this.#guard.run("limits", () => this.#limiter.ready(now));
    if (typeof answer === "boolean" || answer === undefined) return answer === true;
    this.#guard.failed(
      "limits",
      new TypeError(`ready() must answer true or false, not ${describeValue(answer)}`),
    );
    return false;
  }

  take(): void {
    this.#guard.run("limits", () => this.#limiter.take());
  }

  release(): void {
    this.#guard.run("limits", () => this.#limiter.release());
  }

  wait(task: LimitedTask, clock: Clock): void {
    try {
      this.#limiter.wait(task, clock);
    } catch (error) {
      this.#guard.failed("limits", error);
      this.#again?.();
      this.#again = clock.after(askAgainMs, () => {
        this.#again = null;
        task.room();
      });
    }
  }

  leave(task: LimitedTask): void {
    this.#again?.();
    this.#again = null;
    this.#guard.run("limits", () => this.#limiter.leave(task));
  }
}

/** A limiter that does not throw. */
export function guardLimiter(limiter: Limiter, guard: Guard): Limiter {
  return isOwnLimiter(limiter) ? limiter : new GuardedLimiter(limiter, guard);
}
