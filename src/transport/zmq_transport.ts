import {
  Backoff,
  errorText,
  type InstanceId,
  instanceIdToBytes,
  type Reporting,
  retry,
  type TimeSlice,
  ZeromeshError,
} from "../core/mod.ts";
import { maxBatchRecords } from "../wire/mod.ts";
import { type Context, requireKeyPair, type Socket } from "../libzmq/mod.ts";
import { type DealerHost, DealerLink } from "./dealer_link.ts";
import { DropCounters } from "./drops.ts";
import {
  dialableEndpoints,
  type Endpoint,
  formatEndpoint,
  isIpv6,
  normalizeBound,
  parseEndpoint,
} from "./endpoint.ts";
import { askMechanism } from "./greeting.ts";
import { addressesOf, type HostResolver } from "./host_names.ts";
import { FrameReader } from "./inbound.ts";
import { Intake } from "./intake.ts";
import { localEndpoint, ownPath, requireFreePath } from "./ipc.ts";
import type { Link, LinkShared } from "./link.ts";
import { Listener, type ListenerHost } from "./listener.ts";
import { LoopbackLink } from "./loopback_link.ts";
import { RouterLink } from "./router_link.ts";
import { type CurveIdentity, secureDialler, secureListener } from "./security.ts";
import { frameSlackBytes, pingMsOf, tuneDialler, tuneListener } from "./tuning.ts";
import type { DialOptions, LinkLoss, Transport, TransportHandler, TransportStats } from "./transport.ts";
import { OutboundBudget } from "./outbound_budget.ts";
import { RefusalLog } from "./refusal_log.ts";
import { UnfinishedMessages } from "./unfinished.ts";

/** Options of a {@link ZmqTransport}. */
export interface ZmqTransportOptions {
  /** Endpoints to bind; none if empty. */
  endpoints: readonly string[];
  /** Host or endpoint that peers get instead of the bound one. */
  advertise?: string | undefined;
  /** Larger payloads are refused. */
  maxPayloadBytes: number;
  /** Limit of messages queued for one peer. */
  maxQueuedMessages: number;
  /** Limit of bytes queued for one peer. */
  maxQueuedBytes: number;
  /** The most peers known by their own connection. */
  maxConnections: number;
  /** Limit of one connection's bytes that its peer has not read. */
  maxPeerBytes: number;
  /** Limit of such bytes of all connections. */
  maxInFlightBytes: number;
  /** A connection without movement for this long is ended. */
  slowPeerMs: number;
  /** libzmq's queue for one peer, in messages, each way. */
  highWaterMark: number;
  /** Whether to listen for peers of the same host as well. */
  ipc: boolean;
  /** Resolves host names. */
  resolveHost: HostResolver;
  /** Keys, for an instance that uses CURVE. */
  curve: CurveIdentity | null;
}

/** The parts of a {@link ZmqTransport}. */
export interface ZmqTransportParts<Session> extends Reporting {
  /** The context of its sockets. */
  readonly context: Context;
  /** The instance. */
  readonly instanceId: InstanceId;
  /** The receiver of messages. */
  readonly handler: TransportHandler<Session>;
}

const headerCapacity = 84 * 1024;
// Bytes that may always wait of one connection; more are half of a peer's limit.
const leastBacklogBytes = 64 * 1024;
// A port that this process has just closed becomes free a moment later.
const rebindMs = 250;
const rebindPauseMs = 5;
/** The transport over libzmq: one ROUTER, and a DEALER for each dialled connection. */
export class ZmqTransport<Session> implements Transport<Session>, DealerHost<Session>, ListenerHost<Session> {
  readonly context: Context;
  readonly reader: FrameReader;
  readonly shared: LinkShared;
  readonly maxConnections: number;
  readonly maxBacklogBytes: number;
  readonly intake: Intake<Session>;
  readonly slice: TimeSlice;
  readonly unfinished: UnfinishedMessages | null;
  readonly refusals: RefusalLog;
  readonly #options: ZmqTransportOptions;
  readonly #parts: ZmqTransportParts<Session>;
  readonly #drops = new DropCounters();
  readonly #dialled = new Set<DealerLink<Session>>();
  readonly #loopback: LoopbackLink<Session>;
  readonly #idPrefix: Uint8Array;
  readonly #owned: Disposable[] = [];
  #listener: Listener<Session> | null = null;
  #endpoints: readonly string[] = [];
  #closed = false;

