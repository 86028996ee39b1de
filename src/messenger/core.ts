import {
  type Clock,
  Deadlines,
  type InstanceId,
  newInstanceId,
  type WorkerId,
  workerIdOf,
  ZeromeshError,
} from "../core/mod.ts";
import {
  Batcher,
  type DropCounters,
  type Link,
  type LinkLoss,
  type LinkShared,
  type Transport,
  type TransportHandler,
} from "../transport/mod.ts";
import { cancelHandler, encodeCancel } from "../wire/mod.ts";
import { ContractKinds } from "./contract_kinds.ts";
import { CallClient } from "./calls/client.ts";
import { Connections } from "./peers/connections.ts";
import { Credits } from "./credit/credits.ts";
import type { InboundCall } from "./handlers/context.ts";
import { Dispatcher } from "./handlers/dispatch.ts";
import type { Handler, MessengerHandle } from "./handlers/handler_context.ts";
import { type EntryOptions, HandlerRegistry } from "./handlers/registry.ts";
import { flushSessions, within } from "./calls/flushing.ts";
import { allSessions, flushAll, sayGoodbye } from "./goodbye.ts";
import { KeepAlive } from "./keep_alive.ts";
import { InboundRouter } from "./handlers/inbound_router.ts";
import { Observation } from "./observe/observation.ts";
import type { ResolvedOptions } from "./core_option_table.ts";
import { CallTable, type PendingCall } from "./calls/pending.ts";
import type { PeerLookup } from "./discovery_port.ts";
import { type Peer, Session } from "./peers/peer.ts";
import { ReplySender } from "./handlers/reply_sender.ts";
import { peerDirectoryOf } from "./peers/peer_directory.ts";
import { Retries } from "./calls/retry.ts";
import type { DestinationRouter, RouterHost } from "./calls/destination_router.ts";
import { CreditCounts } from "./credit/send_credit.ts";
import { StagedRequests } from "./velo/staged_requests.ts";
import type { SharedParts } from "./shared_parts.ts";
import type { MessengerStats } from "./stats.ts";
import { StatusFeed } from "./peers/status.ts";
import { goodbyeHandler, serveConnections } from "./peers/connection_handlers.ts";
import { CorePort } from "./core_port.ts";
import type { WaitOptions } from "./calls/wait_options.ts";

/** The transport of a messenger's core. */
export interface CoreTransport extends Transport<Session> {
  /** Counts drops. */
  readonly drops: DropCounters;
  /** The parts that links share, for batching. */
  readonly shared: LinkShared;
  /** Begins to read what arrives at the bound endpoints. */
  start(): void;
}

/** The parts of a {@link MessengerCore}. */
export interface CoreParts {
  /** Options with their defaults. */
  readonly options: ResolvedOptions;
  /** The public messenger for a handler. */
  messengerFor(call: InboundCall): MessengerHandle;
  /** Makes the transport, which delivers its messages to the core. */
  openTransport(instanceId: InstanceId, handler: TransportHandler<Session>): Promise<CoreTransport>;
  /** Finds peers; null without discovery. */
  readonly lookup: PeerLookup | null;
  /** Makes the router of calls to several instances. */
  router(host: RouterHost): DestinationRouter;
  /** Frees the transport's resources. */
  release(): Promise<void>;
}

/** Lifecycle of an instance. */
export type Lifecycle = "running" | "draining" | "closed";

// ReplySender leave within this time at the end; a few milliseconds suffice in measurements.
const longestLingerMs = 1_000;
// After the timeout, the last replies have this long to leave.
const farewellMs = 250;
const cancelName = new TextEncoder().encode(cancelHandler);
const goodbyeName = new TextEncoder().encode(goodbyeHandler);
const nothing = new Uint8Array(new ArrayBuffer(0));

/** The messenger without its public API: wires its parts, and orders its close. */
export class MessengerCore {
  readonly instanceId: InstanceId;
  readonly workerId: WorkerId;
  readonly registry: HandlerRegistry;
  readonly status: StatusFeed = new StatusFeed();
  readonly kinds = new ContractKinds();
  readonly system: CorePort;
  readonly observation: Observation;
  readonly transport: CoreTransport;
  readonly connections: Connections;
  readonly client: CallClient;
  readonly replies: ReplySender;
  readonly #parts: CoreParts;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #calls: CallTable;
  readonly #closing = new AbortController();
  readonly #creditCounts = new CreditCounts();
  readonly #credits: Credits;
  readonly #dispatcher: Dispatcher;
  readonly #inbound: InboundRouter;
  readonly #staged: StagedRequests;
  readonly #keepAlive: KeepAlive;
  #lifecycle: Lifecycle = "running";
  #closePromise: Promise<void> | null = null;

