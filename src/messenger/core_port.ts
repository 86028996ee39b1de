import type { Clock, Contract, InstanceId, Logger, WorkerId } from "../core/mod.ts";
import { copyBytes, type Link, SendOutcome } from "../transport/mod.ts";
import { encodeRequest, MessageType, type ResponseId, ResponseKind } from "../wire/mod.ts";
import type { ContractKind, ContractKinds } from "./contract_kinds.ts";
import type { CallClient } from "./calls/client.ts";
import type { CallTrace } from "./calls/traced_call.ts";
import type { WaitOptions } from "./calls/wait_options.ts";
import type { InboundCall } from "./handlers/context.ts";
import type { Dispatcher } from "./handlers/dispatch.ts";
import type { FeatureCall } from "./calls/feature_call.ts";
import type { HandlerTrace } from "./observe/message_trace.ts";
import type { Observation } from "./observe/observation.ts";
import type { TracePattern } from "./observe/tracing.ts";
import type { Connections } from "./peers/connections.ts";
import { senderOf } from "./peers/identity.ts";
import type { Peer, Session } from "./peers/peer.ts";
import type { CallTable } from "./calls/pending.ts";
import type { CallSubject } from "./handlers/authorize.ts";
import { authorizeFeature } from "./handlers/feature_authorization.ts";
import type { Handler } from "./handlers/handler_context.ts";
import type { EntryOptions, HandlerRegistry } from "./handlers/registry.ts";
import type { Failure, ReplySender } from "./handlers/reply_sender.ts";
import type { HandlerResult } from "./handlers/served.ts";
import type { SharedParts } from "./shared_parts.ts";
import type {
  PeerConnection,
  PeerWatcher,
  ProvenOrigin,
  SystemMessage,
  SystemPort,
  SystemSender,
} from "./system_port.ts";

/** The parts of a {@link CorePort}. */
export interface PortParts extends SharedParts {
  /** This instance's worker id. */
  readonly workerId: WorkerId;
  /** The handlers. */
  readonly registry: HandlerRegistry;
  /** Peers and connections. */
  readonly connections: Connections;
  /** Meter and tracer. */
  readonly observation: Observation;
  /** Sends calls. */
  readonly client: CallClient;
  /** Sends answers. */
  readonly replies: ReplySender;
  /** The known peer with this id. @throws {ZeromeshError} `PEER_UNKNOWN`. */
  peer(id: InstanceId): Peer;
  /** How contracts are handled and called. */
  readonly kinds: ContractKinds;
  /** Runs the handlers. */
  readonly dispatcher: Pick<Dispatcher, "answer" | "refuse">;
  /** Registers handlers, all or none of them. @throws {ZeromeshError} `HANDLER_EXISTS`, `CLOSED`. */
  register(handlers: readonly Handler[], options: EntryOptions): Disposable;
  /** Keeps the process alive until disposed. */
  hold(): Disposable;
}

/** The port of a messenger. */
export class CorePort implements SystemPort {
  readonly #parts: PortParts;
  readonly instanceId: InstanceId;
  readonly workerId: WorkerId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxPayloadBytes: number;
  readonly maxPeerBytes: number;
  /** The response table. */
  readonly calls: CallTable;
  readonly #own: SystemSender;
  readonly #watchers = new Set<PeerWatcher>();
  readonly #before = new Set<() => void>();
  readonly #runBefore = (): void => {
    for (const run of this.#before) run();
  };
  // The last result: callers often repeat, and the halves of a worker id are no key of a map.
  #lastPeer: Peer | null = null;

  /** @param parts Its parts. */
  constructor(parts: PortParts) {
    this.#parts = parts;
    const { instanceId, workerId, calls } = parts;
    this.instanceId = instanceId;
    this.workerId = workerId;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.maxPayloadBytes = parts.maxPayloadBytes;
    this.maxPeerBytes = parts.maxPeerBytes;
    this.calls = calls;
    this.#own = { instanceId, workerId, worker0: calls.ownWorker.id0, worker1: calls.ownWorker.id1 };
  }

  hold(): Disposable {
    return this.#parts.hold();
  }

  readonly handle: SystemPort["handle"] = (...handler) => this.#parts.registry.handle(...handler);

