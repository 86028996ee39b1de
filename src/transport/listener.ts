import { type Handle, MonitorEvent, type Socket, type Source } from "../zmq/mod.ts";
import { type FrameReader, type InboundMessage, ReadResult } from "./inbound.ts";
import type { Link, LinkShared } from "./link.ts";
import { LinkTable } from "./link_table.ts";
import { refusalEvents, type Refusals } from "./refusals.ts";
import { type RouterHost, RouterLink } from "./router_link.ts";
import type { LinkLoss } from "./transport.ts";
import type { UnfinishedMessages } from "./unfinished.ts";

/** What a listener needs of its transport. */
export interface ListenerHost<Session> {
  /** Reads its frames. */
  readonly reader: FrameReader;
  /** What its links share. */
  readonly shared: LinkShared;
  /** The most peers that may be known by their own connection. */
  readonly maxConnections: number;
  /** Ends connections whose messages never end; null where the platform does not tell. */
  readonly unfinished: UnfinishedMessages | null;
  /** Logs connections that are refused. */
  readonly refusals: Refusals;
  /** Hands a message on. */
  message(link: Link<Session>, message: InboundMessage): void;
  /** Reports the end of a link. */
  gone(link: Link<Session>, loss: LinkLoss): void;
  /** Reads what monitors have to say. */
  drainMonitors(): void;
  /** Calls back one turn of the event loop later. */
  nextTurn(callback: () => void): void;
}

const watchedEvents = MonitorEvent.ACCEPTED | MonitorEvent.DISCONNECTED | MonitorEvent.HANDSHAKE_SUCCEEDED |
  refusalEvents;

const lost: LinkLoss = Object.freeze({ code: "PEER_DISCONNECTED", reason: "the connection was lost" });

/**
 * The ROUTER on which peers dial in, and which connection belongs to whom.
 *
 * A peer known only by its own connection is lost when that connection is: the monitor names it by
 * descriptor, and the descriptor is mapped to a routing id at the first message. For that the monitor is
 * always read before the socket.
 */
export class Listener<Session> implements Source, RouterHost<Session> {
  readonly socket: Socket;
  readonly #host: ListenerHost<Session>;
  readonly #handle: Handle;
  readonly #links = new LinkTable<RouterLink<Session>>();
  readonly #live = new Set<number>();
  readonly #owners = new Map<number, RouterLink<Session>>();
  readonly #blocked = new Set<RouterLink<Session>>();
  readonly #leaving = new Set<RouterLink<Session>>();
  #discarding = false;

