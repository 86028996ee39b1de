import { Deque } from "../core/mod.ts";
import { type Backend, Errno, type Handle, type Region, SendFlag } from "../zmq/mod.ts";
import type { Batcher } from "./batcher.ts";
import type { DropCounters } from "./drops.ts";
import { copyBytes } from "./inbound.ts";
import type { LinkLoss } from "./transport.ts";

/**
 * Where a link is in its life. `connecting`: messages wait in the queue, only {@link Link.sendFirst} leaves.
 * `open`: everything leaves. `closed`: nothing does.
 */
export type LinkState = "connecting" | "open" | "closed";

/** What became of a message given to {@link Link.send}. */
export const SendOutcome = {
  /** libzmq has it, or it leaves with this turn's batch. */
  sent: 0,
  /** It waits in the link's bounded queue. */
  queued: 1,
  /** The queue is full; nothing was taken. */
  full: 2,
  /** The link is closed; nothing was taken. */
  closed: 3,
} as const;
/** A value of {@link SendOutcome}. */
export type SendOutcome = (typeof SendOutcome)[keyof typeof SendOutcome];

/** What became of a message given to libzmq. */
export const WriteOutcome = { sent: 0, blocked: 1, lost: 2 } as const;
/** A value of {@link WriteOutcome}. */
export type WriteOutcome = (typeof WriteOutcome)[keyof typeof WriteOutcome];

/** What all links of a transport share. */
export interface LinkShared {
  /** libzmq. */
  readonly backend: Backend;
  /** Where the header of the next message lies. */
  readonly header: Region;
  /** Byte n is n: where type frames come from. */
  readonly types: Region;
  /** Counts drops. */
  readonly drops: DropCounters;
  /** Limit of messages in one link's queue. */
  readonly maxQueuedMessages: number;
  /** Limit of bytes in one link's queue. */
  readonly maxQueuedBytes: number;
  /** Counters. */
  readonly counters: { sent: number; received: number; blocked: number };
}

interface Queued {
  readonly type: number;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  /** How many messages it stands for: a batch is one entry. */
  readonly count: number;
  /** Taken back by its sender: it is skipped when its turn comes. */
  withdrawn: boolean;
}

const wouldBlock = -Errno.EAGAIN;
const dontWait = SendFlag.DONTWAIT;
const dontWaitMore = SendFlag.DONTWAIT | SendFlag.SNDMORE;
// Entries that one retry sends before others get a turn.
const messagesPerRetry = 256;

/**
 * One epoch of one connection to one peer, in whichever direction it was dialled.
 *
 * Messages leave in the order in which they were accepted. Each accepted message has a number;
 * {@link Link.handed} tells whether libzmq has it, which is what `ran` depends on.
 */
export abstract class Link<Session> {
  /** Who opened the connection; `loopback` is the one to oneself. */
  abstract readonly kind: "dialled" | "accepted" | "loopback";
  /** Where the connection leads, for people. */
  abstract readonly endpoint: string;
  /** The routing id of the other end's socket, or null where it is not known. */
  abstract readonly routingId: Uint8Array | null;
  /** What the user of the transport keeps about the connection. */
  session: Session | null = null;
  /** Whether the connection ended in the middle of the ZMTP handshake. */
  brokenHandshake = false;
  /** The CURVE public key that the other end has proved to own, Z85; null without CURVE. */
  peerKey: string | null = null;
  /** Number of the last message accepted. */
  accepted = 0;
  /** Whether anything can have reached the peer: false until the ZMTP handshake was seen. */
  established = true;
  protected readonly shared: LinkShared;
  #state: LinkState;
  #handed = 0;
  #batcher: Batcher | null = null;
  readonly #queue = new Deque<Queued>();
  #queuedMessages = 0;
  #queuedBytes = 0;
  #blocked = false;
  readonly #waiting: (() => void)[] = [];

  constructor(shared: LinkShared, state: LinkState) {
    this.shared = shared;
    this.#state = state;
  }

  /** Where the link is in its life. */
  get state(): LinkState {
    return this.#state;
  }

  /** Messages in the queue. */
  get queuedMessages(): number {
    return this.#queuedMessages;
  }

  /** Their bytes. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether the peer's high-water mark holds messages back. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Whether libzmq has the message with this number. */
  handed(number: number): boolean {
    return number <= this.#handed;
  }

