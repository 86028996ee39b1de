import { type Handle, MonitorEvent, type Socket, type Source } from "../libzmq/mod.ts";
import { Deque, type TimeSlice } from "../core/mod.ts";
import { isLoopback } from "./endpoint.ts";
import { LostConnections } from "./lost_connections.ts";
import { type FrameReader, ReadResult } from "./inbound.ts";
import type { Intake } from "./intake.ts";
import type { Link, LinkShared } from "./link.ts";
import { LinkTable } from "./link_table.ts";
import { refusalEvents, type RefusalLog } from "./refusal_log.ts";
import { type RouterHost, RouterLink } from "./router_link.ts";
import { silenceBound } from "./silence.ts";
import type { LinkLoss } from "./transport.ts";
import type { UnfinishedMessages } from "./unfinished.ts";

/** The transport of a listener. */
export interface ListenerHost<Session> {
  readonly reader: FrameReader;
  readonly shared: LinkShared;
  /** The most peers known by their own connection. */
  readonly maxConnections: number;
  /** Ends connections whose messages never end; null if the platform lacks the information. */
  readonly unfinished: UnfinishedMessages | null;
  /** Logs refused connections. */
  readonly refusals: RefusalLog;
  /** The time of the pass. */
  readonly slice: TimeSlice;
  /** Dispatches messages. */
  readonly intake: Intake<Session>;
  /** Bytes that may wait of one connection before the socket is read more slowly; four times as many end it. */
  readonly maxBacklogBytes: number;
  /** Reports the end of a link. */
  gone(link: Link<Session>, loss: LinkLoss): void;
  /** Handles the events of monitors. */
  drainMonitors(): void;
  /** Calls back in the next turn of the event loop. */
  nextTurn(callback: () => void): void;
}

const watchedEvents = MonitorEvent.ACCEPTED | MonitorEvent.DISCONNECTED | MonitorEvent.HANDSHAKE_SUCCEEDED |
  refusalEvents;

// At a connection's limit of waiting messages, one more message of the socket is read in this many turns, because it
// may belong to another connection.
const turnsAtLimit = 4;
// A connection ends at this multiple of the limit.
const endsAt = 4;

const lost: LinkLoss = Object.freeze({ code: "PEER_DISCONNECTED", reason: "the connection was lost" });

/**
 * The ROUTER that peers dial, and the links of its connections.
 *
 * A peer known only by its own connection is lost with it: the monitor names the connection by descriptor, and the
 * first message maps the descriptor to a routing id. So the monitor is always read before the socket.
 */
export class Listener<Session> implements Source, RouterHost<Session> {
  readonly socket: Socket;
  readonly #host: ListenerHost<Session>;
  readonly #handle: Handle;
  readonly #links = new LinkTable<RouterLink<Session>>();
  readonly #live = new Set<number>();
  readonly #owners = new Map<number, RouterLink<Session>>();
  readonly #blocked = new Set<RouterLink<Session>>();
  // Lost in this turn; libzmq may deliver its last decoded messages just after it reported the loss.
  readonly #lost = new Set<RouterLink<Session>>();
  readonly #leaving = new LostConnections<RouterLink<Session>>((link) => this.#finish(link));
  /** Links with waiting messages, in the order of turns. */
  readonly #waiting = new Deque<RouterLink<Session>>();
  #backlogFirst = false;
  #turnsWithout = 0;
  #discarding = false;

