import {
  type Backoff,
  type Contract,
  type InstanceId,
  onAbort,
  type Timed,
  type UnaryContract,
  ZeromeshError,
} from "../core/mod.ts";
import { peerText, retryPauses } from "../messenger/mod.ts";
import { mayRunAgain, type ResolvedDistribution } from "./distribute_options.ts";
import { ItemSource } from "./item_source.ts";
import type { Member } from "./members.ts";
import type { CohortMessenger } from "./options.ts";

/** The end of one item. */
export interface ItemEnd {
  /** Index of the item. */
  readonly index: number;
  /** The worker of the last attempt. */
  readonly member: Member;
  /** Number of attempts. */
  readonly attempts: number;
  /** The outcome. */
  readonly result: { readonly ok: true; readonly value: unknown } | {
    readonly ok: false;
    readonly error: Error;
  };
}

/** The parts of a {@link WorkQueue}. */
export interface WorkQueueParts extends Timed {
  /** The leader's messenger. */
  readonly messenger: CohortMessenger;
  /** The called contract. */
  readonly contract: Contract;
  /** The inputs. */
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
  /** Limits, retries, deadlines. */
  readonly options: ResolvedDistribution;
  /** The workers now. */
  members(): readonly Member[];
  /** An item has ended finally. */
  itemEnded(end: ItemEnd): void;
  /** All items have ended; with a failure when the queue could not go on. */
  over(failure: { readonly reason: unknown } | null): void;
}

interface Job {
  readonly index: number;
  readonly item: unknown;
  /** Workers at which it failed. */
  readonly failedAt: Set<InstanceId>;
  attempts: number;
  backoff: Backoff | null;
}

/** Assigns items to workers, a limited number to each, and again to others after a failure without a run. */
export class WorkQueue {
  readonly #parts: WorkQueueParts;
  readonly #source: ItemSource<unknown>;
  /** Jobs that wait for a worker, besides the items left in the source. */
  readonly #waiting: Job[] = [];
  readonly #running = new Map<Job, { readonly member: Member; readonly stop: AbortController }>();
  readonly #load = new Map<Member, number>();
  /** When a worker failed; it gets no items until it is heard of again. */
  readonly #doubted = new Map<Member, number>();
  readonly #pauses = new Map<Job, () => void>();
  #listening: Disposable | null = null;
  readonly #stopTimeout: () => void;
  #stopIdling: (() => void) | null = null;
  #next = 0;
  #ended = 0;
  #over = false;