  /** Lets everything leave, what waited first. */
  open(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.retry();
  }

  /** From now on collects small messages and sends them together. The peer must have asked for it. */
  startBatching(batcher: Batcher): void {
    this.#batcher = batcher;
  }

  /**
   * Sends one message, whose header lies at the start of the transport's header memory.
   *
   * @param payload Copied before this returns, unless `owned`: then it may be kept until it leaves.
   */
  send(type: number, headerLength: number, payload: Uint8Array, owned: boolean): SendOutcome {
    const batcher = this.#batcher;
    if (batcher !== null && this.#state === "open") {
      // At the high-water mark messages go on being collected: what waits are whole batches.
      if (this.#queue.size > 0 && this.#isFull(headerLength + payload.length)) return SendOutcome.full;
      if (batcher.take(type, headerLength, payload)) {
        this.accepted++;
        return SendOutcome.sent;
      }
    }
    if (this.#state === "open" && this.#queue.size === 0) {
      const outcome = this.#write(type, headerLength, payload);
      if (outcome === WriteOutcome.sent) {
        this.accepted++;
        this.#handed = this.accepted;
        return SendOutcome.sent;
      }
      if (outcome === WriteOutcome.lost) return SendOutcome.closed;
      this.#block();
    }
    if (this.#isClosed()) return SendOutcome.closed;
    return this.#enqueue(type, headerLength, payload, owned);
  }

  /** Sends a message past the queue while the link is connecting: the handshake. */
  sendFirst(type: number, headerLength: number, payload: Uint8Array): SendOutcome {
    if (this.#isClosed()) return SendOutcome.closed;
    const outcome = this.#write(type, headerLength, payload);
    if (outcome !== WriteOutcome.sent) return SendOutcome.closed;
    return SendOutcome.sent;
  }

  /** Sends what a batcher collected: `count` messages in one frame of type `type`. */
  sendBatch(type: number, header: Uint8Array, payload: Uint8Array, count: number): void {
    if (this.#isClosed()) return;
    if (this.#queue.size === 0) {
      const outcome = this.writeParts(type, header, payload);
      if (outcome === WriteOutcome.sent) {
        this.#handed += count;
        this.shared.counters.sent += count;
        return;
      }
      if (outcome === WriteOutcome.lost) return;
      this.#block();
    }
    this.#push({ type, header: copyBytes(header), payload: copyBytes(payload), count, withdrawn: false });
  }

  /**
   * Takes back a message that has not left yet.
   *
   * @returns Whether it was still here.
   */
  withdraw(number: number): boolean {
    if (number <= this.#handed) return false;
    let at = this.#handed;
    let found = false;
    this.#queue.forEach((entry) => {
      if (entry.count === 1 && at + 1 === number) found = entry.withdrawn = true;
      at += entry.count;
    });
    return found;
  }

  /** Resolves when the queue has room again or the link is closed. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends what a batcher holds, as far as the peer has room. */
  flush(): void {
    this.#batcher?.flush();
  }

  /** Whether everything accepted was handed to libzmq. */
  get flushed(): boolean {
    return this.#handed === this.accepted;
  }

  /** Sends what waits, as far as the peer has room. Returns how many entries left. */
  retry(): number {
    if (this.#state !== "open") return 0;
    let count = 0;
    while (count < messagesPerRetry) {
      const entry = this.#queue.peek();
      if (entry === undefined) break;
      if (!entry.withdrawn) {
        const outcome = this.writeParts(entry.type, entry.header, entry.payload);
        if (outcome === WriteOutcome.blocked) {
          this.#block();
          break;
        }
        if (outcome === WriteOutcome.lost) return count;
        this.shared.counters.sent += entry.count;
      }
      this.#queue.shift();
      this.#handed += entry.count;
      this.#queuedMessages -= entry.count;
      this.#queuedBytes -= entry.header.length + entry.payload.length;
      count++;
    }
    if (this.#queue.size === 0 && this.#blocked) {
      this.#blocked = false;
      this.onBlocked(false);
    } else if (this.#queue.size > 0 && !this.#blocked) {
      this.#block(); // out of budget: the pump comes back
    }
    if (count > 0) this.#wakeWaiting();
    return count;
  }

  /** Ends the link from this side. What was handed to libzmq may still leave for `lingerMs`. */
  abstract close(lingerMs: number, loss?: LinkLoss): void;

  /** Writes one message to libzmq; header and payload as they are. */
  protected abstract writeParts(type: number, header: Uint8Array, payload: Uint8Array): WriteOutcome;

  /** Writes one message to libzmq; the header from the shared region. */
  protected abstract writeRegion(type: number, headerLength: number, payload: Uint8Array): WriteOutcome;

  /** Has the reactor retry on every wake, or not. */
  protected abstract onBlocked(blocked: boolean): void;

  /** Marks the link closed and forgets what is queued. Returns false when it was closed already. */
  protected markClosed(): boolean {
    if (this.#state === "closed") return false;
    this.#state = "closed";
    this.#batcher?.stop();
    this.#batcher = null;
    if (this.#queuedMessages > 0) this.shared.drops.count("linkLost", this.#queuedMessages);
    this.#queue.clear();
    this.#queuedMessages = 0;
    this.#queuedBytes = 0;
    if (this.#blocked) {
      this.#blocked = false;
      this.onBlocked(false);
    }
    this.#wakeWaiting();
    return true;
  }

  #write(type: number, headerLength: number, payload: Uint8Array): WriteOutcome {
    const outcome = this.writeRegion(type, headerLength, payload);
    if (outcome === WriteOutcome.sent) this.shared.counters.sent++;
    return outcome;
  }

  #enqueue(type: number, headerLength: number, payload: Uint8Array, owned: boolean): SendOutcome {
    if (this.#isFull(headerLength + payload.length)) return SendOutcome.full;
    this.accepted++;
    this.#push({
      type,
      header: copyBytes(this.shared.header.bytes.subarray(0, headerLength)),
      payload: owned ? payload : copyBytes(payload),
      count: 1,
      withdrawn: false,
    });
    return SendOutcome.queued;
  }

  /** Whether there is no room for another message. A single one larger than the limit may go alone. */
  #isFull(bytes: number): boolean {
    return this.#queuedMessages >= this.shared.maxQueuedMessages ||
      (this.#queuedMessages > 0 && this.#queuedBytes + bytes > this.shared.maxQueuedBytes);
  }

  #push(entry: Queued): void {
    this.#queue.push(entry);
    this.#queuedMessages += entry.count;
    this.#queuedBytes += entry.header.length + entry.payload.length;
  }

  #block(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.shared.counters.blocked++;
    this.onBlocked(true);
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #wakeWaiting(): void {
    if (this.#waiting.length === 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * Writes type, header and payload to a socket on which an id frame may have gone before.
 *
 * Only the first part of a message can be refused whole. When a later one fails, the rest is sent all the
 * same, because libzmq swallows it; breaking off would glue the next message to this one.
 */
export function writeFromRegion(
  shared: LinkShared,
  socket: Handle,
  type: number,
  headerLength: number,
  payload: Uint8Array,
): WriteOutcome {
  const backend = shared.backend;
  const first = backend.sendRegion(socket, shared.types, type, 1, dontWaitMore);
  if (first < 0) return first === wouldBlock ? WriteOutcome.blocked : WriteOutcome.lost;
  const second = backend.sendRegion(socket, shared.header, 0, headerLength, dontWaitMore);
  const third = backend.send(socket, payload, dontWait);
  return second < 0 || third < 0 ? WriteOutcome.lost : WriteOutcome.sent;
}

/** Like {@link writeFromRegion}, the header from a view. */
export function writeFromViews(
  shared: LinkShared,
  socket: Handle,
  type: number,
  header: Uint8Array,
  payload: Uint8Array,
): WriteOutcome {
  const backend = shared.backend;
  const first = backend.sendRegion(socket, shared.types, type, 1, dontWaitMore);
  if (first < 0) return first === wouldBlock ? WriteOutcome.blocked : WriteOutcome.lost;
  const second = backend.send(socket, header, dontWaitMore);
  const third = backend.send(socket, payload, dontWait);
  return second < 0 || third < 0 ? WriteOutcome.lost : WriteOutcome.sent;
}

/** The loss that a link ends with when our side closes it. */
export const closedByUs: LinkLoss = Object.freeze({ code: "CLOSED", reason: "this instance closed it" });
