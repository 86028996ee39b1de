import { type CallOutput, type Contract, type Ran, type UnaryContract, ZeromeshError } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import type { Worker } from "./members.ts";
import { type ItemEnd, WorkQueue, type WorkQueueParts } from "./work_queue.ts";

/** A worker's answer to an item; void for a contract without an answer. */
export type ItemValue<C extends Contract> = C extends UnaryContract ? CallOutput<C> : void;

/** The outcome of one item of `cohort.distribute`, with the progress of all. */
export type ItemOutcome<T, Rank extends number | null = number | null> =
  & {
    /** Index of the item, from 0. */
    readonly index: number;
    /** The worker of the last attempt. */
    readonly worker: Worker<Rank>;
    /** Number of attempts. */
    readonly attempts: number;
    /** Items that have ended, this one included. */
    readonly done: number;
    /** Items in total; null while the source may yield more. */
    readonly total: number | null;
  }
  & ({ readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Error });

/** A distribution, as its cohort uses it. */
export type OngoingWork = Pick<Distribution<unknown>, "changed" | "cancel">;

/** The parts of a {@link Distribution}. */
export type DistributionParts = Omit<WorkQueueParts, "itemEnded" | "over">;

// The error for all items describes this many failures.
const mostTold = 5;

/**
 * A running distribution of items to a cohort's workers, made by `cohort.distribute`. It begins at once.
 *
 * Awaited, it gives the results in the order of the items; iterated, each item's outcome as it ends. Both are possible:
 * all outcomes are kept.
 */
export class Distribution<T, Rank extends number | null = number | null>
  implements Promise<T[]>, AsyncIterable<ItemOutcome<T, Rank>> {
  /** The class's name. */
  readonly [Symbol.toStringTag] = "Distribution";
  readonly #queue: WorkQueue;
  readonly #outcomes: ItemOutcome<T, Rank>[] = [];
  readonly #results = Promise.withResolvers<T[]>();
  #failure: { readonly reason: unknown } | null = null;
  #over = false;
  #news = Promise.withResolvers<void>();

  /** Use `cohort.distribute`. */
  constructor(parts: DistributionParts) {
    // Iteration reports a failure as well, so this promise may have no other handler.
    this.#results.promise.catch(() => {});
    this.#queue = new WorkQueue({
      ...parts,
      itemEnded: (end) => this.#add(end),
      over: (failure) => this.#end(failure, parts.contract.name),
    });
    this.#queue.pump();
  }

  /** The outcomes so far, in the order in which items ended, also after an error. */
  get outcomes(): readonly ItemOutcome<T, Rank>[] {
    return this.#outcomes;
  }

  /** Starts waiting items; called when the workers change. */
  changed(): void {
    this.#queue.pump();
  }

  /** Cancels unfinished items; waiters get the reason. */
  cancel(
    reason: unknown = new ZeromeshError("CANCELLED", "The distribution was cancelled", { ran: "maybe" }),
  ): void {
    this.#queue.end({ reason });
  }

  /**
   * Waits for all items.
   *
   * It rejects with `COHORT_ITEMS_FAILED` when items failed finally, after all others have ended; and with `TIMEOUT`,
   * `COHORT_ENDED`, `CANCELLED`, the signal's reason or the source's error when it could not go on.
   */
  then<A = T[], B = never>(
    onfulfilled?: ((results: T[]) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#results.promise.then(onfulfilled, onrejected);
  }

  /** As `Promise.catch`. */
  catch<B = never>(onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T[] | B> {
    return this.#results.promise.catch(onrejected);
  }

  /** As `Promise.finally`. */
  finally(onfinally?: (() => void) | null): Promise<T[]> {
    return this.#results.promise.finally(onfinally);
  }

  /**
   * Each item's outcome, beginning with those that have ended. The failure of an item is an outcome too, and does not
   * end the iteration. Leaving the loop early calls {@link cancel}.
   */
  async *[Symbol.asyncIterator](): AsyncIterator<ItemOutcome<T, Rank>> {
    let at = 0;
    let left = true;
    try {
      for (;;) {
        for (; at < this.#outcomes.length; at++) yield this.#outcomes[at]!;
        if (this.#over) break;
        await this.#news.promise;
      }
      left = false;
      if (this.#failure !== null) throw this.#failure.reason;
    } finally {
      if (left) this.cancel();
    }
  }

  #add({ index, member, attempts, result }: ItemEnd): void {
    const worker = member.view() as Worker<Rank>;
    const done = this.#outcomes.length + 1;
    const about = { index, worker, attempts, done, total: this.#queue.total };
    this.#outcomes.push(
      result.ok
        ? { ...about, ok: true, value: result.value as T }
        : { ...about, ok: false, error: result.error },
    );
    this.#tell();
  }

  #end(failure: { readonly reason: unknown } | null, handler: string): void {
    this.#over = true;
    this.#failure = failure;
    if (failure !== null) this.#results.reject(failure.reason);
    else {
      const failed = this.#outcomes.filter((outcome) => !outcome.ok);
      if (failed.length > 0) this.#results.reject(itemsFailed(failed, this.#outcomes.length, handler));
      else {
        const results: T[] = new Array(this.#outcomes.length);
        for (const outcome of this.#outcomes) if (outcome.ok) results[outcome.index] = outcome.value;
        this.#results.resolve(results);
      }
    }
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

type Failed = ItemOutcome<unknown> & { readonly ok: false };

function itemsFailed(failed: readonly Failed[], total: number, handler: string): ZeromeshError {
  const inOrder = [...failed].sort((a, b) => a.index - b.index);
  const told = inOrder.slice(0, mostTold).map(({ index, worker, attempts, error }) =>
    `item ${index} at ${peerText(worker)}${attempts > 1 ? `, sent ${attempts} times` : ""}: ${error.message}`
  );
  if (failed.length > mostTold) told.push(`and ${failed.length - mostTold} more`);
  const rans = failed.map(({ error }): Ran => error instanceof ZeromeshError ? error.ran : "no");
  return new ZeromeshError(
    "COHORT_ITEMS_FAILED",
    `${failed.length} of ${total} items of "${handler}" failed: ${told.join("; ")}`,
    {
      handler,
      ran: rans.includes("yes") ? "yes" : rans.includes("maybe") ? "maybe" : "no",
      details: {
        failed: inOrder.map(({ index, attempts, error }) => ({ index, attempts, message: error.message })),
      },
      cause: inOrder[0]!.error,
    },
  );
}
