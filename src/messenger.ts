import {
  asMethod,
  type CallOutput,
  type Contract,
  type DroppedEntries,
  type Ending,
  type InstanceId,
  isContract,
  readOptions,
  type SubscribeOptions,
  type UnaryContract,
  type WorkerId,
  ZeromeshError,
} from "./core/mod.ts";
import { type EventManager, eventsFeature } from "./events/mod.ts";
import { features } from "./features.ts";
import {
  type AnyFeature,
  broadcast,
  type BroadcastResult,
  type BroadcastTarget,
  type Caller,
  type CallOptions,
  type Client,
  type ClientCallOptions,
  type CloseOptions,
  closeOptionTable,
  type ConnectOptions,
  connectOptionTable,
  type Destination,
  handleOptionTable,
  type Handler,
  type HandlerFunction,
  type HandlerFunctions,
  handlerOf,
  type HandlerOptions,
  handlersFor,
  type InboundCall,
  type MessengerCore,
  type MessengerHandle,
  type ObjectHandler,
  type PeerEntry,
  peerInfoOfEntry,
  PeerQuestions,
  type PeerView,
  type RegisterOptions,
  registerOptionTable,
  type Served,
  type Status,
  type TypedCallOptions,
  type WaitOptions,
  waitOptionTable,
} from "./messenger/mod.ts";
import { askDescription, type PeerDescription } from "./services/mod.ts";
import { createMessenger, type MessengerState } from "./messenger_state.ts";
import type { MessengerOptions } from "./messenger_options.ts";
import type { FullStats } from "./stat_metrics.ts";
import { type PeerInfoJson, peerInfoToJson } from "./wire/mod.ts";
import type { LibraryInfo } from "./libzmq/mod.ts";

/** Makes a messenger that has these features, and takes their options: `Messenger.create` with another table. */
export let createWith: (listed: readonly AnyFeature[], given?: MessengerOptions) => Promise<Messenger>;

/**
 * One instance on the network: it listens, dials peers, sends requests and serves handlers.
 *
 * A listening instance keeps the process alive until it is closed; {@link Messenger.unref} changes that.
 *
 * @example Usage
 * ```ts
 * import { contract, Messenger } from "zeromesh";
 * import { z } from "zod";
 *
 * const add = contract("add", {
 *   input: z.object({ a: z.number(), b: z.number() }),
 *   output: z.object({ sum: z.number() }),
 * });
 *
 * await using server = await Messenger.create();
 * server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
 *
 * await using client = await Messenger.create();
 * const peer = await client.connect(server.endpoint);
 * const { sum } = await client.typedUnary(add, { to: peer, payload: { a: 3, b: 4 } });
 * console.log(sum); // 7
 * ```
 */
export class Messenger extends PeerQuestions implements MessengerHandle, Caller, AsyncDisposable {
  readonly #state: MessengerState;
  /** The message whose handler got this object as `context.messenger`; null for the object that `create` returned. */
  readonly #call: InboundCall | null;

  static {
    const make = (state: MessengerState, call: InboundCall | null) => new Messenger(state, call);
    createWith = (listed, given) => createMessenger(listed, given, make);
  }

  private constructor(state: MessengerState, call: InboundCall | null) {
    super(state);
    this.#state = state;
    this.#call = call;
  }

