import type { CancelTimer, Clock } from "./clock.ts";
import { checkArgument, option, type OptionTable, readOptions, requireOption } from "./options.ts";

/** Whoever waits for room in a {@link Limiter}. */
export interface LimitedTask {
  /** There is room: take it, for one task, and wait again for the next. */
  room(): void;
}

/**
 * Decides when a task may start. One limiter given to several handlers limits them together, and serves those that
 * wait in turns.
 *
 * Made by {@link unlimited}, {@link semaphore} and {@link tokenBucket}; others can implement it.
 */
export interface Limiter {
  /** Whether one more task may start now. */
  ready(now: number): boolean;
  /** Takes the place of one task. Called only right after {@link ready} said yes. */
  take(): void;
  /** A task has ended, whatever its outcome. */
  release(): void;
  /** Calls `task.room()` once, when there is room. A task that waits already keeps its turn. */
  wait(task: LimitedTask, clock: Clock): void;
  /** The task waits no longer. */
  leave(task: LimitedTask): void;
}

/** A limiter that counts its tasks. */
export interface Semaphore extends Limiter {
  /** The most tasks at a time. */
  readonly permits: number;
  /** How many more may start now. */
  readonly available: number;
}

/** A limiter of a rate. */
export interface TokenBucketOptions {
  /** Tasks that may start per second, on average. */
  readonly perSecond: number;
  /** Tasks that may start at once after a pause. @default {1} */
  readonly burst?: number | undefined;
}

const isRate = (value: unknown): boolean => typeof value === "number" && !Number.isNaN(value);

/** All that {@link tokenBucket} knows. */
export const tokenBucketOptionTable: OptionTable<TokenBucketOptions> = {
  perSecond: option.kind("a number above 0", isRate, { lies: (value) => (value as number) > 0 }),
  burst: option.kind("a number, 1 or more", isRate, { lies: (value) => (value as number) >= 1 }),
};

const never: Limiter = Object.freeze({
  ready: () => true,
  take: () => {},
  release: () => {},
  wait: (task: LimitedTask) => task.room(),
  leave: () => {},
});

/** No limit: every task starts at once. */
export function unlimited(): Limiter {
  return never;
}

/**
 * At most so many tasks at a time. A place is held until the task's promise settles.
 *
 * @param permits The most at a time, a whole number from 1 on.
 * @throws {TypeError} If it is no number.
 * @throws {RangeError} If it is below 1.
 *
 * @example Two handlers that share four places
 * ```ts
 * import { semaphore } from "zeromesh";
 *
 * const disk = semaphore(4);
 * const options = { limits: [disk] }; // for both handlers
 * console.log(options.limits[0]?.available); // 4
 * ```
 */
export function semaphore(permits: number): Semaphore {
  checkArgument("permits", permits, option.permits, "Cannot make a semaphore");
  return new CountingSemaphore(permits);
}

/**
 * So many tasks per second, and `burst` at once after a pause. How long a task runs does not matter.
 *
 * @throws {TypeError} If an option is not known, or is no number.
 * @throws {RangeError} If `perSecond` is not above 0, or `burst` is below 1.
 */
export function tokenBucket(given: TokenBucketOptions): Limiter {
  const cannot = "Cannot make a token bucket";
  const options = readOptions(given, tokenBucketOptionTable, cannot);
  return new TokenBucket(
    requireOption(options, "perSecond", tokenBucketOptionTable, cannot),
    options.burst ?? 1,
  );
}

/** Whether a limiter is one of those made here. */
export function isOwnLimiter(limiter: Limiter): boolean {
  return limiter instanceof Waiters || limiter === never;
}

/** Those who wait, served in turns. */
abstract class Waiters {
  // In their order; each is in it once.
  protected readonly waiting = new Set<LimitedTask>();
  #serving = false;

  /** Takes a task out. */
  leave(task: LimitedTask): void {
    this.waiting.delete(task);
  }

  /** Whether one who waits may be served now. */
  protected abstract room(): boolean;

  /** Whoever waits goes first; only the one being served may take a place then. */
  protected mine(): boolean {
    return this.#serving || this.waiting.size === 0;
  }

  protected serve(): void {
    // A task that ends at once releases its place in here: the loop goes on instead of nesting.
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (const task of this.waiting) {
        if (!this.room()) break;
        // It may wait again from in here, and is then the last one.
        this.waiting.delete(task);
        task.room();
      }
    } finally {
      this.#serving = false;
    }
  }
}

class CountingSemaphore extends Waiters implements Semaphore {
  readonly permits: number;
  #taken = 0;

  constructor(permits: number) {
    super();
    this.permits = permits;
  }

  get available(): number {
    return this.permits - this.#taken;
  }

  ready(): boolean {
    return this.#taken < this.permits && this.mine();
  }

  take(): void {
    this.#taken++;
  }

  release(): void {
    this.#taken--;
    if (this.waiting.size > 0) this.serve();
  }

  wait(task: LimitedTask): void {
    this.waiting.add(task);
  }

  override leave(task: LimitedTask): void {
    super.leave(task);
    // Its turn goes to the next.
    if (this.waiting.size > 0) this.serve();
  }

  protected override room(): boolean {
    return this.#taken < this.permits;
  }
}

class TokenBucket extends Waiters implements Limiter {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #countedAt = -Infinity;
  #clock: Clock | null = null;
  #timer: CancelTimer | null = null;

  constructor(perSecond: number, burst: number) {
    super();
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  ready(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= 1 && this.mine();
  }

  take(): void {
    this.#tokens--;
  }

  release(): void {}

  wait(task: LimitedTask, clock: Clock): void {
    this.#clock = clock;
    this.waiting.add(task);
    this.#arm(clock);
  }

  override leave(task: LimitedTask): void {
    super.leave(task);
    if (this.waiting.size > 0) return;
    this.#timer?.();
    this.#timer = null;
  }

  protected override room(): boolean {
    this.#refill(this.#clock?.now() ?? this.#countedAt);
    return this.#tokens >= 1;
  }

  #refill(now: number): void {
    if (this.#countedAt !== -Infinity) {
      this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#countedAt) * this.#perMs);
    }
    this.#countedAt = now;
  }

  #arm(clock: Clock): void {
    if (this.#timer !== null || this.waiting.size === 0) return;
    const ms = Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs));
    this.#timer = clock.after(ms, () => {
      this.#timer = null;
      this.serve();
      this.#arm(clock);
    });
  }
}
