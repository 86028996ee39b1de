import { Line, type LinePlace } from "../core/mod.ts";
import { MessageType, presetPingMs } from "../wire/mod.ts";
import type { Backlog } from "./backlog.ts";
import type { Batcher } from "./batcher.ts";
import { copyBytes } from "./inbound.ts";
import { type LinkLoss, type LinkShared, type LinkState, SendOutcome } from "./link_shared.ts";
import type { OutboundBytes } from "./outbound_bytes.ts";
import { SendQueue } from "./send_queue.ts";
import { type Header, WriteOutcome } from "./write.ts";

export { type LinkShared, type LinkState, SendOutcome } from "./link_shared.ts";

const request = MessageType.message;
// Entries that one retry sends before other links get a turn.
const messagesPerRetry = 256;
// Waiting sends that one retry admits.
const sendsPerRetry = 1_024;
// Bytes that a waiting answer counts for, besides its own.
const waitingBytes = 512;

/**
 * One epoch of one connection to one peer, dialled by either side.
 *
 * Messages leave in the order of acceptance. Each accepted message has a number; {@link Link.handed} tells whether
 * libzmq has it, which decides `ran`.
 */
export abstract class Link<Session> {
  /** The side that opened the connection; `loopback` is this instance's connection to itself. */
  abstract readonly kind: "dialled" | "accepted" | "loopback";
  /** Endpoint of the connection, for people. */
  abstract readonly endpoint: string;
  /** The routing id of the other end's socket, or null if unknown. */
  abstract readonly routingId: Uint8Array | null;
  /** The state that the transport's user attaches. */
  session: Session | null = null;
  /** Called before a batch is sent: messages sent now join it. */
  rider: (() => void) | null = null;
  /** Called before the process ends: messages that wait for the other end's permission may be sent without it. */
  beforeExit: (() => void) | null = null;
  /** Whether the connection ended in the middle of the ZMTP handshake. */
  brokenHandshake = false;
  /** The CURVE public key that the other end has proved to own, Z85; null without CURVE. */
  peerKey: string | null = null;
  /** Address of the other end: `"ipc"`, or its IP address; null when unknown, and for loopback. */
  address: string | null = null;
  /** Whether the other end is on this host, according to the connection; null when unknown. */
  local: boolean | null = null;
  /** Whether a dialled connection reached this very instance. */
  leadsHere = false;
  /** The time between two heartbeats of this side, which dialled the connection. */
  pingMs = presetPingMs;
  /** The time between two heartbeats of the other side, as it says; `Infinity` while nothing is known. */
  peerPingMs = Infinity;
  /** Bytes that the connection holds; null without a bound. */
  outbound: OutboundBytes | null = null;
  /** Received messages that wait for their turn; null without any. */
  backlog: Backlog | null = null;
  /** Number of the last accepted message. */
  accepted = 0;
  /** Whether messages can have reached the peer: false until the ZMTP handshake was seen. */
  established = true;
  protected readonly shared: LinkShared;
  #state: LinkState;
  #handed = 0;
  #batcher: Batcher | null = null;
  // Whether the batcher holds answers.
  #answers = false;
  readonly #queue: SendQueue;
  #blocked = false;
  readonly #waiting: (() => void)[] = [];
  readonly #line = new Line();

  constructor(shared: LinkShared, state: LinkState) {
    this.shared = shared;
    this.#state = state;
    this.#queue = new SendQueue(shared);
  }

  /** State of the link. */
  get state(): LinkState {
    return this.#state;
  }

  /** Messages in the queue. */
  get queuedMessages(): number {
    return this.#queue.messages;
  }

  /** Bytes of the queued messages. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Sends that wait for room in the queue. */
  get waitingSends(): number {
    return this.#line.size;
  }

  /** Whether the peer's high-water mark blocks messages. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Whether libzmq has the message with this number. */
  handed(number: number): boolean {
    return number <= this.#handed;
  }

  /** Opens the link; queued messages leave first. */
  open(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.retry();
  }

  /** Starts collecting small messages. The peer must have the feature. Once. */
  startBatching(batcher: Batcher): void {
    this.#batcher ??= batcher;
  }

