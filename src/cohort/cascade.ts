import { type InstanceId, systemClock, ZeromeshError } from "../core/mod.ts";
import type { Member, Worker } from "./members.ts";
import type { CohortMessenger } from "./options.ts";
import type { CohortContracts } from "./protocol.ts";
import { CohortResults, type WorkerOutcome } from "./results.ts";
import { TurningPoint } from "./turning_point.ts";

/** The end of a cohort: workers are told one after another, and then waited for together. */
export class Cascade {
  readonly #messenger: CohortMessenger;
  readonly #contract: CohortContracts["shutdown"];
  readonly #gone = new Set<InstanceId>();
  #awaited: readonly Worker[] = [];
  readonly #empty = new TurningPoint(() =>
    this.#awaited.every(({ instanceId }) => this.#gone.has(instanceId))
  );

  /** @param contract What workers are told with. */
  constructor(messenger: CohortMessenger, contract: CohortContracts["shutdown"]) {
    this.#messenger = messenger;
    this.#contract = contract;
  }

  /** A worker has said that it ended. */
  left(worker: InstanceId): void {
    this.#gone.add(worker);
    this.#empty.check();
  }

  /**
   * Tells the workers, in the order given, and waits until they have ended or the time is over.
   *
   * @param patienceMs How long one of them may keep the next ones waiting.
   */
  async run(
    members: readonly Member[],
    reason: string,
    timeoutMs: number,
    patienceMs: number,
  ): Promise<CohortResults<void>> {
    const end = systemClock.now() + timeoutMs;
    const left = (): number => Math.max(1, end - systemClock.now());
    const failures = new Map<InstanceId, Error>();
    const workers = members.map((member) => member.view());
    for (const { instanceId, state } of workers) {
      const call = { to: instanceId, payload: { reason }, timeoutMs: Math.min(left(), patienceMs) };
      try {
        if (state === "lost") {
          throw new ZeromeshError("COHORT_WORKER_LOST", `Worker ${instanceId} was lost before`);
        }
        await this.#messenger.amSync(this.#contract, call);
      } catch (error) {
        failures.set(instanceId, error as Error);
      }
    }
    this.#awaited = workers.filter(({ instanceId }) => !failures.has(instanceId));
    const late = (worker: Worker): Error =>
      new ZeromeshError("TIMEOUT", `Worker ${worker.instanceId} did not end within ${timeoutMs} ms`, {
        peer: worker.instanceId,
        ran: "yes",
      });
    await this.#empty.wait(left(), {}, () => new Error("late")).catch(() => {});
    return new CohortResults(workers.map((worker): WorkerOutcome<void> => {
      const error = failures.get(worker.instanceId) ??
        (this.#gone.has(worker.instanceId) ? undefined : late(worker));
      return error === undefined ? { worker, ok: true, value: undefined } : { worker, ok: false, error };
    }));
  }
}