  readonly serve: SystemPort["serve"] = (contract, run, options) =>
    this.#parts.registry.serve(
      contract,
      run as (call: InboundCall) => HandlerResult<typeof contract>,
      options,
    );

  readonly register: SystemPort["register"] = (all, options = {}) => this.#parts.register(all, options);

  contractKind(name: string, kind: ContractKind): Disposable {
    return this.#parts.kinds.add(name, kind);
  }

  get authorizes(): boolean {
    return this.#parts.authorize !== null;
  }

  authorize(message: SystemMessage, subject: CallSubject): Promise<void> {
    return authorizeFeature(this.#parts, message as InboundCall, subject);
  }

  get traces(): boolean {
    return this.#parts.observation.tracer !== null;
  }

  traceCall(label: string, to: InstanceId, within: HandlerTrace | null): CallTrace | null {
    return this.#parts.client.system.trace(label, to, within);
  }

  traceOf(message: SystemMessage, name: string, pattern: TracePattern): HandlerTrace | null {
    return this.#parts.observation.inbound?.traceOf(message as InboundCall, name, pattern) ?? null;
  }

  originOf(message: SystemMessage): ProvenOrigin {
    const { link } = (message as InboundCall).session;
    const own = link.kind === "loopback";
    return { key: link.peerKey, own, local: own || link.local === true };
  }

  senderOf(message: SystemMessage): SystemSender | null {
    return senderOf(message as InboundCall, this.#parts.connections.peers, this.#own);
  }

  peerOf(worker0: number, worker1: number): InstanceId | null {
    const last = this.#lastPeer;
    if (
      last !== null && last.worker0 === worker0 && last.worker1 === worker1 &&
      this.#peer(last.instanceId) === last
    ) {
      return last.instanceId;
    }
    const peer = this.#parts.connections.peers.byWorker(worker0, worker1);
    if (peer === undefined) return null;
    this.#lastPeer = peer;
    return peer.instanceId;
  }

  isUp(peer: InstanceId): boolean {
    return this.#peer(peer)?.session != null;
  }

  supports(peer: InstanceId, feature: string): boolean {
    return this.#peer(peer)?.session?.supports(feature) === true;
  }

  isOurs(peer: InstanceId): boolean {
    return peer === this.instanceId || this.#peer(peer)?.dialect.ours === true;
  }

  nameOf(peer: InstanceId): string | null {
    return this.#peer(peer)?.name ?? null;
  }

  textOf(id: InstanceId): string {
    return this.#parts.connections.peers.textOf(id);
  }

  hasWay(peer: InstanceId): boolean {
    const known = this.#peer(peer);
    return known !== undefined &&
      (known.session !== null || known.introduced.size > 0 || known.replies?.link.state === "open");
  }

  find(worker0: number, worker1: number): Promise<InstanceId> | null {
    const { finder } = this.#parts.connections;
    if (!finder.able) return null;
    const id = ((BigInt(worker1) << 32n) | BigInt(worker0)) as WorkerId;
    return finder.findWorker(id).then((peer) => peer.instanceId);
  }

  unansweredMs(peer: InstanceId): number {
    const attempted = this.#peer(peer)?.attempted ?? null;
    if (attempted === null || attempted.link.established || attempted.link.state === "closed") return 0;
    return this.clock.now() - attempted.at;
  }

  async reach(id: InstanceId, timeoutMs: number): Promise<void> {
    const { connections } = this.#parts;
    // A peer that was found once and forgotten is looked up again.
    const peer = connections.finder.able ? await connections.finder.find(id) : this.#parts.peer(id);
    await connections.ensure(peer, timeoutMs);
  }

  readonly reachFor: SystemPort["reachFor"] = (...message) => this.#parts.client.reach(...message);

  notify(name: Uint8Array, to: InstanceId, payload: Uint8Array): boolean {
    const peer = this.#peer(to);
    if (peer === undefined) return false;
    const link = this.#parts.connections.replyLinks.wayTo(peer);
    if (link === null) return false;
    if (link instanceof Promise) {
      const kept = copyBytes(payload);
      link.then((opened) => this.#post(opened, name, kept), () => {});
    } else this.#post(link, name, payload);
    return true;
  }

  connectionTo(to: InstanceId): PeerConnection | Promise<PeerConnection> | null {
    const { self, replyLinks } = this.#parts.connections;
    if (to === this.instanceId) return self;
    const peer = this.#peer(to);
    const link = peer === undefined ? null : replyLinks.wayTo(peer);
    return link instanceof Promise ? link.then(sessionOf) : link && sessionOf(link);
  }

  sendOver(
    connection: PeerConnection,
    name: Uint8Array,
    payload: Uint8Array,
    room: () => void,
  ): "sent" | "full" | "closed" {
    const { link } = connection as Session;
    const outcome = this.send(link, name, payload);
    if (outcome === SendOutcome.closed) return "closed";
    if (outcome !== SendOutcome.full) return "sent";
    link.queueUp(() => {
      room();
      return true;
    });
    return "full";
  }

  keep(connection: PeerConnection, bytes: number): void {
    (connection as Session).kept += bytes;
  }

  flushOver(connection: PeerConnection): void {
    (connection as Session).link.flush();
  }

  readonly confirmed: SystemPort["confirmed"] = (...message) =>
    this.#parts.client.system.confirmed(...message);

  beforeCalls(run: () => void): Disposable {
    this.#before.add(run);
    this.#parts.client.before = this.#runBefore;
    return {
      [Symbol.dispose]: () => {
        this.#before.delete(run);
        if (this.#before.size === 0) this.#parts.client.before = null;
      },
    };
  }

  readonly call = ((what: string | Contract, to: InstanceId, input: unknown, wait: WaitOptions) => {
    const { client } = this.#parts;
    if (typeof what !== "string") return client.contracted(what, to, input, wait);
    return client.system.feature(what, to, input as Uint8Array, wait, true);
  }) as SystemPort["call"];

  readonly tell = ((...message) => this.#parts.client.contracted(...message)) as SystemPort["tell"];

  async amSend(name: string, to: InstanceId, payload: Uint8Array, wait: WaitOptions): Promise<void> {
    await this.#parts.client.system.call(name, to, {
      ...wait,
      payload,
      kind: ResponseKind.fire,
      admitted: true,
    });
  }

  sync(name: string, to: InstanceId, payload: Uint8Array, wait: FeatureCall<void>): Promise<void> {
    return this.#parts.client.system.feature(name, to, payload, wait, false) as Promise<void>;
  }

  answer(message: SystemMessage, answer: unknown): void {
    this.#parts.dispatcher.answer(message as InboundCall, answer);
  }

  refuse(message: SystemMessage, error: unknown): void {
    this.#parts.dispatcher.refuse(message as InboundCall, error);
  }

  confirm(message: SystemMessage, id: ResponseId, failure: Failure | null, payload = nothing): void {
    const { id0, id1, id2, id3 } = id;
    const { session, handlerName } = message as InboundCall;
    const target = { id0, id1, id2, id3, kind: ResponseKind.ack, handlerName, session };
    if (failure === null) this.#parts.replies.confirm(target, payload);
    else this.#parts.replies.fail(target, failure);
  }

  watch(watcher: PeerWatcher): Disposable {
    this.#watchers.add(watcher);
    const status = this.#parts.status.watch((change) => {
      if (change.type === "peerUp") watcher.up?.(change.peer);
    });
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(watcher);
        status[Symbol.dispose]();
      },
    };
  }

  /** Handles the loss of a session's connection, or the other end's shutdown. */
  linkLost(session: Session): void {
    const peer = session.peer;
    if (peer === null || this.#watchers.size === 0) return;
    for (const watcher of this.#watchers) watcher.lost?.(peer.instanceId, this.#rest(peer, session), session);
  }

  /** Offers a registering peer to the watchers, in their order. */
  registered(peer: InstanceId): void {
    for (const watcher of this.#watchers) if (watcher.registered?.(peer) === true) return;
  }

  /** Lets features leave when the instance begins to close. Never rejects. */
  async leave(timeoutMs: number): Promise<void> {
    await Promise.allSettled([...this.#watchers].map((watcher) => watcher.leaving?.(timeoutMs)));
  }

  /** Closes with the instance. */
  close(): void {
    for (const watcher of this.#watchers) watcher.closing?.();
  }

  #rest(peer: Peer, session: Session): "up" | "down" | "gone" {
    if (peer.session !== null) return "up";
    // An instance that said goodbye, or that the user disconnected, does not return.
    return session.leaving || this.#peer(peer.instanceId) !== peer ? "gone" : "down";
  }

  /** Sends a message without an answer, if there is room now. */
  send(link: Link<Session>, name: Uint8Array, payload: Uint8Array): SendOutcome {
    return link.send(MessageType.message, this.#encode(name), payload, false);
  }

  #post(link: Link<Session>, name: Uint8Array, payload: Uint8Array): void {
    link.post(MessageType.message, this.#encode(name), payload, false);
  }

  #encode(name: Uint8Array): number {
    const { headerBytes, headerView } = this.#parts.transport;
    return encodeRequest(headerBytes, headerView, 0, ResponseKind.fire, this.calls.fireId, name, null);
  }

  #peer(id: InstanceId): Peer | undefined {
    return this.#parts.connections.peers.get(id);
  }
}

const nothing = new Uint8Array(new ArrayBuffer(0));

const sessionOf = (link: Link<Session>): Session => link.session!;