  /** @param socket A ROUTER with its options set, not bound yet. */
  constructor(socket: Socket, host: ListenerHost<Session>) {
    this.socket = socket;
    this.#host = host;
    this.#handle = socket.handle;
    socket.monitor(watchedEvents, (event, value) => this.#onEvent(event, value));
  }

  /** Begins to read. Until then messages wait in libzmq. */
  start(): void {
    this.socket.attach(this);
  }

  /** Peers known by their own connection. */
  get size(): number {
    return this.#links.size;
  }

  /** Connections that have sent no message. */
  get silent(): number {
    return Math.max(0, this.#live.size - this.#owners.size);
  }

  /** All accepted links. */
  get links(): Iterable<RouterLink<Session>> {
    return this.#links.values();
  }

  /** Whether a link waits for room. */
  get blocked(): boolean {
    return this.#blocked.size > 0;
  }

  /** Reads messages and continues waiting ones. Called by the reactor. */
  receive(budget: number): number {
    let allowed = budget;
    let count = budget;
    if (this.#waiting.size === 0) count = this.#read(budget);
    else {
      // The first of the two may use up the time of the pass; the other one then handles a single message.
      this.#backlogFirst = !this.#backlogFirst;
      if (this.#backlogFirst) this.#resume();
      if (this.#host.slice.over) allowed = 1;
      if (this.#turnsWithout > 0) this.#turnsWithout--;
      else count = this.#read(allowed);
      if (!this.#backlogFirst) this.#resume();
    }
    // When the socket is empty, lost links without waiting messages are at their end.
    const more = this.#waiting.size > 0 || !this.#leaving.empty || count >= allowed;
    return more ? budget : count;
  }

  #resume(): void {
    const link = this.#waiting.shift();
    if (link === undefined) return;
    this.#host.intake.resume(link);
    if (link.backlog !== null) this.#waiting.push(link);
  }

  #read(budget: number): number {
    const { reader, intake, unfinished } = this.#host;
    for (let count = 0; count < budget; count++) {
      if (this.socket.closed) return 0;
      if (this.#discarding) {
        if (!reader.discard(this.#handle)) return budget;
        this.#discarding = false;
      }
      const idSize = reader.readId(this.#handle);
      if (idSize < 0) {
        if (!this.#leaving.empty) this.#leaving.drained();
        return count;
      }
      let link = this.#links.find(reader.idBytes, reader.idView, idSize);
      let typeSize: number;
      if (link !== undefined) typeSize = reader.readType(this.#handle);
      else {
        const id = reader.idBytes.slice(0, idSize);
        typeSize = reader.readTypeOfNewConnection(this.#handle);
        if (typeSize >= 0) link = this.#meet(id, reader.sourceFd);
      }
      const result = reader.readRest(this.#handle, typeSize);
      if (link !== undefined) link.messages++;
      // Its parts must be read to their end, but ending the connection prevents another such message.
      if (reader.tooManyParts) unfinished?.end(link?.fd ?? reader.sourceFd);
      if (result === ReadResult.discarding) {
        this.#discarding = true;
        return budget;
      }
      if (!this.#leaving.empty) this.#leaving.message(link, this.#live.size);
      if (result !== ReadResult.message) continue;
      if (link === undefined) this.#tooMany();
      else if (link.overfull) this.#host.shared.drops.count("backlogFull");
      else if (link.backlog === null) {
        intake.take(link, reader.message);
        if (link.backlog !== null) this.#waiting.push(link);
      } else if (!this.#wait(link)) return budget;
    }
    return budget;
  }

  /** Queues a message behind others of its connection. Returns false at the connection's limit. */
  #wait(link: RouterLink<Session>): boolean {
    const { maxBacklogBytes, shared, reader, intake } = this.#host;
    const { bytes } = link.backlog!;
    if (bytes > maxBacklogBytes * endsAt) {
      shared.drops.count("backlogFull");
      // What is read behind a dropped message would be handled out of turn.
      link.overfull = this.end(link, "more than twice maxPeerBytes waits for its turn");
    } else intake.take(link, reader.message);
    if (bytes <= maxBacklogBytes) return true;
    this.#turnsWithout = turnsAtLimit;
    return false;
  }

  /** Ends a link's connection if the platform can, and returns whether it did; its loss is reported like others. */
  end(link: RouterLink<Session>, why: string): boolean {
    this.#host.refusals.tell(why);
    return this.#host.unfinished?.end(link.fd) ?? false;
  }

  /** Retries the links that wait for room. A ROUTER's POLLOUT says nothing about a single link. */
  retry(): number {
    let count = 0;
    for (const link of [...this.#blocked]) count += link.retry();
    return count;
  }

  setBlocked(link: RouterLink<Session>, blocked: boolean): void {
    if (blocked) this.#blocked.add(link);
    else this.#blocked.delete(link);
    this.socket.setBlocked(this.#blocked.size > 0);
  }

  unreachable(link: RouterLink<Session>): void {
    this.#lose(link);
  }

  closed(link: RouterLink<Session>, loss: LinkLoss): void {
    link.dropBacklog();
    this.#forget(link);
    this.#host.gone(link, loss);
  }

  /** Closes all links and the socket. */
  close(lingerMs: number): void {
    for (const link of [...this.#lost, ...this.#leaving.all]) this.#finish(link);
    for (const link of [...this.#links.values()]) {
      if (lingerMs > 0) link.outbound?.keep(lingerMs);
      link.close(0);
    }
    for (const fd of this.#live) this.#host.unfinished?.remove(fd);
    this.socket.close({ lingerMs });
  }

  #tooMany(): void {
    const { maxConnections, refusals, shared } = this.#host;
    shared.drops.count("tooManyConnections");
    refusals.tell(`as many are connected as may (maxConnections, ${maxConnections})`);
  }

  #meet(id: Uint8Array, fd: number): RouterLink<Session> | undefined {
    // Its ACCEPTED event was emitted before its first message, so it can be read now.
    this.#host.drainMonitors();
    if (this.#links.size >= this.#host.maxConnections) return undefined;
    const link = new RouterLink<Session>(this, this.#host.shared, id, fd);
    link.peerKey = this.#host.reader.sourceKey;
    const { sourceAddress } = this.#host.reader;
    link.address = sourceAddress;
    link.local = sourceAddress === null ? null : sourceAddress === "ipc" || isLoopback(sourceAddress);
    link.connected(link.peerKey !== null);
    if (fd >= 0) {
      if (this.#live.has(fd)) {
        const owner = this.#owners.get(fd);
        if (owner !== undefined) this.#finish(owner);
        this.#owners.set(fd, link);
      } else {
        // The sender has gone: its answers count, its requests cannot be answered.
        link.lose();
        this.#leaving.add(link);
      }
    }
    this.#links.add(link.routingId, link);
    return link;
  }

  #onEvent(event: number, value: number): void {
    if (event === MonitorEvent.ACCEPTED) {
      const owner = this.#owners.get(value);
      if (owner !== undefined) this.#finish(owner);
      this.#live.add(value);
      const owned = () => this.#owners.get(value);
      this.#host.unfinished?.add(value, this.socket, () => owned()?.messages ?? 0, {
        silenceMs: () => silenceBound(owned()?.peerPingMs ?? Infinity),
      });
    } else if (event === MonitorEvent.DISCONNECTED) {
      this.#live.delete(value);
      this.#host.unfinished?.remove(value);
      const owner = this.#owners.get(value);
      this.#owners.delete(value);
      if (owner !== undefined) this.#lose(owner);
    } else this.#host.refusals.event(event, value);
  }

  #lose(link: RouterLink<Session>): void {
    if (!link.lose()) return;
    this.#lost.add(link);
    // Received messages are read first: a peer may have answered and left.
    this.#host.nextTurn(() => this.#leave(link));
  }

  #leave(link: RouterLink<Session>): void {
    if (!this.#lost.delete(link) || this.socket.closed) return;
    this.#leaving.add(link);
    if (this.#waiting.size > 0) return;
    if (this.socket.readable) this.socket.touch();
    else this.#leaving.drained();
  }

  #finish(link: RouterLink<Session>): void {
    this.#lost.delete(link);
    link.lose();
    link.dropBacklog();
    if (this.#forget(link)) this.#host.gone(link, lost);
  }

  #forget(link: RouterLink<Session>): boolean {
    if (link.fd >= 0 && this.#owners.get(link.fd) === link) this.#owners.delete(link.fd);
    return this.#links.remove(link.routingId, link);
  }
}
