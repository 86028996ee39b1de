import type { Guard } from "./guard.ts";
import type { Histogram, Meter, MetricInfo, ReadMetric, Recorder } from "./meter.ts";

const noRecorder: Recorder = Object.freeze({ record() {} });

class GuardedRecorder implements Recorder {
  readonly #recorder: Recorder;
  readonly #guard: Guard;

  constructor(recorder: Recorder, guard: Guard) {
    this.#recorder = recorder;
    this.#guard = guard;
  }

  record(value: number, times?: number): void {
    // No closure here: it is called per message.
    try {
      this.#recorder.record(value, times);
    } catch (error) {
      this.#guard.failed("meter", error);
    }
  }
}

/** Wraps a meter that may throw; a failure loses a number, and nothing else. */
export class GuardedMeter implements Meter {
  /** The user's meter. */
  readonly given: Meter;
  readonly #guard: Guard;

  /** @param given The user's meter. */
  constructor(given: Meter, guard: Guard) {
    this.given = given;
    this.#guard = guard;
  }

  counter(metric: MetricInfo, read: ReadMetric): Disposable {
    return this.#disposable(() => this.given.counter(metric, read));
  }

  gauge(metric: MetricInfo, read: ReadMetric): Disposable {
    return this.#disposable(() => this.given.gauge(metric, read));
  }

  histogram(metric: MetricInfo): Histogram {
    const histogram = this.#guard.run("meter", () => this.given.histogram(metric));
    return {
      series: (...labels) => {
        const recorder = this.#guard.run("meter", () => histogram?.series(...labels));
        return recorder === undefined ? noRecorder : new GuardedRecorder(recorder, this.#guard);
      },
    };
  }

  #disposable(add: () => Disposable): Disposable {
    const added = this.#guard.run("meter", add);
    return { [Symbol.dispose]: () => this.#guard.run("meter", () => added?.[Symbol.dispose]()) };
  }
}