  /**
   * Sends one message, whose header is at the start of the transport's header memory.
   *
   * @param payload Copied before this returns, unless `owned`: then the link may keep it until it is sent.
   */
  send(type: number, headerLength: number, payload: Uint8Array, owned: boolean): SendOutcome {
    // Messages that wait for room go first.
    if (!this.#line.isFree) {
      return this.#isClosed() ? SendOutcome.closed : SendOutcome.full;
    }
    const batcher = this.#batcher;
    if (batcher !== null && this.#state === "open") {
      // At the high-water mark messages are still collected, so that whole batches wait.
      if (this.#queue.size > 0 && this.#queue.isFull(headerLength + payload.length)) return SendOutcome.full;
      if (batcher.take(type, headerLength, payload)) {
        if (type !== request) this.#answers = true;
        this.accepted++;
        return SendOutcome.sent;
      }
    }
    if (this.#state === "open" && this.#queue.size === 0) {
      const outcome = this.#write(type, headerLength, payload, 1);
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

  /**
   * Sends a message like {@link send}. Without room the message waits and leaves in its turn. Handlers answer only requests
   * that had room, so a peer that sends more and reads no answers loses its connection.
   */
  post(type: number, headerLength: number, payload: Uint8Array, owned: boolean): void {
    if (this.#post(type, headerLength, payload, owned)) return;
    const header = copyBytes(this.shared.header.bytes.subarray(0, headerLength));
    const kept = owned ? payload : copyBytes(payload);
    const bytes = type === request ? 0 : headerLength + kept.length + waitingBytes;
    const { outbound } = this;
    outbound?.wait(bytes);
    this.#line.join(() => {
      this.shared.header.bytes.set(header);
      return this.#post(type, headerLength, kept, true);
    }, () => outbound?.wait(-bytes));
    if (bytes > 0 && this.waitingSends * waitingBytes > this.shared.maxPeerBytes) {
      this.abandon(`${this.waitingSends} answers wait for it, and it reads none`);
    }
  }

  /** False when there is no room. */
  #post(type: number, headerLength: number, payload: Uint8Array, owned: boolean): boolean {
    const outcome = this.send(type, headerLength, payload, owned);
    // The loss of its connection tells the caller.
    if (outcome === SendOutcome.closed && type !== request) this.shared.drops.count("senderGone");
    return outcome !== SendOutcome.full;
  }

  /** Sends a message past the queue while the link is connecting, for the handshake. */
  sendFirst(type: number, headerLength: number, payload: Uint8Array): SendOutcome {
    if (this.#isClosed()) return SendOutcome.closed;
    const outcome = this.#write(type, headerLength, payload, 1);
    return outcome === WriteOutcome.sent ? SendOutcome.sent : SendOutcome.closed;
  }

  /** Sends waiting messages, as far as there is room, before the process ends. Returns whether none is left. */
  flushBeforeExit(): boolean {
    if (this.#state !== "open") return true;
    this.outbound?.keep(0);
    this.outbound?.release();
    this.beforeExit?.();
    do this.flush(); while (this.retry() > 0);
    return this.#isClosed() || this.#queue.size + this.#line.size === 0;
  }

  /** Called before a batch is sent, see {@link rider}. */
  beforeBatch(): void {
    this.rider?.();
  }

  /** Sends `count` messages of a batcher in one frame of type `type`. */
  sendBatch(type: number, header: Uint8Array, payload: Uint8Array, count: number): void {
    const answers = this.#answers;
    this.#answers = false;
    if (this.#isClosed()) return;
    if (this.#queue.size === 0) {
      const outcome = this.#write(type, header, payload, count);
      if (outcome === WriteOutcome.sent) {
        this.#handed += count;
        // Waiters may have been held by these messages, also if the queue itself became empty before.
        return this.#wakeWaiting();
      }
      if (outcome === WriteOutcome.lost) return;
      this.#block();
    }
    this.#push(type, copyBytes(header), copyBytes(payload), count, answers);
  }

  /**
   * Takes back a message that has not left yet.
   *
   * @returns Whether it was still queued.
   */
  withdraw(number: number): boolean {
    const entry = number <= this.#handed ? undefined : this.#queue.find(number);
    if (entry === undefined || entry.count > 1) return false;
    entry.withdrawn = true;
    return true;
  }

  /**
   * Waits for room after {@link send} returned `full`. `send` is called in turn, when there is room or the link is
   * closed, until it returns true, which means that it was not refused with `full` or need not send any more.
   *
   * @param left Called once, when the place in the line is free.
   */
  queueUp(send: () => boolean, left?: () => void): LinePlace {
    return this.#line.join(send, left);
  }

  /** Resolves when a message has left the queue or the link is closed. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends the batcher's messages, as far as the peer has room. */
  flush(): void {
    this.#batcher?.flush();
  }

  /** Whether libzmq has all accepted messages. */
  get flushed(): boolean {
    return this.#handed === this.accepted;
  }

  /** Sends queued entries, as far as the peer has room. Returns how many left. */
  retry(): number {
    if (this.#state !== "open") return 0;
    let count = 0;
    while (count < messagesPerRetry) {
      const entry = this.#queue.peek();
      if (entry === undefined) break;
      if (!entry.withdrawn) {
        const outcome = this.#write(entry.type, entry.header, entry.payload, entry.count);
        if (outcome === WriteOutcome.blocked) {
          this.#block();
          break;
        }
        if (outcome === WriteOutcome.lost) return count;
      }
      this.#queue.shift(entry);
      this.#handed += entry.count;
      if (entry.owed > 0) this.outbound?.wait(-entry.owed);
      count++;
    }
    if (count > 0 || this.#queue.size === 0) count += this.#line.serve(sendsPerRetry);
    const left = this.#queue.size + this.#line.size;
    if (left === 0 && this.#blocked) this.#unblock();
    else if (left > 0 && !this.#blocked) {
      this.#block(); // out of budget: the reactor calls again
    }
    if (count > 0) this.#wakeWaiting();
    return count;
  }

  /** Ends the link from this side. Messages in libzmq may still leave for `lingerMs`. */
  abstract close(lingerMs: number, loss?: LinkLoss): void;

  /** Ends the connection of a peer that does not read. */
  abandon(reason: string): void {
    if (this.#isClosed()) return;
    this.shared.drops.count("slowPeer");
    this.close(0, { code: "PEER_DISCONNECTED", reason });
  }

  /** Writes one message to libzmq. */
  protected abstract write(type: number, header: Header, payload: Uint8Array): WriteOutcome;

  /** Adds or removes the reactor's retry at each wake. */
  protected abstract onBlocked(blocked: boolean): void;

  /** Closes the link and drops its queue. Returns false when it was closed already. */
  protected markClosed(): boolean {
    if (this.#state === "closed") return false;
    this.#state = "closed";
    this.#batcher?.stop();
    this.#batcher = null;
    const { bytes } = this.#queue;
    const lost = this.#queue.clear();
    if (lost > 0) this.shared.drops.count("linkLost", lost);
    if (this.#blocked) this.#unblock();
    this.outbound?.close(bytes);
    this.#wakeWaiting();
    // In a microtask, because the code that closes the link sets the reason first.
    if (this.#line.size > 0) queueMicrotask(() => this.#line.serve(Infinity));
    return true;
  }

  /** Drops received messages that wait for their turn. */
  dropBacklog(): void {
    const waiting = this.backlog?.clear() ?? 0;
    this.backlog = null;
    if (waiting > 0) this.shared.drops.count("linkLost", waiting);
  }

  /** Writes a frame with `count` messages. */
  #write(type: number, header: Header, payload: Uint8Array, count: number): WriteOutcome {
    const { outbound } = this;
    if (outbound !== null && !outbound.admits(payload.length)) return WriteOutcome.blocked;
    const outcome = this.write(type, header, payload);
    if (outcome === WriteOutcome.sent) {
      this.shared.counters.sent += count;
      outbound?.handed(typeof header === "number" ? header : header.length, payload.length);
    }
    return outcome;
  }

  #enqueue(type: number, headerLength: number, payload: Uint8Array, owned: boolean): SendOutcome {
    if (this.#queue.isFull(headerLength + payload.length)) return SendOutcome.full;
    this.accepted++;
    const header = copyBytes(this.shared.header.bytes.subarray(0, headerLength));
    this.#push(type, header, owned ? payload : copyBytes(payload), 1, type !== request);
    return SendOutcome.queued;
  }

  #push(type: number, header: Uint8Array, payload: Uint8Array, count: number, answers: boolean): void {
    const first = this.#handed + this.#queue.messages + 1;
    const owed = answers ? header.length + payload.length : 0;
    this.#queue.push({ type, header, payload, count, first, owed, withdrawn: false });
    if (owed > 0) this.outbound?.wait(owed);
  }

  #block(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.shared.counters.blocked++;
    this.outbound?.block(true);
    this.onBlocked(true);
  }

  #unblock(): void {
    this.#blocked = false;
    this.outbound?.block(false);
    this.onBlocked(false);
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #wakeWaiting(): void {
    if (this.#waiting.length === 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** The loss of a link that this side closes. */
export const closedByUs: LinkLoss = Object.freeze({ code: "CLOSED", reason: "this instance closed it" });
