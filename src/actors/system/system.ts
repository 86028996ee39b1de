import {
  type DroppedEntries,
  type Ending,
  EndOf,
  Guard,
  guardLogger,
  newInstanceId,
  observeStats,
  onAbort,
  readOptions,
  type SubscribeOptions,
  systemClock,
  withDefaults,
  ZeromeshError,
} from "../../core/mod.ts";
import { type MessengerHandle, portOf, type SystemPort } from "../../messenger/mod.ts";
import { actorMetrics } from "./metrics.ts";
import {
  ActorMailbox,
  type ActorMailboxOptions,
  actorMailboxOptionTable,
  mailboxDefinition,
  type MailboxInbox,
} from "./actor_mailbox.ts";
import { type ActorMetrics, metricsOf } from "./actor_metrics.ts";
import type { ActorAddress } from "../references/address.ts";
import type { ActorEvent } from "../cell/actor_events.ts";
import { SelfContext } from "../cell/self_context.ts";
import type { ChannelStatus } from "../references/actor_channel.ts";
import { type ActorContract, type BytesContract, bytesContract } from "../contract/contract.ts";
import type { DeadLetter } from "../cell/dead_letters.ts";
import type { ActorSelf } from "../definition/context.ts";
import type { ActorDefinition } from "../definition/behaviour.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import { notPaused } from "../failures.ts";
import {
  type ActorSystemOptions,
  type CloseSystemOptions,
  closeSystemOptionTable,
  resolveSystemOptions,
  type StopOptions,
  stopOptionTable,
  systemOptionTable,
} from "../options/system_options.ts";
import { type ActorPool, startPool } from "../pools/actor_pool.ts";
import type { PoolArguments, PoolOptions } from "../pools/pool_options.ts";
import type { ActorRef } from "../references/actor_ref.ts";
import { refuseSecondSystem } from "../remote/client.ts";
import type { SpawnArguments } from "../options/spawn_options.ts";
import { type ActorStatus, type ActorSystemStats, type ActorTree, statusOf, treeOf } from "./status.ts";
import { type Registration, SystemCore } from "./core.ts";
import { rollbackActor, updateActor } from "../update/update_actor.ts";
import type { UpdateOptions } from "../update/update_options.ts";
import type { RollbackResult, UpdateResult } from "../update/updates.ts";

/** A system without its public methods, for the parts that stand on it. */
export let coreOf: (system: ActorSystem) => SystemCore;

/**
 * Actors of one instance: they are started, found and ended here. With a messenger, other instances reach them.
 *
 * @example Usage
 * ```ts
 * import { actor, ActorSystem } from "zeromesh/actors";
 *
 * const echo = actor({ init: () => null, ask: { echo: (_ctx, bytes) => bytes } });
 * await using system = ActorSystem.local();
 * const ref = await system.spawn(echo, { name: "echo" });
 * console.log(await ref.ask("echo", Uint8Array.of(1))); // Uint8Array(1) [ 1 ]
 * ```
 */
export class ActorSystem implements AsyncDisposable {
  readonly #core: SystemCore;
  readonly #end = new EndOf();
  readonly #metrics: Disposable;
  #closing: Promise<void> | null = null;

