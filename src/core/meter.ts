/** What a metric is, whatever its values are. */
export interface MetricInfo {
  /** `zeromesh_PART_WHAT_UNIT`, with `_total` at the end of a counter's. */
  readonly name: string;
  /** What it counts, in one sentence. */
  readonly help: string;
  /** Unit of its values: `seconds`, `bytes`, or what is counted. */
  readonly unit: string;
  /** Names of its labels. Their values come from sets that are closed or limited. */
  readonly labels: readonly string[];
}

/** Takes one value, and the values of the metric's labels in their order. */
export type Observe = (value: number, ...labels: string[]) => void;

/** Hands out the values that a metric has now. Called when somebody wants to know them. */
export type ReadMetric = (observe: Observe) => void;

/** One series of a histogram. */
export interface Recorder {
  /**
   * Counts a value, in the histogram's unit. It is called while messages flow, so it should cost next to nothing.
   *
   * @param times How many values are as high as this one. @default {1}
   */
  record(value: number, times?: number): void;
}

/** A distribution of values. */
export interface Histogram {
  /** The series with these values of the labels: the same one each time. */
  series(...labels: string[]): Recorder;
}

/**
 * Where numbers about the library go. `zeromesh/prometheus` and `zeromesh/otel` have one each.
 *
 * Counters and gauges are read when they are wanted, so they cost nothing meanwhile. Several parts may add to one
 * metric: their values are summed, and a counter keeps what it had when the part that disposes of it is gone.
 */
export interface Meter {
  /** Adds a number that only grows. Disposing the result takes its last value and reads no more. */
  counter(metric: MetricInfo, read: ReadMetric): Disposable;
  /** Adds a number that goes up and down. Disposing the result takes it out. */
  gauge(metric: MetricInfo, read: ReadMetric): Disposable;
  /** The distribution with this name, made at its first use. */
  histogram(metric: MetricInfo): Histogram;
}
