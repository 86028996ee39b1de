import type { InstanceId } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import type { Worker } from "./members.ts";

/** The outcome of a collective at one worker. */
export type WorkerOutcome<T, Rank extends number | null = number | null> =
  | { readonly worker: Worker<Rank>; readonly ok: true; readonly value: T }
  | { readonly worker: Worker<Rank>; readonly ok: false; readonly error: Error };

/** The outcomes of a collective, one for each addressed worker, in order of rank, then of joining. */
export class CohortResults<T, Rank extends number | null = number | null>
  implements Iterable<WorkerOutcome<T, Rank>> {
  /** One for each worker. */
  readonly outcomes: readonly WorkerOutcome<T, Rank>[];

  /** Used by collectives. @param outcomes One for each worker, in order. */
  constructor(outcomes: readonly WorkerOutcome<T, Rank>[]) {
    this.outcomes = outcomes;
  }

  /** Whether it succeeded at all workers. */
  get ok(): boolean {
    return this.outcomes.every((outcome) => outcome.ok);
  }

  /** The workers where it failed, with their errors. */
  get failures(): readonly { readonly worker: Worker<Rank>; readonly error: Error }[] {
    return this.outcomes.filter((outcome) => !outcome.ok);
  }

  /** The outcome at one worker. */
  of(worker: InstanceId): WorkerOutcome<T, Rank> | undefined {
    return this.outcomes.find((outcome) => outcome.worker.instanceId === worker);
  }

  /** The outcome at one rank. */
  ofRank(rank: number): WorkerOutcome<T, Rank> | undefined {
    return this.outcomes.find((outcome) => outcome.worker.rank === rank);
  }

  /**
   * All values, in order.
   *
   * @throws {AggregateError} If it failed at a worker; with all errors.
   */
  values(): T[] {
    const { failures } = this;
    if (failures.length > 0) {
      throw new AggregateError(
        failures.map(({ error }) => error),
        `Failed at ${failures.length} of ${this.outcomes.length} workers: ` +
          failures.map(({ worker, error }) => `${peerText(worker)}: ${error.message}`).join("; "),
      );
    }
    return this.outcomes.map((outcome) => (outcome as { value: T }).value);
  }

  /** The outcomes, in order. */
  [Symbol.iterator](): Iterator<WorkerOutcome<T, Rank>> {
    return this.outcomes[Symbol.iterator]();
  }
}
