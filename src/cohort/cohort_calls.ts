import {
  type CallInput,
  type CallOutput,
  type Contract,
  isContract,
  type UnaryContract,
} from "../core/mod.ts";
import {
  type AckOptions,
  type BroadcastOptions,
  type CollectiveHost,
  type CollectiveOptions,
  Collectives,
  type TypedBroadcastOptions,
} from "./collectives.ts";
import { type DistributeOptions, resolveDistribution } from "./distribute_options.ts";
import { Distribution, type ItemValue, type OngoingWork } from "./distribution.ts";
import type { Worker } from "./members.ts";
import type { CohortResults } from "./results.ts";

/** The cohort, as far as {@link CohortCalls} uses it. */
export interface CallsHost extends CollectiveHost {
  /** The cohort's name. */
  readonly name: string;
  /** Running distributions. They learn of changes of the workers, and end with the cohort. */
  readonly distributions: Set<OngoingWork>;
}

/** The leader's calls to its workers: collectives and distributions. */
export abstract class CohortCalls<Rank extends number | null> {
  readonly #host: CallsHost;
  readonly #collectives: Collectives<Rank>;

  /** Used by cohorts. */
  protected constructor(host: CallsHost) {
    this.#host = host;
    this.#collectives = new Collectives(host);
  }

  /** Waits until every worker has a handler. @throws {AggregateError} If one has none by the deadline. */
  async awaitHandlerOnAllWorkers(handler: string, options?: CollectiveOptions): Promise<void> {
    (await this.#collectives.awaitHandler(handler, options)).values();
  }

  /** Fire and forget to every worker, in order of rank. The outcomes say whose queue accepted the message. */
  send<C extends Contract>(
    contract: C,
    options: TypedBroadcastOptions<C>,
  ): Promise<CohortResults<void, Rank>>;
  /** The same, by handler name. */
  send(handler: string, options?: BroadcastOptions): Promise<CohortResults<void, Rank>>;
  send(target: string | Contract, options?: BroadcastOptions): Promise<CohortResults<void, Rank>> {
    return this.#collectives.send(target, options);
  }

  /** Sends to every worker; the outcomes say whose handler has finished, or with `ack: "handler"` has sent its ACK. */
  sync<C extends Contract>(
    contract: C,
    options: TypedBroadcastOptions<C> & AckOptions,
  ): Promise<CohortResults<void, Rank>>;
  /** The same, by handler name. */
  sync(handler: string, options?: BroadcastOptions & AckOptions): Promise<CohortResults<void, Rank>>;
  sync(
    target: string | Contract,
    options?: BroadcastOptions & AckOptions,
  ): Promise<CohortResults<void, Rank>> {
    return this.#collectives.sync(target, options);
  }

  /** Calls every worker with the same input. */
  call<C extends UnaryContract>(
    target: C,
    options: TypedBroadcastOptions<C>,
  ): Promise<CohortResults<CallOutput<C>, Rank>>;
  /** The same, by handler name. */
  call(target: string, options?: BroadcastOptions): Promise<CohortResults<Uint8Array, Rank>>;
  call(
    target: string | UnaryContract,
    options?: BroadcastOptions,
  ): Promise<CohortResults<unknown, Rank>> {
    return this.#collectives.call(target as string, options);
  }

  /** Calls every worker with its own input. Deadline and signal also apply to making the inputs. */
  map<C extends UnaryContract>(
    target: C,
    payloadOf: (worker: Worker<Rank>) => CallInput<C> | Promise<CallInput<C>>,
    options?: CollectiveOptions,
  ): Promise<CohortResults<CallOutput<C>, Rank>>;
  /** The same, by handler name: bytes are sent unchanged, other values as JSON. */
  map(
    target: string,
    payloadOf: (worker: Worker<Rank>) => unknown,
    options?: CollectiveOptions,
  ): Promise<CohortResults<Uint8Array, Rank>>;
  map(
    target: string | UnaryContract,
    payloadOf: (worker: Worker<Rank>) => unknown,
    options?: CollectiveOptions,
  ): Promise<CohortResults<unknown, Rank>> {
    return this.#collectives.map(target as string, payloadOf, options);
  }

  /** Alias of {@link send}, after Dynamo's `broadcast_to_workers`. */
  get broadcastToWorkers(): CohortCalls<Rank>["send"] {
    return this.send;
  }

  /** Alias of {@link sync}, after Dynamo's `broadcast_to_workers_with_acks`. */
  get broadcastToWorkersWithAcks(): CohortCalls<Rank>["sync"] {
    return this.sync;
  }

  /**
   * Calls a handler once for each item, each at one worker: a work queue. Free workers get the items in order; an item
   * that failed without having run goes to another worker.
   *
   * Workers may come and go meanwhile. Without workers, items wait. The end of the cohort ends the distribution, so a
   * cohort that loses workers needs a `failurePolicy` other than `endAll`.
   *
   * @param contract The handler.
   * @param items The inputs. An iterable is asked for the next one when a worker is free.
   * @param options Items per worker at a time, retries, deadlines, a signal.
   * @returns Awaited, the results in the order of the items; iterated, each item's outcome as it ends.
   */
  distribute<C extends Contract>(
    contract: C,
    items: Iterable<CallInput<C>> | AsyncIterable<CallInput<C>>,
    options?: DistributeOptions,
  ): Distribution<ItemValue<C>, Rank> {
    if (!isContract(contract)) {
      throw new TypeError("Cannot distribute: the first argument must be a contract");
    }
    if (typeof items !== "object" || items === null) {
      throw new TypeError("Cannot distribute: the items must be an iterable");
    }
    const { clock, messenger, timeoutMs, distributions, members } = this.#host;
    members();
    const distribution = new Distribution<ItemValue<C>, Rank>({
      clock,
      messenger,
      contract,
      items,
      options: resolveDistribution(options, timeoutMs),
      members,
    });
    distributions.add(distribution);
    const over = (): void => void distributions.delete(distribution);
    distribution.then(over, over);
    return distribution;
  }
}