  /** Call {@link WorkQueue.pump} to begin. */
  constructor(parts: WorkQueueParts) {
    this.#parts = parts;
    const { clock, options: { signal, timeoutMs } } = parts;
    this.#source = new ItemSource(
      parts.items,
      (item) => {
        this.#waiting.push(this.#job(item));
        this.pump();
      },
      (error) => error === null ? this.pump() : this.end(error),
    );
    this.#stopTimeout = clock.after(timeoutMs, () => {
      this.end({ reason: this.#late(`${this.#progress()} done after ${timeoutMs} ms`) });
    });
    this.#listening = onAbort(signal, () => this.end({ reason: signal?.reason }));
  }

  /** Number of items; null while unknown. */
  get total(): number | null {
    return this.#source.total;
  }

  /** Starts items as far as possible; called at every change. */
  pump(): void {
    for (const { member, stop } of this.#running.values()) {
      if (member.state === "lost") stop.abort(lost(member));
    }
    while (!this.#over) {
      const next = this.#choose();
      if (next === null) break;
      this.#begin(next.job, next.member);
    }
    if (this.#over) return;
    const idle = this.#running.size === 0 && this.#pauses.size === 0;
    if (idle && this.#source.exhausted && this.#waiting.length === 0) return this.end(null);
    this.#watchIdling(idle && !this.#usable().some((member) => this.#isFree(member)));
  }

  /** Ends the queue: no new items begin, and running ones are given up. */
  end(failure: { readonly reason: unknown } | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#listening?.[Symbol.dispose]();
    this.#stopTimeout();
    this.#stopIdling?.();
    for (const cancel of this.#pauses.values()) cancel();
    this.#source.close();
    this.#parts.over(failure);
    for (const { stop } of this.#running.values()) stop.abort(failure?.reason);
  }

  #choose(): { readonly job: Job; readonly member: Member } | null {
    for (const [at, job] of this.#waiting.entries()) {
      const member = this.#workerFor(job);
      if (member === null) continue;
      this.#waiting.splice(at, 1);
      return { job, member };
    }
    const usable = this.#usable();
    if (!usable.some((member) => this.#isFree(member))) return null;
    const taken = this.#source.take();
    if (taken === null) return null;
    const job = this.#job(taken.item);
    return { job, member: this.#workerFor(job)! };
  }

  /** The free worker with the fewest items. A worker where the job failed gets it only if there is no other. */
  #workerFor(job: Job): Member | null {
    const usable = this.#usable();
    const others = usable.filter(({ instanceId }) => !job.failedAt.has(instanceId));
    let best: Member | null = null;
    for (const member of others.length > 0 ? others : usable) {
      if (this.#isFree(member) && (best === null || this.#loadOf(member) < this.#loadOf(best))) best = member;
    }
    return best;
  }

  #usable(): Member[] {
    return this.#parts.members().filter((member) => {
      const { state, heardAt } = member;
      return state === "up" && heardAt !== null && heardAt > (this.#doubted.get(member) ?? -1);
    });
  }

  #isFree(member: Member): boolean {
    return this.#loadOf(member) < this.#parts.options.concurrency;
  }

  #loadOf(member: Member): number {
    return this.#load.get(member) ?? 0;
  }

  #job(item: unknown): Job {
    return { index: this.#next++, item, failedAt: new Set(), attempts: 0, backoff: null };
  }

  #begin(job: Job, member: Member): void {
    const { messenger, contract, options: { itemTimeoutMs, headers } } = this.#parts;
    const stop = new AbortController();
    const call = {
      to: member.instanceId,
      payload: job.item,
      timeoutMs: itemTimeoutMs,
      signal: stop.signal,
      ...(headers === undefined ? {} : { headers }),
    };
    job.attempts++;
    this.#running.set(job, { member, stop });
    this.#load.set(member, this.#loadOf(member) + 1);
    const answered = "output" in contract && contract.output !== undefined
      ? messenger.typedUnary(contract as UnaryContract, call)
      : messenger.amSync(contract, call);
    answered.then(
      (value) => this.#settled(job, member, { ok: true, value }),
      (error) => this.#failed(job, member, error),
    );
  }

  #failed(job: Job, member: Member, reason: unknown): void {
    const { retry } = this.#parts.options;
    const again = mayRunAgain(reason, retry.ran);
    if (again) this.#doubted.set(member, this.#parts.clock.now());
    if (!again || job.attempts >= retry.attempts || this.#over) {
      const error = reason instanceof Error ? reason : new Error(String(reason), { cause: reason });
      return this.#settled(job, member, { ok: false, error });
    }
    job.failedAt.add(member.instanceId);
    this.#release(job, member);
    job.backoff ??= retryPauses(retry);
    const cancel = this.#parts.clock.after(job.backoff.next(), () => {
      this.#pauses.delete(job);
      this.#waiting.push(job);
      this.pump();
    });
    this.#pauses.set(job, cancel);
    this.pump();
  }

  #settled(job: Job, member: Member, result: ItemEnd["result"]): void {
    this.#release(job, member);
    if (this.#over) return;
    this.#ended++;
    this.#parts.itemEnded({ index: job.index, member, attempts: job.attempts, result });
    this.pump();
  }

  #release(job: Job, member: Member): void {
    this.#running.delete(job);
    const load = this.#loadOf(member) - 1;
    if (load > 0) this.#load.set(member, load);
    else this.#load.delete(member);
  }

  /** Limits the time for which items wait without a worker. */
  #watchIdling(idling: boolean): void {
    if (!idling) {
      this.#stopIdling?.();
      this.#stopIdling = null;
    } else if (this.#stopIdling === null) {
      const { itemTimeoutMs } = this.#parts.options;
      this.#stopIdling = this.#parts.clock.after(itemTimeoutMs, () => {
        const none = `No worker could take an item for ${itemTimeoutMs} ms`;
        this.end({ reason: this.#late(`${none}: ${this.#progress()} done`) });
      });
    }
  }

  #progress(): string {
    const { total } = this.#source;
    return `${this.#ended}${total === null ? "" : ` of ${total}`} items are`;
  }

  #late(message: string): ZeromeshError {
    return new ZeromeshError("TIMEOUT", message, {
      handler: this.#parts.contract.name,
      ran: this.#next === 0 ? "no" : "maybe",
    });
  }
}

function lost(member: Member): ZeromeshError {
  const message = `Worker ${peerText(member)} was lost while it had the item`;
  return new ZeromeshError("COHORT_WORKER_LOST", message, { peer: member.instanceId, ran: "maybe" });
}
