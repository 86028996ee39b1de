import {
  type CallInput,
  type CallOutput,
  type Contract,
  isContract,
  readOptions,
  type UnaryContract,
} from "../core/mod.ts";
import {
  type AckOptions,
  ackOptionTable,
  type BroadcastOptions,
  callOptions,
  collect,
  type CollectiveHost,
  type CollectiveOptions,
  collectiveOptionTable,
  nameOf,
  payloadLate,
  readBroadcast,
  type TypedBroadcastOptions,
} from "./collectives.ts";
import { type DistributeOptions, resolveDistribution } from "./distribute_options.ts";
import { Distribution, type ItemValue, type OngoingWork } from "./distribution.ts";
import type { Worker } from "./members.ts";
import type { CohortResults } from "./results.ts";
import type { Timeout } from "./timeout.ts";

/** The cohort, as far as {@link CohortCalls} uses it. */
export interface CallsHost extends CollectiveHost {
  /** Running distributions. They learn of changes of the workers, and end with the cohort. */
  readonly distributions: Set<OngoingWork>;
}

/** The leader's calls to its workers: collectives and distributions. */
export abstract class CohortCalls<Rank extends number | null> {
  readonly #host: CallsHost;

  /** Used by cohorts. */
  protected constructor(host: CallsHost) {
    this.#host = host;
  }

  /** Waits until every worker has a handler. @throws {AggregateError} If one has none by the deadline. */
  async awaitHandlerOnAllWorkers(handler: string, given?: CollectiveOptions): Promise<void> {
    const options = readOptions(given, collectiveOptionTable, "Cannot wait for the workers'", handler);
    const { messenger } = this.#host;
    const results = await collect(
      this.#host,
      options,
      ({ instanceId }, { wait }) => messenger.waitForHandler(instanceId, handler, wait),
    );
    results.values();
  }

  /** Fire and forget to every worker, in order of rank. The outcomes say whose queue accepted the message. */
  send<C extends Contract>(
    contract: C,
    options: TypedBroadcastOptions<C>,
  ): Promise<CohortResults<void, Rank>>;
  /** The same, by handler name. */
  send(handler: string, options?: BroadcastOptions): Promise<CohortResults<void, Rank>>;
  async send(target: string | Contract, given?: BroadcastOptions): Promise<CohortResults<void, Rank>> {
    const options = readBroadcast(target, given);
    const { messenger } = this.#host;
    return await collect(
      this.#host,
      options,
      (worker, timeout) => messenger.amSend(target as string, callOptions(worker, options, timeout)),
    );
  }

  /** Sends to every worker; the outcomes say whose handler has finished, or with `ack: "handler"` has sent its ACK. */
  sync<C extends Contract>(
    contract: C,
    options: TypedBroadcastOptions<C> & AckOptions,
  ): Promise<CohortResults<void, Rank>>;
  /** The same, by handler name. */
  sync(handler: string, options?: BroadcastOptions & AckOptions): Promise<CohortResults<void, Rank>>;
  async sync(
    target: string | Contract,
    given?: BroadcastOptions & AckOptions,
  ): Promise<CohortResults<void, Rank>> {
    const options = readBroadcast(target, given, ackOptionTable);
    const { messenger } = this.#host;
    const byAck = options.ack === "handler";
    if (byAck && options.rawPayload !== undefined) {
      throw new TypeError(
        'Cannot send rawPayload with ack: "handler": the id of the ACK needs a JSON payload',
      );
    }
    return await collect(this.#host, options, (worker, timeout) => {
      const call = callOptions(worker, options, timeout);
      return byAck
        ? messenger.sendWithAck(target, { ...call, payload: options.payload as object | undefined })
        : messenger.amSync(target as string, call);
    });
  }

  /** Calls every worker with the same input. */
  call<C extends UnaryContract>(
    target: C,
    options: TypedBroadcastOptions<C>,
  ): Promise<CohortResults<CallOutput<C>, Rank>>;
  /** The same, by handler name. */
  call(target: string, options?: BroadcastOptions): Promise<CohortResults<Uint8Array, Rank>>;
  async call(
    target: string | UnaryContract,
    given?: BroadcastOptions,
  ): Promise<CohortResults<unknown, Rank>> {
    const options = readBroadcast(target, given);
    return await collect<unknown, Rank>(
      this.#host,
      options,
      (worker, timeout) => this.#unary(target, worker, options, timeout),
    );
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
  async map(
    target: string | UnaryContract,
    payloadOf: (worker: Worker<Rank>) => unknown,
    given?: CollectiveOptions,
  ): Promise<CohortResults<unknown, Rank>> {
    const options = readOptions(given, collectiveOptionTable, "Cannot call the workers'", nameOf(target));
    return await collect<unknown, Rank>(this.#host, options, async (worker, timeout) => {
      const made = Promise.resolve(payloadOf(worker));
      const payload = await timeout.hold(made, () => payloadLate(worker));
      const raw = payload instanceof Uint8Array && typeof target === "string";
      const sent = raw ? { rawPayload: payload } : { payload };
      return await this.#unary(target, worker, { ...options, ...sent }, timeout);
    });
  }

  #unary(
    target: string | UnaryContract,
    worker: Worker<Rank>,
    options: BroadcastOptions,
    timeout: Timeout,
  ): Promise<unknown> {
    const call = callOptions(worker, options, timeout);
    const { messenger } = this.#host;
    return typeof target === "string"
      ? messenger.unary(target, call)
      : messenger.typedUnary(target, { ...call, payload: options.payload });
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
