import { type Clock, type InstanceId, LeaseTable, ZeromeshError } from "../core/mod.ts";
import { peerText, portOf } from "../messenger/mod.ts";
import type { Member, Worker } from "./members.ts";
import { type CohortMessenger, isUp, type ResolvedCohortOptions } from "./options.ts";
import type { CohortContracts } from "./protocol.ts";
import { CohortResults, type WorkerOutcome } from "./results.ts";
import { Timeout } from "./timeout.ts";

/** The end of one worker. */
interface Ending {
  readonly worker: Worker;
  /** Resolves when it has said that it ended, or no longer can. */
  readonly settled: Promise<void>;
  settle(): void;
  /** Whether it has said that it ended. */
  left: boolean;
  /** Whether it has acknowledged the shutdown. */
  told: boolean;
  /** Why the leader does not wait for it. */
  failure: Error | null;
}

/** The shutdown of a cohort: workers are told in order, none waits for another, and one deadline ends the wait. */
export class CohortShutdown {
  readonly #messenger: CohortMessenger;
  readonly #contract: CohortContracts["shutdown"];
  readonly #options: ResolvedCohortOptions;
  readonly #clock: Clock;
  readonly #endings = new Map<InstanceId, Ending>();

  /** @param contract The shutdown message. */
  constructor(
    messenger: CohortMessenger,
    contract: CohortContracts["shutdown"],
    options: ResolvedCohortOptions,
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#messenger = messenger;
    this.#contract = contract;
    this.#options = options;
  }

  /** A worker has ended. */
  left(worker: InstanceId): void {
    const ending = this.#endings.get(worker);
    if (ending === undefined) return;
    ending.left = true;
    ending.settle();
  }

  /** Tells the workers in the given order, and waits until they have ended or the time is over. */
  async run(members: readonly Member[], reason: string, timeoutMs: number): Promise<CohortResults<void>> {
    const timeout = new Timeout(this.#clock, timeoutMs);
    for (const member of members) {
      const worker = member.view();
      const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
      // A worker that never joined has nothing to end, and does not know the message.
      const left = member.plain && member.state === "up";
      if (left) settle();
      this.#endings.set(worker.instanceId, { worker, settled, settle, left, told: false, failure: null });
    }
    const endings = [...this.#endings.values()];
    for (const ending of endings) if (!ending.left) this.#tell(ending, reason, timeout.leftMs);
    // A connected worker may use all the time for its end; a disconnected one may not.
    using away = new LeaseTable<InstanceId>({ clock: this.#clock, expired: (worker) => this.#lost(worker) });
    const { lostAfterMs } = this.#options;
    using _watching = portOf(this.#messenger)?.watch({
      up: (peer) => void away.remove(peer),
      lost: (peer, rest) =>
        void (rest === "down" && this.#endings.has(peer) && away.renew(peer, lostAfterMs)),
    });
    for (const worker of this.#endings.keys()) {
      if (!isUp(this.#messenger, worker)) away.renew(worker, lostAfterMs);
    }
    await timeout.hold(Promise.all(endings.map(({ settled }) => settled))).catch(() => {});
    this.#endings.clear();
    return new CohortResults(endings.map((ending) => outcomeOf(ending, timeoutMs)));
  }

  #lost(worker: InstanceId): void {
    const ending = this.#endings.get(worker)!;
    ending.failure ??= lost(ending.worker, "before it said that it ended", ending.told ? "yes" : "maybe");
    ending.settle();
  }

  #tell(ending: Ending, reason: string, timeoutMs: number): void {
    const { worker: { instanceId, state } } = ending;
    const fail = (error: Error): void => {
      const { code } = error as { code?: unknown };
      // A late acknowledgement or a cut connection does not mean that the worker cannot end.
      if (code === "TIMEOUT") return;
      ending.failure = error;
      if (code !== "PEER_DISCONNECTED" && code !== "PEER_UNREACHABLE") ending.settle();
    };
    if (state === "lost") return fail(lost(ending.worker, "before", "no"));
    this.#messenger.amSync(this.#contract, { to: instanceId, payload: { reason }, timeoutMs })
      .then(() => void (ending.told = true), fail);
  }
}

function lost(worker: Worker, when: string, ran: "no" | "maybe" | "yes"): ZeromeshError {
  const message = `Worker ${peerText(worker)} was lost ${when}`;
  return new ZeromeshError("COHORT_WORKER_LOST", message, { peer: worker.instanceId, ran });
}

function outcomeOf({ worker, left, told, failure }: Ending, timeoutMs: number): WorkerOutcome<void> {
  if (left) return { worker, ok: true, value: undefined };
  const { instanceId } = worker;
  const error = failure ??
    new ZeromeshError("TIMEOUT", `Worker ${peerText(worker)} did not end within ${timeoutMs} ms`, {
      peer: instanceId,
      ran: told ? "yes" : "maybe",
    });
  return { worker, ok: false, error };
}