  get #core(): MessengerCore {
    return this.#state.core;
  }

  /**
   * Loads libzmq if necessary, binds, and makes an instance.
   *
   * @param given Endpoints, limits, features; all have defaults.
   * @throws {TypeError} If an option has the wrong type or is unknown, or the keys of `curve` are no pair.
   * @throws {RangeError} If a number is out of its range.
   * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, `ENDPOINT_INVALID`, `ADDRESS_IN_USE`, or an error of registering with
   * `discovery`.
   * @throws {unknown} The reason of `signal`, when it aborts during creation; nothing is left open then.
   */
  static create(given?: MessengerOptions): Promise<Messenger> {
    return createWith(features, given);
  }

  /** This instance's id. */
  get instanceId(): InstanceId {
    return this.#core.instanceId;
  }

  /** XXH3-64 of the id's bytes. Velo routes replies by it. */
  get workerId(): WorkerId {
    return this.#core.workerId;
  }

  /**
   * The first address that peers can dial, with its port resolved.
   *
   * @throws {ZeromeshError} `ENDPOINT_INVALID` for an instance that does not listen.
   */
  get endpoint(): string {
    const endpoint = this.#core.transport.endpoints[0];
    if (endpoint !== undefined) return endpoint;
    const why = "This instance does not listen (listen: false): it has no endpoint";
    throw new ZeromeshError("ENDPOINT_INVALID", why);
  }

  /** All addresses that peers can dial; empty for an instance that does not listen. */
  get endpoints(): readonly string[] {
    return this.#core.transport.endpoints;
  }

  /** Events that are awaited, triggered and poisoned across instances. */
  get events(): EventManager {
    return this.#state.attached(eventsFeature()).manager;
  }

  /** The libzmq in use: path, version, capabilities. */
  get library(): LibraryInfo {
    return this.#state.library;
  }

  /**
   * Resolves when the instance is closed, and never rejects: to `"closed"`, to the text of the signal that closed it,
   * or to the error when closing failed or left the instance's entry in discovery.
   */
  get closed(): Promise<Ending> {
    return this.#state.end.closed;
  }

  /** Id and address of this instance, for {@link Messenger.registerPeer} elsewhere; JSON as Velo's own. */
  peerInfo(): PeerInfoJson {
    return peerInfoToJson(this.#core.connections.peerInfo());
  }

  /**
   * Dials an endpoint until an instance answers. An endpoint that is connected already is asked again.
   *
   * @param endpoint `tcp://HOST:PORT` or `ipc://PATH`. All addresses of a host name are tried.
   * @returns The id of the instance that answered.
   * @throws {ZeromeshError} `PEER_UNREACHABLE` after `timeoutMs`, with what was found there; `ENDPOINT_INVALID`;
   * `PEER_LACKS_FEATURE`; `CLOSED`.
   */
  async connect(endpoint: string, given?: ConnectOptions): Promise<InstanceId> {
    const { serverKey, timeoutMs = 5_000, signal } = readOptions(given, connectOptionTable, "Cannot connect");
    this.#requireOpen("connect");
    if (serverKey !== undefined && !this.#core.secure) {
      throw new TypeError("Cannot connect with serverKey: this instance has no keys; create it with curve");
    }
    return await this.#core.connections.connector.connect(endpoint, serverKey ?? null, timeoutMs, signal);
  }

  /**
   * Makes a peer known by its id and address. The first call to it dials.
   *
   * @param peer The result of `peerInfo()` on that instance, Velo's own JSON of it, or
   * `{ instanceId, endpoint, serverKey }` (`endpoints` for several). When another id answers at such an address, calls
   * fail with `IDENTITY_MISMATCH`.
   * @throws {TypeError} If it is none of these.
   * @throws {ZeromeshError} `ENDPOINT_INVALID`; `IDENTITY_MISMATCH` when the id belongs to another key; `CLOSED`.
   */
  registerPeer(peer: PeerEntry): InstanceId {
    this.#requireOpen("register a peer");
    return this.#core.connections.register(peerInfoOfEntry(peer, "register a peer"), true);
  }

  /** The peers known now. */
  peers(): PeerView[] {
    return [...this.#core.connections.peers.values()].map((peer) => peer.view());
  }

  /**
   * Ends the connections to a peer and forgets it. Its open calls end with `CLOSED`.
   *
   * @throws {ZeromeshError} `PEER_UNKNOWN`.
   */
  disconnect(peer: InstanceId): void {
    this.#core.connections.disconnect(this.#core.peer(peer));
  }

  /**
   * Announces the `services` of this instance, and resolves when the back ends have them. The first handler announces
   * them too, also one that a feature registers, such as a cohort's leader; so register all handlers in one turn.
   *
   * @throws {ZeromeshError} The back end's error; announcing is retried until `close()`.
   */
  async announce(): Promise<void> {
    this.#requireOpen("announce services");
    await this.#state.hub?.announce(this.instanceId);
  }

  /**
   * Registers a handler; disposing the result unregisters it. The first one announces the instance's `services`.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS`, `CLOSED`.
   */
  registerHandler(handler: Handler | ObjectHandler<Messenger>, given?: RegisterOptions): Disposable {
    const options = readOptions(given, registerOptionTable, "Cannot register handler", handler?.name);
    return this.#core.register([handlerOf(handler as Handler | ObjectHandler)], options);
  }

  /**
   * Unregisters the handler with this name; its running calls finish. Returns whether there was one.
   *
   * @throws {ZeromeshError} `NAME_INVALID` for the name of a handler of the library.
   */
  unregisterHandler(name: string): boolean {
    return this.#core.registry.unregister(name);
  }

  /**
   * Registers a function for a contract. Without `output` in the contract it is an am handler.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS`, `NAME_INVALID`, `CLOSED`.
   */
  handle<C extends Contract>(
    contract: C,
    run: HandlerFunction<C, Messenger>,
    given?: HandlerOptions & RegisterOptions,
  ): Disposable {
    if (!isContract(contract)) throw new TypeError("Cannot handle: the first argument must be a contract");
    const cannot = "Cannot make handler";
    const { replace, ...options } = readOptions(given, handleOptionTable, cannot, contract.name);
    const handler = this.#core.kinds.of(contract).handler(contract, run as Served, options);
    return this.#core.register([handler], { replace });
  }

  /**
   * Registers a function for each contract in an object, such as a module (`import * as`): all of them, or none when
   * one fails. Disposing the result unregisters them all.
   *
   * @param handlers An object with a function under the key of each contract; they are called as its methods.
   * @param given The options of `handle`, for each handler; limits that several handlers share go in `limits`.
   * @throws {TypeError} If a function is missing, or has no contract.
   * @throws {ZeromeshError} `HANDLER_EXISTS`, `NAME_INVALID`, `CLOSED`.
   *
   * @example Usage
   * ```ts ignore
   * using served = messenger.serve({ add, log }, {
   *   add: ({ input }) => ({ sum: input.a + input.b }),
   *   log: ({ input }) => console.log(input),
   * });
   * ```
   */
  serve<Contracts extends object>(
    contracts: Contracts,
    handlers: HandlerFunctions<Contracts, Messenger>,
    given?: HandlerOptions & RegisterOptions,
  ): Disposable {
    const { replace, ...options } = readOptions(given, handleOptionTable, "Cannot serve");
    return this.#core.register(handlersFor(this.#core.kinds, contracts, handlers, options), { replace });
  }

  amSend<C extends Contract>(contract: C, options: TypedCallOptions<C>): Promise<void>;
  amSend(name: string, options: CallOptions): Promise<void>;
  amSend(target: string | Contract, options: CallOptions | TypedCallOptions<Contract>): Promise<void> {
    return this.#core.client.amSend(target, options);
  }

  amSync<C extends Contract>(contract: C, options: TypedCallOptions<C>): Promise<void>;
  amSync(name: string, options: CallOptions): Promise<void>;
  amSync(target: string | Contract, options: CallOptions | TypedCallOptions<Contract>): Promise<void> {
    return this.#core.client.amSync(target, options);
  }

  unary(name: string, options: CallOptions): Promise<Uint8Array> {
    return this.#core.client.unary(name, options);
  }

  typedUnary<C extends UnaryContract>(contract: C, options: TypedCallOptions<C>): Promise<CallOutput<C>> {
    return this.#core.client.typedUnary(contract, options);
  }

  client<Contracts extends object>(
    contracts: Contracts,
    options: { to: InstanceId | Destination } & ClientCallOptions,
  ): Client<Contracts> {
    return this.#core.client.client(contracts, options);
  }

  /**
   * Fire and forget to every peer that is connected, being dialled, or registered and not dialled yet, or with
   * `to: service(name)` to every instance of a service. Resolves to the peers whose queue accepted it and those it could
   * not be sent to; unregistered peers that have left are in neither list.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` or `TIMEOUT` when discovery does not name the service's instances.
   */
  broadcast<C extends Contract>(
    contract: C,
    options: Omit<TypedCallOptions<C>, "to"> & BroadcastTarget,
  ): Promise<BroadcastResult>;
  /** The same, by handler name. */
  broadcast(name: string, options?: Omit<CallOptions, "to"> & BroadcastTarget): Promise<BroadcastResult>;
  async broadcast(
    target: string | Contract,
    options?: Omit<CallOptions, "to"> & BroadcastTarget,
  ): Promise<BroadcastResult> {
    return await broadcast(this.#core, target, options);
  }

  /** Resolves when libzmq has taken all that was queued for a peer, or for all peers. */
  async flush(peer?: InstanceId, options?: WaitOptions): Promise<void> {
    await this.#core.flush(peer, readOptions(options, waitOptionTable, "Cannot flush"));
  }

  /** Changes of peers, handlers and this instance, from now on. */
  status(options?: SubscribeOptions): AsyncIterableIterator<Status | DroppedEntries> {
    return this.#core.status.subscribe(options);
  }

  /** A snapshot of the counters. `events` is null before the first event, `services` without discovery. */
  stats(): FullStats {
    return this.#state.stats();
  }

  /** A peer's description: services and load; null from plain Velo. */
  describe(peer: InstanceId, options?: WaitOptions): Promise<PeerDescription | null> {
    return asMethod("describe", askDescription(this.#core.system, peer, options));
  }

  /**
   * Keeps the process alive until this instance is closed, for one that does not listen, such as an edge worker whose
   * handlers are called over connections that it opened. A listening instance does so until {@link Messenger.unref}.
   */
  ref(): void {
    this.#core.setReferenced(true);
  }

  /** Lets the process exit although this instance is open. Calls under way still keep it alive. */
  unref(): void {
    this.#core.setReferenced(false);
  }

  /**
   * Closes in three steps: new requests are refused with `PEER_DRAINING`; running handlers get the time to finish,
   * their `signal` untouched; sockets close. When the time is over, the signals of handlers that still run abort, and
   * their callers get `PEER_DRAINING` with `ran: "maybe"`; this takes up to 250 ms more. Calls of this instance that
   * are still under way end with `CLOSED`.
   *
   * A second call returns the first promise. A handler that awaits the close of its own instance delays it for the
   * whole time, unless it calls `context.messenger.close()`, which does not wait for that handler.
   */
  close(options?: CloseOptions): Promise<void> {
    try {
      const { timeoutMs } = readOptions(options, closeOptionTable, "Cannot close");
      if (this.#call !== null) this.#core.setApart(this.#call);
      return this.#state.close(timeoutMs);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Same as {@link Messenger.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(verb: string): void {
    if (this.#core.lifecycle === "closed") {
      throw new ZeromeshError("CLOSED", `Cannot ${verb}: this instance is closed`);
    }
  }
}
