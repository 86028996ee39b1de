/** Growth of retry delays. */
export interface BackoffOptions {
  /** The first delay. @default {50} */
  firstMs?: number | undefined;
  /** No delay is longer. @default {5_000} */
  maxMs?: number | undefined;
  /** Numbers in [0, 1); for tests. @default {random bits of the platform} */
  random?: (() => number) | undefined;
}

const defaults = Object.freeze({ firstMs: 50, maxMs: 5_000 });

/**
 * Retry delays that double up to a limit. Each is drawn from its upper half, so that processes that lost the same peer
 * do not retry in step.
 */
export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #attempt = 0;

  /** @param options First and longest delay. */
  constructor(options: BackoffOptions = {}) {
    this.#firstMs = options.firstMs ?? defaults.firstMs;
    this.#maxMs = options.maxMs ?? defaults.maxMs;
    this.#random = options.random ?? randomUnit;
  }

  /** Delays given since the last {@link reset}. */
  get attempts(): number {
    return this.#attempt;
  }

  /** The next delay in milliseconds. */
  next(): number {
    const full = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#attempt++, 30));
    return full / 2 + (full / 2) * this.#random();
  }

  /** Starts again at the first delay. */
  reset(): void {
    this.#attempt = 0;
  }
}

function randomUnit(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}