  private constructor(options: ZmqTransportOptions, parts: ZmqTransportParts<Session>) {
    this.#options = options;
    this.#parts = parts;
    this.context = parts.context;
    this.maxConnections = options.maxConnections;
    this.maxBacklogBytes = Math.max(leastBacklogBytes, Math.floor(options.maxPeerBytes / 2));
    this.#idPrefix = instanceIdToBytes(parts.instanceId);
    const backend = parts.context.backend;
    const types = backend.region(256);
    for (let i = 0; i < 256; i++) types.bytes[i] = i;
    const { memory, reactor: { slice } } = parts.context;
    this.slice = slice;
    this.reader = new FrameReader(backend, options.maxPayloadBytes, this.#drops, memory, slice);
    this.reader.secure = options.curve !== null;
    const connections = backend.tcpConnections;
    this.shared = {
      backend,
      header: backend.region(headerCapacity),
      types,
      drops: this.#drops,
      maxQueuedMessages: options.maxQueuedMessages,
      maxQueuedBytes: options.maxQueuedBytes,
      maxPeerBytes: options.maxPeerBytes,
      outboundBudget: new OutboundBudget({ ...options, ...parts, connections, retry: () => this.readSoon() }),
      counters: { sent: 0, received: 0, blocked: 0 },
    };
    const { shared, reader } = this;
    this.intake = new Intake({
      handler: parts.handler,
      shared,
      slice,
      reader,
      refuse: (link) => this.#refuse(link),
    });
    this.refusals = new RefusalLog(parts.logger, parts.clock, options.curve !== null);
    this.unfinished = connections === null ? null : new UnfinishedMessages({
      connections,
      clock: parts.clock,
      limitBytes: options.maxPayloadBytes + frameSlackBytes,
      maxFirstBytes: options.maxInFlightBytes / 4,
      secure: options.curve !== null,
      drainMonitors: () => this.drainMonitors(),
      cut: (bytes) => this.#cut(bytes),
    });
    this.#loopback = new LoopbackLink(this.shared, parts.handler);
    this.#owned.push(this.context.beforeExit(() => this.#flushAll()));
  }

  /**
   * Makes a transport and binds its endpoints.
   *
   * @throws {ZeromeshError} `ENDPOINT_INVALID`, `ADDRESS_IN_USE`.
   */
  static async create<Session>(
    options: ZmqTransportOptions,
    parts: ZmqTransportParts<Session>,
  ): Promise<ZmqTransport<Session>> {
    const endpoints = options.endpoints.map((endpoint) => parseEndpoint(endpoint, "listen"));
    if (options.curve !== null) requireKeyPair(parts.context.backend, options.curve);
    const transport = new ZmqTransport(options, parts);
    // Binding may wait for a port or look at a path, during which an idle process must not end.
    transport.ref();
    try {
      if (endpoints.length > 0) await transport.#listen(endpoints);
    } finally {
      transport.unref();
    }
    return transport;
  }

  /** Begins to read what arrives at the bound endpoints. */
  start(): void {
    this.#listener?.start();
  }

  get endpoints(): readonly string[] {
    return this.#endpoints;
  }

  get headerBytes(): Uint8Array {
    return this.shared.header.bytes;
  }

  get headerView(): DataView {
    return this.shared.header.view;
  }

  async resolve(endpoint: string): Promise<readonly string[]> {
    return await addressesOf(parseEndpoint(endpoint, "dial"), this.#options.resolveHost);
  }

  dial(address: string, options: DialOptions = {}): Link<Session> {
    const { endpoint = address, serverKey = null } = options;
    if (this.#closed) throw new ZeromeshError("CLOSED", `Cannot dial ${endpoint}: this instance is closed`);
    const link = new DealerLink<Session>(this, this.shared, { endpoint, address, serverKey });
    this.#dialled.add(link);
    return link;
  }

  async mechanismAt(address: string, timeoutMs: number, over: AbortSignal): Promise<string | null> {
    return await askMechanism(this.context, this.#parts.clock, address, timeoutMs, over);
  }

  readSoon(): void {
    this.context.reactor.readSoon();
  }

  loopback(): Link<Session> {
    return this.#loopback;
  }

  noticeLosses(): void {
    this.drainMonitors();
  }

  ref(): void {
    this.context.reactor.ref();
  }

  unref(): void {
    this.context.reactor.unref();
  }

  stats(): TransportStats {
    let queuedMessages = 0;
    let queuedBytes = 0;
    let waitingSends = 0;
    let backlogMessages = 0;
    let backlogBytes = 0;
    const add = (link: Link<Session>) => {
      queuedMessages += link.queuedMessages;
      queuedBytes += link.queuedBytes;
      waitingSends += link.waitingSends;
      backlogMessages += link.backlog?.size ?? 0;
      backlogBytes += link.backlog?.bytes ?? 0;
    };
    for (const link of this.#dialled) add(link);
    for (const link of this.#listener?.links ?? []) add(link);
    return {
      dialled: this.#dialled.size,
      accepted: this.#listener?.size ?? 0,
      silent: this.#listener?.silent ?? 0,
      queuedMessages,
      queuedBytes,
      waitingSends,
      backlogMessages,
      backlogBytes,
      sentMessages: this.shared.counters.sent,
      receivedMessages: this.shared.counters.received,
      blocked: this.shared.counters.blocked,
      heldBytes: this.shared.outboundBudget?.bytes ?? 0,
      reactor: this.context.reactor.stats(),
      drops: this.#drops.snapshot(),
    };
  }

  /** Counts drops, also those of the messenger. */
  get drops(): DropCounters {
    return this.#drops;
  }

  close(lingerMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.unfinished?.close();
    this.shared.outboundBudget?.close();
    this.#loopback.close(0);
    // A connection that is not established could only hold a hello, which is useless now.
    for (const link of [...this.#dialled]) link.close(link.state === "connecting" ? 0 : lingerMs);
    this.#listener?.close(lingerMs);
    this.#disown();
    return Promise.resolve();
  }

  recognize(routingId: Uint8Array | null): boolean {
    if (routingId !== null) { for (const link of this.#dialled) if (link.recognize(routingId)) return true; }
    return false;
  }

  prepare(socket: Socket, serverKey: string | null): { readonly id: Uint8Array; readonly pingMs: number } {
    const { curve } = this.#options;
    if (curve !== null && serverKey !== null) secureDialler(this.context, socket, curve, serverKey);
    const id = new Uint8Array(new ArrayBuffer(24));
    id.set(this.#idPrefix);
    crypto.getRandomValues(id.subarray(16));
    const pingMs = pingMsOf(this.#dialled.size);
    tuneDialler(socket, this.#options, id, pingMs);
    return { id, pingMs };
  }

  gone(link: Link<Session>, loss: LinkLoss): void {
    if (link instanceof DealerLink) this.#dialled.delete(link);
    this.#parts.handler.gone(link, loss);
  }

  drainMonitors(): void {
    this.context.monitors.drain();
  }

  nextTurn(callback: () => void): void {
    this.context.reactor.nextTurn(callback);
  }

  /** Ends a connection that sent a batch of too many records, which no peer does. */
  #refuse(link: Link<Session>): void {
    const reason = `it sent a batch of more than ${maxBatchRecords} messages`;
    if (link instanceof RouterLink) this.#listener?.end(link, reason);
    else link.close(0, { code: "PEER_DISCONNECTED", reason });
  }

  #cut(bytes: number): void {
    this.#drops.count("unfinished");
    const { maxPayloadBytes } = this.#options;
    this.#parts.logger.warn("a connection was ended: its message had no end", { bytes, maxPayloadBytes });
  }

  /** Removes the resources beyond the sockets: files, the list of keys, the exit hook. */
  #disown(): void {
    for (const owned of this.#owned.splice(0)) owned[Symbol.dispose]();
  }

  /** Sends the links' messages, as far as there is room, before the process ends. Returns whether none is left. */
  #flushAll(): boolean {
    let all = true;
    for (const link of [...this.#dialled, ...this.#listener?.links ?? []]) {
      all = link.flushBeforeExit() && all;
    }
    return all;
  }

  async #listen(endpoints: readonly Endpoint[]): Promise<void> {
    const socket = this.context.socket("ROUTER");
    try {
      tuneListener(socket, this.#options);
      if (endpoints.some(isIpv6)) socket.set("IPV6", 1);
      const uid = this.context.backend.userId();
      if (uid !== null) socket.set("IPC_FILTER_UID", uid);
      const { curve } = this.#options;
      const { instanceId } = this.#parts;
      if (curve !== null) this.#owned.push(secureListener(this.context, socket, instanceId, curve));
      this.#listener = new Listener(socket, this);
      const dialable: string[] = [];
      for (const endpoint of endpoints) dialable.push(...await this.#bind(socket, endpoint));
      this.#bindLocal(socket, dialable);
      this.#endpoints = Object.freeze(dialable);
    } catch (error) {
      socket.close();
      this.#listener = null;
      this.#disown();
      throw error;
    }
  }

  /** Binds one endpoint; returns the endpoints that peers can dial. */
  async #bind(socket: Socket, endpoint: Endpoint): Promise<string[]> {
    const address = formatEndpoint(endpoint);
    if (endpoint.scheme === "ipc" && !endpoint.path.startsWith("@")) {
      await requireFreePath(this.context, this.#parts.clock, endpoint.path);
      socket.bind(address);
      this.#owned.push(ownPath(endpoint.path));
      return [address];
    }
    const bound = normalizeBound(await this.#bindPatiently(socket, address));
    return dialableEndpoints(bound, this.#options.advertise);
  }

  async #bindPatiently(socket: Socket, address: string): Promise<string> {
    return await retry(() => socket.bind(address), {
      clock: this.#parts.clock,
      backoff: new Backoff({ firstMs: rebindPauseMs, maxMs: rebindPauseMs }),
      timeoutMs: rebindMs,
      again: (error) => error instanceof ZeromeshError && error.code === "ADDRESS_IN_USE",
    });
  }

  /** Listens for peers of the same host. If that fails, they use TCP. */
  #bindLocal(socket: Socket, dialable: string[]): void {
    const local = this.#options.ipc ? localEndpoint(this.#parts.instanceId) : null;
    if (local === null || !dialable.some((endpoint) => endpoint.startsWith("tcp://"))) return;
    try {
      socket.bind(local);
      dialable.push(local);
    } catch (error) {
      this.#parts.logger.debug("peers of this host come over TCP", { reason: errorText(error) });
    }
  }
}
