import { Deque, Line, type LinePlace } from "../core/mod.ts";
import { MessageType } from "../wire/mod.ts";
import type { Backlog } from "./backlog.ts";
import type { Batcher } from "./batcher.ts";
import { copyBytes } from "./inbound.ts";
import { type LinkLoss, type LinkShared, type LinkState, SendOutcome } from "./link_shared.ts";
import type { Outlet } from "./outlet.ts";
import { WriteOutcome } from "./write.ts";

export { type LinkShared, type LinkState, SendOutcome } from "./link_shared.ts";

interface Queued {
  readonly type: number;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  /** How many messages it stands for: a batch is one entry. */
  readonly count: number;
  /** The number of its first message. */
  readonly first: number;
  /** Bytes of it that somebody else asked for. */
  readonly owed: number;
  /** Taken back by its sender: it is skipped when its turn comes. */
  withdrawn: boolean;
}

const request = MessageType.message;
// Entries that one retry sends before others get a turn.
const messagesPerRetry = 256;
// Sends that waited for room and that one retry lets through.
const sendsPerRetry = 1_024;

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
  /** Called when a batch is about to leave: the moment to send what may ride with it. */
  rider: (() => void) | null = null;
  /** Called when the process is about to end: what waits for the other end's leave may go without. */
  beforeExit: (() => void) | null = null;
  /** Whether the connection ended in the middle of the ZMTP handshake. */
  brokenHandshake = false;
  /** The CURVE public key that the other end has proved to own, Z85; null without CURVE. */
  peerKey: string | null = null;
  /** Where the other end is: `"ipc"`, or its host's IP address; null when unknown, and for the link to oneself. */
  address: string | null = null;
  /** Whether the other end is on this host, as far as the connection tells; null when unknown. */
  local: boolean | null = null;
  /** Whether a connection that was dialled came out at this very instance. */
  leadsHere = false;
  /** What the connection holds; null where nobody bounds that. */
  outlet: Outlet | null = null;
  /** What has come by it and waits for its turn; null when nothing does. */
  backlog: Backlog | null = null;
  /** Number of the last message accepted. */
  accepted = 0;
  /** Whether anything can have reached the peer: false until the ZMTP handshake was seen. */
  established = true;
  protected readonly shared: LinkShared;
  #state: LinkState;
  #handed = 0;
  #batcher: Batcher | null = null;
  // Whether the batcher has collected answers.
  #answers = false;
  readonly #queue = new Deque<Queued>();
  #queuedMessages = 0;
  #queuedBytes = 0;
  #blocked = false;
  readonly #waiting: (() => void)[] = [];
  readonly #line = new Line();

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

  /** Sends that wait for room in the queue. */
  get waitingSends(): number {
    return this.#line.size;
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

  /** From now on collects small messages and sends them together. The peer must have asked for it. Once. */
  startBatching(batcher: Batcher): void {
    this.#batcher ??= batcher;
  }

  /**
   * Sends one message, whose header lies at the start of the transport's header memory.
   *
   * @param payload Copied before this returns, unless `owned`: then it may be kept until it leaves.
   */
  send(type: number, headerLength: number, payload: Uint8Array, owned: boolean): SendOutcome {
    // Nobody overtakes a message that waits for room.
    if (!this.#line.isFree) {
      return this.#isClosed() ? SendOutcome.closed : SendOutcome.full;
    }
    const batcher = this.#batcher;
    if (batcher !== null && this.#state === "open") {
      // At the high-water mark messages go on being collected: what waits are whole batches.
      if (this.#queue.size > 0 && this.#isFull(headerLength + payload.length)) return SendOutcome.full;
      if (batcher.take(type, headerLength, payload)) {
        if (type !== request) this.#answers = true;
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

  /** The process is about to end: whatever waits leaves now, as far as there is room. Returns whether nothing is left. */
  flushBeforeExit(): boolean {
    if (this.#state !== "open") return true;
    this.outlet?.keep(0);
    this.outlet?.release();
    this.beforeExit?.();
    do this.flush(); while (this.retry() > 0);
    return this.#isClosed() || this.#queue.size + this.#line.size === 0;
  }

  /** A batch is about to leave, see {@link rider}. */
  beforeBatch(): void {
    this.rider?.();
  }

  /** Sends what a batcher collected: `count` messages in one frame of type `type`. */
  sendBatch(type: number, header: Uint8Array, payload: Uint8Array, count: number): void {
    const answers = this.#answers;
    this.#answers = false;
    if (this.#isClosed()) return;
    if (this.#queue.size === 0) {
      const outcome = this.#writeParts(type, header, payload);
      if (outcome === WriteOutcome.sent) {
        this.#handed += count;
        this.shared.counters.sent += count;
        // What left of the queue before may have found these still here.
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
   * @returns Whether it was still here.
   */
  withdraw(number: number): boolean {
    if (number <= this.#handed) return false;
    let low = 0;
    let high = this.#queue.size - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const entry = this.#queue.at(middle)!;
      if (entry.first > number) high = middle - 1;
      else if (entry.first + entry.count <= number) low = middle + 1;
      else {
        if (entry.count > 1) return false;
        entry.withdrawn = true;
        return true;
      }
    }
    return false;
  }

  /**
   * Waits for room after {@link send} was refused with `full`. `send` is called in its turn, when there is room or
   * the link is closed, until it returns true: it was not refused with `full` again, or has no need any more.
   *
   * @param left Called once, when the place in the line is free again.
   */
  queueUp(send: () => boolean, left?: () => void): LinePlace {
    return this.#line.join(send, left);
  }

  /** Resolves when something has left the queue or the link is closed. */
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
        const outcome = this.#writeParts(entry.type, entry.header, entry.payload);
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
      if (entry.owed > 0) this.outlet?.wait(-entry.owed);
      count++;
    }
    if (count > 0 || this.#queue.size === 0) count += this.#line.serve(sendsPerRetry);
    const left = this.#queue.size + this.#line.size;
    if (left === 0 && this.#blocked) this.#unblock();
    else if (left > 0 && !this.#blocked) {
      this.#block(); // out of budget: the pump comes back
    }
    if (count > 0) this.#wakeWaiting();
    return count;
  }

  /** Ends the link from this side. What was handed to libzmq may still leave for `lingerMs`. */
  abstract close(lingerMs: number, loss?: LinkLoss): void;

  /** Ends the connection of a peer that does not take what waits for it. */
  abandon(reason: string): void {
    if (this.#isClosed()) return;
    this.shared.drops.count("slowPeer");
    this.close(0, { code: "PEER_DISCONNECTED", reason });
  }

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
    if (this.#blocked) this.#unblock();
    this.outlet?.close();
    this.#wakeWaiting();
    // A moment later, because whoever closes the link says first why it ended.
    if (this.#line.size > 0) queueMicrotask(() => this.#line.serve(Infinity));
    return true;
  }

  /** Drops what has come and waits for its turn. */
  dropBacklog(): void {
    const waiting = this.backlog?.clear() ?? 0;
    this.backlog = null;
    if (waiting > 0) this.shared.drops.count("linkLost", waiting);
  }

  #write(type: number, headerLength: number, payload: Uint8Array): WriteOutcome {
    const { outlet } = this;
    if (outlet !== null && !outlet.admits(payload.length)) return WriteOutcome.blocked;
    const outcome = this.writeRegion(type, headerLength, payload);
    if (outcome === WriteOutcome.sent) {
      this.shared.counters.sent++;
      outlet?.handed(headerLength, payload.length);
    }
    return outcome;
  }

  #writeParts(type: number, header: Uint8Array, payload: Uint8Array): WriteOutcome {
    const { outlet } = this;
    if (outlet !== null && !outlet.admits(payload.length)) return WriteOutcome.blocked;
    const outcome = this.writeParts(type, header, payload);
    if (outcome === WriteOutcome.sent) outlet?.handed(header.length, payload.length);
    return outcome;
  }

  #enqueue(type: number, headerLength: number, payload: Uint8Array, owned: boolean): SendOutcome {
    if (this.#isFull(headerLength + payload.length)) return SendOutcome.full;
    this.accepted++;
    const header = copyBytes(this.shared.header.bytes.subarray(0, headerLength));
    this.#push(type, header, owned ? payload : copyBytes(payload), 1, type !== request);
    return SendOutcome.queued;
  }

  /** Whether there is no room for another message. A single one larger than the limit may go alone. */
  #isFull(bytes: number): boolean {
    return this.#queuedMessages >= this.shared.maxQueuedMessages ||
      (this.#queuedMessages > 0 && this.#queuedBytes + bytes > this.shared.maxQueuedBytes);
  }

  #push(type: number, header: Uint8Array, payload: Uint8Array, count: number, answers: boolean): void {
    const first = this.#handed + this.#queuedMessages + 1;
    const bytes = header.length + payload.length;
    this.#queue.push({ type, header, payload, count, first, owed: answers ? bytes : 0, withdrawn: false });
    this.#queuedMessages += count;
    this.#queuedBytes += bytes;
    if (answers) this.outlet?.wait(bytes);
  }

  #block(): void {
    if (this.#blocked) return;
    this.#blocked = true;
    this.shared.counters.blocked++;
    this.outlet?.block(true);
    this.onBlocked(true);
  }

  #unblock(): void {
    this.#blocked = false;
    this.outlet?.block(false);
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

/** The loss that a link ends with when our side closes it. */
export const closedByUs: LinkLoss = Object.freeze({ code: "CLOSED", reason: "this instance closed it" });
