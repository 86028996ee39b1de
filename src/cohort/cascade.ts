import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { Worker } from "./members.ts";
import type { CohortMessenger } from "./options.ts";
import type { CohortContracts } from "./protocol.ts";
import { CohortResults, type WorkerOutcome } from "./results.ts";
import { Term } from "./term.ts";

/** What is known of one worker's end. */
interface Ending {
  readonly worker: Worker;
  /** Resolves when it has said that it ended, or cannot any more. */
  readonly settled: Promise<void>;
  settle(): void;
  /** Whether it said that it ended. */
  left: boolean;
  /** Whether it said that it will. */
  told: boolean;
  /** Why it cannot be waited for. */
  failure: Error | null;
}

/** The end of a cohort: workers are told in order, none waits for another one, and one deadline ends the wait for all. */
export class Cascade {
  readonly #messenger: CohortMessenger;
  readonly #contract: CohortContracts["shutdown"];
  readonly #endings = new Map<InstanceId, Ending>();

  /** @param contract What workers are told with. */
  constructor(messenger: CohortMessenger, contract: CohortContracts["shutdown"]) {
    this.#messenger = messenger;
    this.#contract = contract;
  }

  /** A worker has said that it ended. */
  left(worker: InstanceId): void {
    const ending = this.#endings.get(worker);
    if (ending === undefined) return;
    ending.left = true;
    ending.settle();
  }

  /** Tells the workers, in the order given, and waits until they have ended or the time is over. */
  async run(workers: readonly Worker[], reason: string, timeoutMs: number): Promise<CohortResults<void>> {
    const term = new Term(timeoutMs);
    for (const worker of workers) {
      const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
      this.#endings.set(worker.instanceId, {
        worker,
        settled,
        settle,
        left: false,
        told: false,
        failure: null,
      });
    }
    const endings = [...this.#endings.values()];
    for (const ending of endings) this.#tell(ending, reason, term.leftMs);
    const all = Promise.all(endings.map(({ settled }) => settled));
    await term.hold(all, () => new Error("late")).catch(() => {});
    this.#endings.clear();
    return new CohortResults(endings.map((ending) => outcomeOf(ending, timeoutMs)));
  }

  #tell(ending: Ending, reason: string, timeoutMs: number): void {
    const { worker: { instanceId, state } } = ending;
    const fail = (error: Error): void => {
      // Whoever was merely late with its acknowledgement may have ended all the same.
      if (error instanceof ZeromeshError && error.code === "TIMEOUT") return;
      ending.failure = error;
      ending.settle();
    };
    if (state === "lost") {
      return fail(
        new ZeromeshError("COHORT_WORKER_LOST", `Worker ${instanceId} was lost before`, {
          peer: instanceId,
          ran: "no",
        }),
      );
    }
    this.#messenger.amSync(this.#contract, { to: instanceId, payload: { reason }, timeoutMs })
      .then(() => void (ending.told = true), fail);
  }
}

function outcomeOf({ worker, left, told, failure }: Ending, timeoutMs: number): WorkerOutcome<void> {
  if (left) return { worker, ok: true, value: undefined };
  const { instanceId } = worker;
  const error = failure ??
    new ZeromeshError("TIMEOUT", `Worker ${instanceId} did not end within ${timeoutMs} ms`, {
      peer: instanceId,
      ran: told ? "yes" : "maybe",
    });
  return { worker, ok: false, error };
}