  private constructor(parts: CoreParts, instanceId: InstanceId, transport: CoreTransport) {
    const { options } = parts;
    const { clock } = options;
    this.#parts = parts;
    this.#clock = clock;
    this.instanceId = instanceId;
    this.workerId = workerIdOf(instanceId);
    this.transport = transport;
    const registry = this.registry = new HandlerRegistry({ ...options, status: this.status });
    const keepAlive = this.#keepAlive = new KeepAlive(transport, transport.endpoints.length > 0);
    const observation = this.observation = new Observation(options);
    const deadlines = this.#deadlines = new Deadlines(clock);
    const worker = { word0: Number(this.workerId & 0xffffffffn), word1: Number(this.workerId >> 32n) };
    const calls = this.#calls = new CallTable(deadlines, options.maxPendingCalls, worker, {
      giveUp: (call) => this.#giveUp(call),
      activity: (active) => keepAlive.active = active,
      textOf: (peer) => this.connections.peers.textOf(peer),
      observer: observation.calls,
    });
    const base: Omit<SharedParts, "negotiation"> = {
      ...options,
      instanceId,
      secure: this.secure,
      transport,
      drops: transport.drops,
      deadlines,
      calls,
      creditCounts: this.#creditCounts,
      status: this.status,
      call: async (name, to, request) => await this.client.system.call(name, to, request),
      closing: this.#closing.signal,
    };
    const credits = this.#credits = new Credits({
      ...base,
      registry,
      send: (link, name, payload) => this.system.send(link, name, payload),
    });
    const { features, maxPayloadBytes, maxPeerBytes, name } = options;
    const run = newInstanceId();
    const limits = { maxPayloadBytes, maxPeerBytes, credit: credits.first, creditCounts: this.#creditCounts };
    const shared: SharedParts = { ...base, negotiation: { features, instanceId, ...limits, run, name } };
    const connections = this.connections = new Connections({
      ...shared,
      startBatching: (link) => {
        link.startBatching(new Batcher(link, transport.shared));
        credits.ride(link);
      },
      handlerNames: () => registry.names(),
      descriptorLimit: () => transport.shared.backend.descriptors()?.limit ?? Infinity,
      lookup: parts.lookup,
    });
    // Parts that every message needs come first: Bun reads the first properties of an object faster.
    this.client = new CallClient({
      connections,
      tracer: observation.tracer,
      router: parts.router({ ...options, calls, peers: peerDirectoryOf(connections, this.status, clock) }),
      retries: new Retries(shared),
      kinds: this.kinds,
      closed: () => this.#lifecycle === "closed",
      ...shared,
    });
    const { client } = this;
    const replies = this.replies = new ReplySender(transport, connections.replyLinks);
    const dispatcher = this.#dispatcher = new Dispatcher({
      messengerFor: (call) => parts.messengerFor(call),
      registry,
      replies,
      unread: transport.shared.outboundBudget ?? { bytes: 0 },
      freed: (bytes) => transport.shared.outboundBudget?.memory.freed(bytes),
      observer: observation.inbound,
      connections,
      credits,
      ...shared,
    });
    const staged = this.#staged = new StagedRequests({
      ...shared,
      connections,
      replies,
      deliver: (session, message) => this.#inbound.fetched(session, message),
    });
    this.#inbound = new InboundRouter({ dispatcher, staged, ...shared });
    this.system = new CorePort({
      observation,
      kinds: this.kinds,
      dispatcher,
      ...shared,
      workerId: this.workerId,
      registry,
      connections,
      client,
      replies,
      peer: (id) => this.peer(id),
      register: (handlers, entry) => this.register(handlers, entry),
      hold: () => keepAlive.hold(),
    });
    serveConnections(registry, connections, transport.drops, (session) => this.system.linkLost(session));
  }

  /** Makes a core with all its parts. */
  static async create(parts: CoreParts): Promise<MessengerCore> {
    const instanceId = parts.options.instanceId ?? newInstanceId();
    const transport = await parts.openTransport(instanceId, {
      message: (link, message) => core.#inbound.message(link.session ?? new Session(link), message),
      gone: (link, loss) => core.#gone(link, loss),
    });
    const core = new MessengerCore(parts, instanceId, transport);
    // What came while another endpoint was not bound yet has waited.
    transport.start();
    return core;
  }

  /** The instance's lifecycle. */
  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  /** Whether the instance uses CURVE. */
  get secure(): boolean {
    return this.#parts.options.curve !== null;
  }

  /** Monotonic milliseconds of the instance's clock. */
  now(): number {
    return this.#clock.now();
  }

  /** Counters. */
  stats(): MessengerStats {
    return {
      peers: this.connections.peers.size,
      strangerDials: this.connections.replyLinks.stats(),
      calls: this.#calls.stats(),
      handlers: this.#dispatcher.stats(),
      credit: { ...this.#creditCounts },
      staged: this.#staged.stats(),
      transport: this.transport.stats(),
      faults: this.#parts.options.guard.faults(),
    };
  }

  /** Registers handlers, all or none of them; disposing the result unregisters them. */
  register(handlers: readonly Handler[], options: EntryOptions): Disposable {
    if (this.#lifecycle === "running") return this.registry.register(handlers, options);
    const names = handlers.map(({ name }) => `"${name}"`).join(", ");
    throw new ZeromeshError("CLOSED", `Cannot register handler ${names}: this instance is closing`);
  }

  /** The known peer with this id. */
  peer(id: InstanceId): Peer {
    const peer = this.connections.peers.get(id);
    if (peer !== undefined) return peer;
    const message = `This instance knows no peer ${id}; connect to it or register it first`;
    throw new ZeromeshError("PEER_UNKNOWN", message, { peer: id });
  }

  /** Sets whether the open instance keeps the process alive. */
  setReferenced(referenced: boolean): void {
    this.#keepAlive.referenced = referenced;
  }

  #gone(link: Link<Session>, loss: LinkLoss): void {
    const session = link.session;
    if (session !== null) {
      this.#dispatcher.abortSession(
        session,
        new ZeromeshError("PEER_DISCONNECTED", `The connection of the caller was lost: ${loss.reason}`, {
          ran: "maybe",
        }),
      );
    }
    this.connections.gone(link, loss);
    if (session === null) return;
    this.#credits.gone(session);
    this.system.linkLost(session);
  }

  /** Closes: gate, drain, teardown. A second call returns the first promise. */
  close(timeoutMs: number): Promise<void> {
    this.#closePromise ??= this.#close(timeoutMs);
    return this.#closePromise;
  }

  /** Excludes a handler from the wait of closing. */
  setApart(call: InboundCall): void {
    this.#dispatcher.running.setApart(call);
  }

  async #close(timeoutMs: number): Promise<void> {
    const giveUpAt = this.#clock.now() + timeoutMs;
    this.#lifecycle = "draining";
    this.#credits.stop();
    this.#dispatcher.drain();
    this.#staged.drain();
    this.status.publish({ type: "draining" });
    const left = this.system.leave(timeoutMs);
    const { running } = this.#dispatcher;
    await within(this.#clock, Promise.all([running.idle(), left]), giveUpAt);
    if (running.cutShort()) {
      // Handlers that react to their signal at once still answer themselves.
      await new Promise<void>((resolve) => this.#clock.after(0, resolve));
      running.tellCutShort(this.replies);
    }
    const endAt = Math.max(giveUpAt, this.#clock.now() + farewellMs);
    this.system.close();
    await within(this.#clock, flushAll(this.#clock, this.connections, endAt), endAt);
    this.#lifecycle = "closed";
    this.#closing.abort();
    this.#calls.failWhere((call) =>
      new ZeromeshError("CLOSED", `"${call.handler}" was under way when this instance closed`, {
        peer: call.peer,
        handler: call.handler,
        ran: call.handed ? "maybe" : "no",
      })
    );
    this.transport.noticeLosses();
    sayGoodbye(this.connections, (link) => void this.system.send(link, goodbyeName, nothing));
    const lingerMs = Math.max(0, Math.min(longestLingerMs, endAt - this.#clock.now()));
    await this.transport.close(lingerMs);
    this.#deadlines.close();
    this.#keepAlive.end();
    this.status.publish({ type: "closed" });
    this.status.close();
    await this.#parts.release();
  }

  /** Waits until libzmq has all messages queued for a peer, or for all peers. */
  async flush(id: InstanceId | null | undefined, { timeoutMs, signal }: WaitOptions): Promise<void> {
    const sessions: Session[] = [];
    if (id === undefined || id === null) sessions.push(...allSessions(this.connections));
    else {
      const session = this.connections.sessionOf(id) ?? this.peer(id).session;
      if (session !== null) sessions.push(session);
    }
    await flushSessions(this.#clock, sessions, timeoutMs ?? this.#parts.options.timeoutMs, signal);
  }

  #giveUp(call: PendingCall): void {
    const session = call.session;
    if (session === null || call.tableSlot < 0) return;
    const link = session.link;
    if (call.number === Infinity || link.withdraw(call.number)) return;
    if (!session.cancel || link.state !== "open") return;
    this.system.send(link, cancelName, encodeCancel(call));
  }
}
