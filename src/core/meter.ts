/** Description of a metric. */
export interface MetricInfo {
  /** `zeromesh_PART_SUBJECT_UNIT`, with `_total` at the end of a counter's. */
  readonly name: string;
  /** The meaning of its values, in one sentence. */
  readonly help: string;
  /** Unit of its values: `seconds`, `bytes`, or the counted thing. */
  readonly unit: string;
  /** Names of its labels. The sets of their values are closed or limited. */
  readonly labels: readonly string[];
}

/** Takes one value, with the values of the labels in order. */
export type Observe = (value: number, ...labels: string[]) => void;

/** Reports the current values of a metric. Called at each reading. */
export type ReadMetric = (observe: Observe) => void;

/** One series of a histogram. */
/** One series of a histogram. */
export interface Recorder {
  /**
   * Records a value, in the histogram's unit. It is called per message, so it should cost next to nothing.
   *
   * @param times How often the value occurred. @default {1}
   */
  record(value: number, times?: number): void;
}

/** A distribution of values. */
export interface Histogram {
  /** The series with these label values, the same object each time. */
  series(...labels: string[]): Recorder;
}

/**
 * Metrics of the library. `zeromesh/prometheus` and `zeromesh/otel` each have an implementation.
 *
 * Counters and gauges are read on demand, so they cost nothing in between. Several parts may add to one metric: their
 * values are summed, and a counter keeps the value of a part that is disposed.
 */
export interface Meter {
  /** Adds a number that only grows. Disposing the result reads it a last time. */
  counter(metric: MetricInfo, read: ReadMetric): Disposable;
  /** Adds a number that goes up and down. Disposing the result removes it. */
  gauge(metric: MetricInfo, read: ReadMetric): Disposable;
  /** The histogram with this name, made at first use. */
  histogram(metric: MetricInfo): Histogram;
}