  /** @param socket A ROUTER with its options set, not bound yet. */
  constructor(socket: Socket, host: ListenerHost<Session>) {
    this.socket = socket;
    this.#host = host;
    this.#handle = socket.handle;
    socket.monitor(watchedEvents, (event, value) => this.#onEvent(event, value));
    socket.attach(this);
  }

  /** Peers known by their own connection. */
  get size(): number {
    return this.#links.size;
  }

  /** Connections of which nothing was heard. */
  get silent(): number {
    return Math.max(0, this.#live.size - this.#owners.size);
  }

  /** All accepted links. */
  get links(): Iterable<RouterLink<Session>> {
    return this.#links.values();
  }

  /** Whether any link waits for room. */
  get blocked(): boolean {
    return this.#blocked.size > 0;
  }

  /** Reads what arrived. Called by the reactor. */
  receive(budget: number): number {
    const reader = this.#host.reader;
    for (let count = 0; count < budget; count++) {
      if (this.socket.closed) return 0;
      if (this.#discarding) {
        if (!reader.discard(this.#handle)) return budget;
        this.#discarding = false;
      }
      const idSize = reader.readId(this.#handle);
      if (idSize < 0) return count;
      let link = this.#links.find(reader.idBytes, reader.idView, idSize);
      let typeSize: number;
      if (link !== undefined) typeSize = reader.readType(this.#handle);
      else {
        const id = reader.idBytes.slice(0, idSize);
        typeSize = reader.readTypeOfStranger(this.#handle);
        if (typeSize >= 0) link = this.#meet(id, reader.sourceFd);
      }
      const result = reader.readRest(this.#handle, typeSize);
      if (link !== undefined) link.messages++;
      // Its many parts have to be read to their end; that it is not done again is all that can be had.
      if (reader.tooManyParts) this.#host.unfinished?.end(link?.fd ?? reader.sourceFd);
      if (result === ReadResult.discarding) {
        this.#discarding = true;
        return budget;
      }
      if (result !== ReadResult.message) continue;
      if (link === undefined) this.#tooMany();
      else this.#host.message(link, reader.message);
    }
    return budget;
  }

  /** Tries the links that wait for room. POLLOUT of a ROUTER says nothing about one of them. */
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
    this.#forget(link);
    this.#host.gone(link, loss);
  }

  /** Ends all links and the socket. */
  close(lingerMs: number): void {
    for (const link of [...this.#leaving]) this.#finish(link);
    for (const link of [...this.#links.values()]) link.close(0);
    for (const fd of this.#live) this.#host.unfinished?.remove(fd);
    this.socket.close({ lingerMs });
  }

  #tooMany(): void {
    const { maxConnections, refusals, shared } = this.#host;
    shared.drops.count("tooManyConnections");
    refusals.tell(`as many are connected as may (maxConnections, ${maxConnections})`);
  }

  #meet(id: Uint8Array, fd: number): RouterLink<Session> | undefined {
    // Its ACCEPTED was emitted before its first message, so it can be read now.
    this.#host.drainMonitors();
    if (this.#links.size >= this.#host.maxConnections) return undefined;
    const link = new RouterLink<Session>(this, this.#host.shared, id, fd);
    link.peerKey = this.#host.reader.sourceKey;
    link.local = this.#host.reader.sourceLocal;
    link.connected(link.peerKey !== null);
    if (fd >= 0) {
      if (!this.#live.has(fd)) {
        // The sender has already gone: what it answered counts, what it asks for cannot be answered.
        link.lose();
        return link;
      }
      const owner = this.#owners.get(fd);
      if (owner !== undefined) this.#finish(owner);
      this.#owners.set(fd, link);
    }
    this.#links.add(link.routingId, link);
    return link;
  }

  #onEvent(event: number, value: number): void {
    if (event === MonitorEvent.ACCEPTED) {
      const owner = this.#owners.get(value);
      if (owner !== undefined) this.#finish(owner);
      this.#live.add(value);
      this.#host.unfinished?.add(value, this.socket, () => this.#owners.get(value)?.messages ?? 0);
    } else if (event === MonitorEvent.DISCONNECTED) {
      this.#live.delete(value);
      this.#host.unfinished?.remove(value);
      const owner = this.#owners.get(value);
      this.#owners.delete(value);
      if (owner !== undefined) this.#lose(owner);
    } else this.#host.refusals.event(event, value);
  }

  #lose(link: RouterLink<Session>): void {
    if (!link.lose() || this.#leaving.has(link)) return;
    this.#leaving.add(link);
    // What had arrived is read to the end first: replies of a peer that answered and left.
    this.#host.nextTurn(() => {
      if (!this.socket.closed) this.#drainOnce();
      this.#finish(link);
    });
  }

  #drainOnce(): void {
    for (let pass = 0; pass < 64 && this.receive(1_024) === 1_024; pass++);
  }

  #finish(link: RouterLink<Session>): void {
    this.#leaving.delete(link);
    link.lose();
    if (this.#forget(link)) this.#host.gone(link, lost);
  }

  #forget(link: RouterLink<Session>): boolean {
    if (link.fd >= 0 && this.#owners.get(link.fd) === link) this.#owners.delete(link.fd);
    return this.#links.remove(link.routingId, link);
  }
}