  private constructor(options: ActorSystemOptions, port: SystemPort | null) {
    this.#core = new SystemCore({
      port,
      instanceId: port?.instanceId ?? newInstanceId(),
      clock: options.clock ?? port?.clock ?? systemClock,
      logger: options.logger === undefined && port !== null ? port.logger : guardLogger(options.logger),
      options: resolveSystemOptions(options),
      hold: port === null ? null : () => port.hold(),
    });
    this.#metrics = observeStats(
      options.meter,
      new Guard(this.#core.logger),
      actorMetrics,
      () => this.stats(),
    );
  }

  /**
   * Makes the system of a messenger: one for each messenger. Closing the messenger closes it.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS` if the messenger has one already.
   * @throws {TypeError} If it is no messenger, or an option is unknown or has the wrong type.
   */
  // deno-lint-ignore require-await -- errors of options reject
  static async create(messenger: MessengerHandle, given?: ActorSystemOptions): Promise<ActorSystem> {
    const options = readOptions(given, systemOptionTable, "Cannot make an actor system");
    const port = portOf(messenger);
    if (port === undefined) throw new TypeError("Cannot make an actor system: it takes a Messenger");
    refuseSecondSystem(port);
    const system = new ActorSystem(options, port);
    system.#core.connect(port);
    const watching = port.watch({ closing: () => void system.close({ timeoutMs: 0 }) });
    void system.closed.then(() => watching[Symbol.dispose]());
    return system;
  }

  /**
   * Makes a system inside this process, without a messenger; libzmq is not loaded.
   *
   * @throws {TypeError} If an option is unknown or has the wrong type.
   */
  static local(given?: ActorSystemOptions): ActorSystem {
    return new ActorSystem(readOptions(given, systemOptionTable, "Cannot make an actor system"), null);
  }

  /** The instance in its actors' addresses. */
  get instanceId(): string {
    return this.#core.instanceId;
  }

  /**
   * Starts an actor. It resolves when `init` has ended; if that fails, nothing is left of the actor.
   *
   * @throws {ZeromeshError} `ACTOR_EXISTS`, `LIMIT_REACHED`, `HANDLER_FAILED`, `TIMEOUT`, `CLOSED`.
   */
  async spawn<C extends ActorContract, Args>(
    definition: ActorDefinition<C, Args>,
    ...options: SpawnArguments<Args>
  ): Promise<ActorRef<C>> {
    return await this.#core.spawn(definition, options[0], null) as ActorRef<C>;
  }

  /**
   * Starts an actor without a definition, whose messages are iterated.
   *
   * @throws {ZeromeshError} As {@link spawn}.
   */
  async mailbox<C extends ActorContract = BytesContract>(
    given?: ActorMailboxOptions<C>,
  ): Promise<ActorMailbox<C>> {
    const options = readOptions<ActorMailboxOptions>(given, actorMailboxOptionTable, "Cannot make a mailbox");
    const { name, contract = bytesContract, signal, ...mailbox } = options;
    signal?.throwIfAborted();
    const inbox: MailboxInbox = { receive() {} };
    const ref = await this.#core.spawn(
      mailboxDefinition(contract, inbox),
      { name, mailbox },
      null,
    ) as ActorRef<C>;
    const cell = this.#core.router.find(ref.target);
    const stop = () => cell.stop({ reason: "stopped" });
    const listening = onAbort(signal, () => void stop());
    void cell.ended.then(() => listening[Symbol.dispose]());
    // Whoever reads a mailbox keeps nobody waiting by what it sends: its asks are deferred.
    const context = new SelfContext(cell, -2) as unknown as ActorSelf;
    return new ActorMailbox(
      { ref, context, hold: (held) => cell.holdBack(held), stop, ended: cell.ended },
      inbox,
    );
  }

  /**
   * Starts a pool: as many actors of one definition behind one reference. Each message goes to one of them, and a member
   * that ends is replaced; what it had not answered fails with `ACTOR_STOPPED`, and its turn or keys go to the others.
   *
   * @throws {ZeromeshError} As {@link spawn}; then nothing is left of the pool.
   */
  async pool<C extends ActorContract, Args>(
    definition: ActorDefinition<C, Args>,
    ...options: PoolArguments<C, Args>
  ): Promise<ActorPool<C>> {
    return await startPool(this.#core, definition, options[0] as PoolOptions) as ActorPool<C>;
  }

  /** A reference to an actor by its address, id or name, whether it exists or not. */
  ref<C extends ActorContract>(contract: C, address: string | ActorAddress): ActorRef<C>;
  /** A reference that takes and gives bytes. */
  ref(address: string | ActorAddress): ActorRef<BytesContract>;
  ref(first: ActorContract | string | ActorAddress, second?: string | ActorAddress): ActorRef {
    const [contract, address] = second === undefined
      ? [bytesContract, first as string | ActorAddress]
      : [first as ActorContract, second];
    const text = typeof address === "string" && !address.includes("@")
      ? `${address}@${this.#core.instanceId}`
      : address;
    return this.#core.refTo(contract, text, null);
  }

  /** The actor of this system with an id, name or address; null without one. */
  lookup(target: string | ActorAddress): ActorStatus | null {
    const cell = this.#core.registry.find(this.#core.targetOf(target) ?? "");
    return cell === null ? null : statusOf(cell);
  }

  /** The actors of this system, in the order of their start. */
  list(): ActorStatus[] {
    return [...this.#core.registry.cells()].map(statusOf);
  }

  /** The channels of an actor, open ones and those that wait for `accept`. */
  channels(target: string | ActorAddress): readonly ChannelStatus[] {
    return this.#core.channels.listOf(this.#core.cellOf(target));
  }

  /** Iterates over actors that are started and end, from now on. */
  registrations(options?: SubscribeOptions): AsyncIterableIterator<Registration | DroppedEntries> {
    return this.#core.registrations.subscribe(options);
  }

  /** Iterates over messages that reach no handler, and answers that reach nobody, from now on. */
  deadLetters(options?: SubscribeOptions): AsyncIterableIterator<DeadLetter | DroppedEntries> {
    return this.#core.deadLetters.subscribe(options);
  }

  /** Iterates over what happens to actors, from now on: `seq` of an actor's events has no gap. */
  events(options?: SubscribeOptions): AsyncIterableIterator<ActorEvent | DroppedEntries> {
    return this.#core.events.subscribe(options);
  }

  /** Makes an actor handle no messages until {@link resume}; they wait in its mailbox. */
  pause(target: string | ActorAddress): void {
    const cell = this.#core.cellOf(target);
    for (const one of [cell, ...cell.pool?.members() ?? []]) one.pause();
    this.#core.events.publish(cell, { type: "paused" });
  }

  /**
   * Lets a paused actor go on.
   *
   * @throws {ZeromeshError} `ACTOR_NOT_PAUSED`.
   */
  resume(target: string | ActorAddress): void {
    const cell = this.#core.cellOf(target);
    if (!cell.paused) throw notPaused(cell);
    for (const one of [cell, ...cell.pool?.members() ?? []]) one.resume();
    this.#core.events.publish(cell, { type: "resumed" });
  }

  /**
   * Replaces what an actor does, between two messages: id, mailbox, channels, deferred replies, timers, children and
   * watchers stay. A module is loaded with its present content, also under a path that was loaded before, while the
   * actor works on. Until the swap a failure changes nothing.
   *
   * `migrate` of the new definition gets a copy of the state, as `structuredClone` makes it, or the state itself if that
   * cannot be copied. Updates of one actor take place in the order of the calls. A paused actor goes on.
   *
   * @param update A definition; or a module by its path or `file:` URL, whose default export is one.
   * @throws {ZeromeshError} `ACTOR_UPDATE_FAILED`, `ACTOR_NOT_FOUND`, `ACTOR_STOPPED`, `TIMEOUT`.
   *
   * @example Usage
   * ```ts
   * import { actor, ActorSystem } from "zeromesh/actors";
   *
   * await using system = ActorSystem.local();
   * const ref = await system.spawn(actor({ init: () => 1, ask: { add: (ctx) => Uint8Array.of(ctx.state) } }));
   * const next = actor({ version: 2, init: () => 1, ask: { add: (ctx) => Uint8Array.of(ctx.state + 1) } });
   * console.log(await system.update(ref, next)); // { fromVersion: 1, toVersion: 2 }
   * ```
   */
  async update(
    target: string | ActorAddress,
    update: ActorDefinition | string | URL,
    options?: UpdateOptions,
  ): Promise<UpdateResult> {
    return await updateActor(this.#core.cellOf(target), update, options);
  }

  /**
   * Undoes an actor's last update: with `migrateBack` of the present definition, or with the state that the update found.
   *
   * @throws {ZeromeshError} `ACTOR_UPDATE_FAILED` without an update.
   */
  async rollback(target: string | ActorAddress): Promise<RollbackResult> {
    return await rollbackActor(this.#core.cellOf(target));
  }

  /**
   * Ends an actor in order: it takes no more messages, its running handler ends within a bound, then its children, then
   * `onStop` runs. What waits for it fails with `ACTOR_STOPPED`.
   *
   * @returns Why it has ended.
   */
  async stop(target: string | ActorAddress, given?: StopOptions): Promise<ActorEnd> {
    const { timeoutMs } = readOptions(given, stopOptionTable, "Cannot stop an actor");
    return await this.#core.cellOf(target).stop({ reason: "stopped" }, timeoutMs);
  }

  /** Ends an actor at once: it waits for nothing, and `onStop` does not run. */
  terminate(target: string | ActorAddress): void {
    this.#core.cellOf(target).terminate();
  }

  /**
   * Gives an actor a new state from `init`, after its running handler; see {@link SupervisionOptions.onFailure}.
   *
   * @throws {ZeromeshError} The failure of `init`, which is met by the actor's supervision.
   */
  async restart(target: string | ActorAddress): Promise<void> {
    await this.#core.supervisor.restart([this.#core.cellOf(target)]);
  }

  /**
   * Calls back once when an actor ends, of this or another instance; at once if it does not exist.
   *
   * @returns Disposing it ends the watch.
   * @throws {ZeromeshError} `LIMIT_REACHED` at `maxWatches`, `CLOSED`.
   */
  watch(target: string | ActorAddress, ended: (end: ActorEnd) => unknown): Disposable {
    const ref = typeof target === "string" ? this.ref(bytesContract, target) : target;
    return this.#core.watch(ref, null, ended);
  }

  /** The actors of this system as trees: those without a parent, each with its children. */
  tree(): ActorTree[] {
    return treeOf([...this.#core.registry.cells()].filter(({ parent }) => parent === null));
  }

  /** Counters and times of one actor. */
  metrics(target: string | ActorAddress): ActorMetrics {
    return metricsOf(this.#core.cellOf(target));
  }

  /** A snapshot of the counters. */
  stats(): ActorSystemStats {
    const { registry, started, endedCount, deadLetters, channels, supervisor, watches, turns, remoteCounts } =
      this.#core;
    return {
      actors: registry.size,
      started,
      ended: endedCount,
      refused: registry.refused,
      ...turns,
      restarts: supervisor.restarts,
      escalations: supervisor.escalations,
      watches: watches.started,
      updatesRefused: this.#core.updatesRefused,
      asksRefused: this.#core.asksRefused,
      deadLetters: deadLetters.counts,
      channels: channels.stats(),
      remote: { ...remoteCounts },
    };
  }

  /** Stops all actors. A second call returns the first promise. */
  close(given?: CloseSystemOptions): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    try {
      const options = readOptions(given, closeSystemOptionTable, "Cannot close an actor system");
      const { timeoutMs } = withDefaults(options, closeSystemOptionTable);
      return this.#end.follow(this.#closing = this.#close(timeoutMs));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #close(timeoutMs: number): Promise<void> {
    const core = this.#core;
    core.closed = new ZeromeshError("CLOSED", "The actor system is closed");
    // Children stop with their parents.
    const roots = [...core.registry.cells()].filter(({ parent }) => parent === null);
    await Promise.all(roots.map((cell) => cell.stop({ reason: "stopped" }, timeoutMs)));
    // Whatever was started meanwhile.
    for (const cell of [...core.registry.cells()]) cell.terminate();
    core.watches.close();
    await core.remote?.[Symbol.asyncDispose]();
    core.remote = null;
    core.registrations.close();
    core.deadLetters.close();
    core.events.close();
    core.deadlines.close();
    core.holding.close();
    this.#metrics[Symbol.dispose]();
  }

  /** Resolves to the reason when it is closed, and never rejects. */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** {@link close} with its default. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  static {
    coreOf = (system) => system.#core;
  }
}
