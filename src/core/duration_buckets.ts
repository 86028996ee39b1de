import type { Recorder } from "./meter.ts";

// Powers of two of a microsecond: the bucket of a value is the position of its highest bit.
const firstBit = 4;
const lastBit = 24;

/** Upper bounds of the buckets of a {@link DurationBuckets}, in seconds: 16 µs, doubled up to 16.8 s. */
export const durationBounds: readonly number[] = Object.freeze(
  Array.from({ length: lastBit - firstBit + 1 }, (_, i) => 2 ** (i + firstBit) / 1e6),
);

/** A distribution of durations. Recording one touches two numbers and allocates nothing. */
export class DurationBuckets implements Recorder {
  readonly #counts = new Float64Array(durationBounds.length + 1);
  #sum = 0;

  /** @param seconds A duration in seconds. @param times How often it occurred. */
  record(seconds: number, times = 1): void {
    this.#sum += seconds * times;
    this.#counts[bucketOf(seconds)]! += times;
  }

  /** Counts per bucket, not cumulative; the last bucket holds values above all bounds. */
  get counts(): readonly number[] {
    return [...this.#counts];
  }

  /** The sum of all durations, in seconds. */
  get sum(): number {
    return this.#sum;
  }
}

function bucketOf(seconds: number): number {
  const micros = seconds * 1e6;
  if (!(micros > 1 << firstBit)) return 0;
  if (micros > 1 << lastBit) return durationBounds.length;
  const whole = micros | 0;
  return 32 - Math.clz32(whole === micros ? whole - 1 : whole) - firstBit;
}
