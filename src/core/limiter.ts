import type { CancelTimer, Clock } from "./clock.ts";
import { checkArgument, option, type OptionTable, readOptions, requireOption } from "./options.ts";

/** A waiter of a {@link Limiter}. */
export interface LimitedTask {
  /** Called when there is room: take it for one task, and wait again for the next. */
  room(): void;
}

/**
 * Decides when a task may start. One limiter given to several handlers limits them together, and serves them in turns.
 *
 * Made by {@link unlimited}, {@link semaphore} and {@link tokenBucket}; others can implement it.
 */
export interface Limiter {
  /** Whether one more task may start now. */
  ready(now: number): boolean;
  /** Takes the place of one task. Called only right after {@link ready} returned true. */
  take(): void;
  /** A task has ended, whatever its outcome. */
  release(): void;
  /** Calls `task.room()` once, when there is room. A waiting task keeps its turn. */
  wait(task: LimitedTask, clock: Clock): void;
  /** Ends the wait of a task. */
  leave(task: LimitedTask): void;
}

/** A limiter of concurrent tasks. */
export interface Semaphore extends Limiter {
  /** The most concurrent tasks. */
  readonly permits: number;
  /** Tasks that may start now. */
  readonly available: number;
}

/** Options of a {@link tokenBucket}. */
export interface TokenBucketOptions {
  /** Tasks that may start per second, on average. */
  readonly perSecond: number;
  /** Tasks that may start at once after a pause. @default {1} */
  readonly burst?: number | undefined;
}

const isRate = (value: unknown): boolean => typeof value === "number" && !Number.isNaN(value);

/** The options of {@link tokenBucket}. */
export const tokenBucketOptionTable: OptionTable<TokenBucketOptions> = {
  perSecond: option.kind("a number above 0", isRate, { inRange: (value) => (value as number) > 0 }),
  burst: option.kind("a number, 1 or more", isRate, { inRange: (value) => (value as number) >= 1 }),
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
 * A limit of concurrent tasks. A task holds its place until its promise settles.
 *
 * @param permits The most concurrent tasks, a whole number, 1 or more.
 * @throws {TypeError} If it is not a number.
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
 * A limit of tasks per second, with `burst` tasks at once after a pause. The duration of a task does not matter.
 *
 * @throws {TypeError} If an option is unknown, or is not a number.
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

/** Whether a limiter was made by a function of this file. */
export function isOwnLimiter(limiter: Limiter): boolean {
  return limiter instanceof Waiters || limiter === never;
}

/** Waiting tasks, served in turns. */
abstract class Waiters {
  // In order, each at most once.
  protected readonly waiting = new Set<LimitedTask>();
  #serving = false;

  /** Removes a task. */
  leave(task: LimitedTask): void {
    this.waiting.delete(task);
  }

  /** Whether a waiting task may be served now. */
  protected abstract room(): boolean;

  /** Whether waiting tasks leave no place to others: while tasks wait, only the one being served may take a place. */
  protected mine(): boolean {
    return this.#serving || this.waiting.size === 0;
  }

  protected serve(): void {
    // A task that ends at once releases its place in here: the loop continues instead of nesting.
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (const task of this.waiting) {
        if (!this.room()) break;
        // It may wait again from within, and is then the last one.
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
    // The turn passes on.
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
