import { Deadline, type Deadlines, type InstanceId, isSystemName, type LinePlace } from "../../core/mod.ts";
import { onAbort, ZeromeshError } from "../../core/mod.ts";
import type { ResponseId } from "../../wire/mod.ts";
import type { CallStats } from "./call_stats.ts";
import { rejection } from "./awaiter_stack.ts";
import type { FeatureCall } from "./feature_call.ts";
import type { Accept, Outcome } from "./outcome.ts";
import type { Session } from "../peers/peer.ts";

// Calls have slots 0 to 65 534.
const fireSlot = 0xffff;
const generationEnd = 2 ** 48;

// One function for all promises: a closure for each, and the object of Promise.withResolvers(), cost 20 to 40 ns a
// call.
type Settle = (value: unknown) => void;
let resolveIt: Settle;
let rejectIt: Settle;
const keep = (resolve: Settle, reject: Settle): void => {
  resolveIt = resolve;
  rejectIt = reject;
};

/** Observer of calls. */
export interface CallObserver {
  /** A call has begun. */
  opened(call: PendingCall): void;
  /** A call has ended; `sent` says whether it had a slot in the table. */
  ended(call: PendingCall, sent: boolean, failed: boolean, error: unknown): void;
}

/** Tells the remote side that a sent call is not awaited any more. */
export type GiveUp = (call: PendingCall) => void;

/**
 * A wait for a remote answer, for room in a queue, or for a connection, with one promise and deadline. The `hold` of core
 * would cost every call two more promises and a timer.
 */
export class PendingCall extends Deadline implements ResponseId {
  id0 = 0;
  id1 = 0;
  id2 = 0;
  id3 = 0;
  /** Its slot in the table, or −1. */
  tableSlot = -1;
  /** The called peer. */
  readonly peer: InstanceId | undefined;
  /** The called handler. */
  readonly handler: string;
  /** The given deadline in milliseconds. */
  readonly timeoutMs: number;
  /** The remaining part of it for this call, in milliseconds. */
  readonly allottedMs: number;
  /** The connection of the request. */
  session: Session | null = null;
  /** The connection of the answer, which may be another one. */
  answeredBy: Session | null = null;
  /** Its message number on that connection. */
  number = 0;
  /** Start time on the clock in milliseconds, if a call without a deadline is measured. */
  startedAt = 0;
  /** Whether it had to wait for a connection or for room. */
  waited = false;
  /** Its place in a queue for room or credit. */
  place: LinePlace | null = null;
  /** Whether it has ended. */
  settled = false;
  /** Whether its answer has arrived and is being checked. */
  #answered = false;
  /** Converts the answer; null for calls without one. */
  readonly accept: Accept | null;
  /** See `FeatureCall.failed`; null for none. */
  failing: Pick<FeatureCall<unknown>, "failed"> | null = null;
  /** The promise of the result. */
  readonly promise: Promise<unknown>;
  /** Neighbours in the table's list of open calls. */
  before: PendingCall | null = null;
  /** See {@link before}. */
  after: PendingCall | null = null;
  readonly #resolve: Settle;
  readonly #reject: Settle;
  #watching: Disposable | null = null;
  readonly #table: CallTable;

  /** Use {@link CallTable.open}. */
  constructor(
    table: CallTable,
    peer: InstanceId | undefined,
    handler: string,
    timeoutMs: number,
    accept: Accept | null,
    elapsedMs = 0,
  ) {
    super();
    this.#table = table;
    this.peer = peer;
    this.handler = handler;
    this.timeoutMs = timeoutMs;
    this.allottedMs = timeoutMs - elapsedMs;
    this.accept = accept;
    this.promise = new Promise(keep);
    this.#resolve = resolveIt;
    this.#reject = rejectIt;
  }

  /** Ends the call with a result. */
  succeed(value: unknown): void {
    if (this.#settle(false, undefined)) this.#resolve(value);
  }

  /** Ends the call with an error. */
  fail(error: unknown): void {
    if (!this.#settle(true, error)) return;
    if (this.failing !== null) error = this.failing.failed!(error, this.promise);
    const located = rejection(error);
    if (located === null) this.#reject(error);
    else this.#resolve(located);
  }

  /** Ends the call with the bytes of an answer. */
  answer(outcome: Outcome): void {
    if (this.settled || this.#answered) return;
    if (this.accept === null) return this.succeed(undefined);
    let value: unknown;
    try {
      value = this.accept(outcome, this.session);
    } catch (error) {
      return this.fail(error);
    }
    if (!(value instanceof Promise)) return this.succeed(value);
    // Deadline and signal apply during validation; the connection does not.
    this.#answered = true;
    value.then((checked) => this.succeed(checked), (error) => this.fail(error));
  }

  /** Whether it waits for an answer over its connection. */
  get awaitsPeer(): boolean {
    return this.session !== null && !this.#answered;
  }

  /** Ends the call from this side: the error stays as it is, and the peer is told. */
  leave(reason: unknown): void {
    if (this.settled) return;
    this.#table.giveUp(this);
    if (!this.#settle(true, reason)) return;
    this.failing?.failed?.(reason, this.promise);
    this.#reject(reason);
  }

  /** Ends the call when `signal` aborts. */
  watch(signal: AbortSignal): void {
    this.#watching = onAbort(signal, () => this.leave(signal.reason));
  }

  /** Ends the deadline of the open call. */
  endDeadline(): void {
    if (!this.settled) this.#table.unlimit(this);
  }

  /** Whether it calls a system handler. */
  get system(): boolean {
    return isSystemName(this.handler);
  }

  /** The peer's text for messages, with its name if known; undefined before one is chosen. */
  get peerText(): string | undefined {
    return this.session?.peer ? this.session.who : this.peer && this.#table.textOf(this.peer);
  }

  /** Whether the request can have reached the other side. */
  get handed(): boolean {
    return this.session?.link.established === true && this.session.link.handed(this.number);
  }

  override expire(): void {
    if (this.settled) return;
    const { peer, handler } = this;
    const ran = this.#answered ? "yes" : this.handed ? "maybe" : "no";
    this.#table.giveUp(this);
    const where = peer === undefined ? "" : ` on peer ${this.peerText}`;
    const why = `${this.#unanswered} within ${Math.round(this.timeoutMs)} ms`;
    this.fail(new ZeromeshError("TIMEOUT", `Call of "${handler}"${where} ${why}`, { peer, handler, ran }));
  }

  /** The missing event of an unanswered call, for messages. */
  get #unanswered(): string {
    // The handshake precedes other messages, and has no number.
    if (this.#answered) return "got an answer that its validator did not check";
    if (this.number !== Infinity && this.session !== null) return "got no answer";
    if (!this.waited) return "was not sent";
    return this.session === null ? "found no connection" : "found no room in the peer's queue, or no credit,";
  }

  #settle(failed: boolean, error: unknown): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#table.observer?.ended(this, this.tableSlot >= 0, failed, error);
    this.#watching?.[Symbol.dispose]();
    if (this.place !== null) this.place.leave();
    this.#table.close(this);
    this.ended();
    return true;
  }

  /** Called once, after its end. */
  protected ended(): void {}
}

/**
 * The response table: 65 535 slots, each with a generation. A reply names slot and generation; a late, repeated or
 * foreign one matches no entry.
 */
export class CallTable {
  /** Repeated sends of calls. */
  repeated = 0;
  /** Observer; null for none. */
  readonly observer: CallObserver | null;
  /** The text for a peer in messages. */
  readonly textOf: (peer: InstanceId) => string;
  readonly #calls: (PendingCall | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #deadlines: Deadlines;
  readonly #limit: number;
  readonly #word0: number;
  readonly #word1: number;
  readonly #onGiveUp: GiveUp;
  readonly #onActivity: (active: boolean) => void;
  /** Unfinished calls, in the table or waiting for a connection, as a linked list. */
  #first: PendingCall | null = null;
  #open = 0;
  readonly #fireId: ResponseId;
  #pending = 0;
  #started = 0;
  #refused = 0;

  /**
   * @param worker Halves of this instance's worker id, which every response id holds.
   * @param hooks `giveUp`: a call ended before its answer. `activity`: the first call began or the last one ended.
   * `textOf`: the text for a peer in messages. `observer`: observes calls.
   */
  constructor(
    deadlines: Deadlines,
    limit: number,
    worker: { word0: number; word1: number },
    hooks: {
      giveUp: GiveUp;
      activity: (active: boolean) => void;
      textOf: (peer: InstanceId) => string;
      observer?: CallObserver | null;
    },
  ) {
    this.#deadlines = deadlines;
    this.#limit = limit;
    this.#word0 = worker.word0;
    this.#word1 = worker.word1;
    this.#fireId = { id0: worker.word0, id1: worker.word1, id2: fireSlot, id3: 0 };
    this.#onGiveUp = hooks.giveUp;
    this.#onActivity = hooks.activity;
    this.textOf = hooks.textOf;
    this.observer = hooks.observer ?? null;
  }

  /** The id of the next message without an answer: this instance's worker id, and a number in a reserved slot. */
  get fireId(): ResponseId {
    const id = this.#fireId;
    // 32-bit halves: a division per message took 6 % of one-way traffic.
    const low = (id.id2 + 0x10000) >>> 0; // keeps the slot and increments the number above it
    id.id2 = low;
    if (low >>> 16 === 0) id.id3 = (id.id3 + 1) >>> 0;
    return id;
  }

  /** The halves of this instance's worker id. */
  get ownWorker(): { readonly id0: number; readonly id1: number } {
    return this.#fireId;
  }

  /** Unfinished calls, in the table or waiting for a connection. */
  get size(): number {
    return this.#open;
  }

  /**
   * Starts a call: its deadline and signal apply from now on.
   *
   * @param elapsedMs The part of `timeoutMs` that the enclosing call has used up.
   */
  open(
    peer: InstanceId | undefined,
    handler: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    accept: Accept | null,
    elapsedMs = 0,
  ): PendingCall {
    return this.begin(new PendingCall(this, peer, handler, timeoutMs, accept, elapsedMs), signal);
  }

  /** Starts a call object of a subclass. */
  begin<C extends PendingCall>(call: C, signal: AbortSignal | undefined): C {
    const { allottedMs } = call;
    this.#started++;
    this.observer?.opened(call);
    const first = this.#first;
    call.after = first;
    if (first !== null) first.before = call;
    this.#first = call;
    if (++this.#open === 1) this.#onActivity(true);
    if (signal !== undefined) call.watch(signal);
    if (call.settled) return call;
    if (allottedMs <= 0) call.expire();
    else this.#deadlines.add(call, allottedMs);
    return call;
  }

  /** Gives a call its response id. Returns false when all slots are taken. */
  enlist(call: PendingCall): boolean {
    let slot = this.#free.pop();
    if (slot === undefined) {
      if (this.#calls.length >= this.#limit) {
        this.#refused++;
        return false;
      }
      slot = this.#calls.length;
      this.#generations.push(0);
      this.#calls.push(null);
    }
    const generation = this.#generations[slot]!;
    call.id0 = this.#word0;
    call.id1 = this.#word1;
    call.id2 = (slot | ((generation & 0xffff) << 16)) >>> 0;
    call.id3 = (generation / 0x10000) >>> 0;
    call.tableSlot = slot;
    this.#calls[slot] = call;
    this.#pending++;
    return true;
  }

  /** The call of a reply, or null. */
  find(id: ResponseId): PendingCall | null {
    if (id.id0 !== this.#word0 || id.id1 !== this.#word1) return null;
    const call = this.#calls[id.id2 & 0xffff];
    if (call === null || call === undefined) return null;
    return call.id2 === id.id2 && call.id3 === id.id3 ? call : null;
  }

  /** Tells the peer that an answer is not awaited any more. */
  giveUp(call: PendingCall): void {
    if (call.awaitsPeer) this.#onGiveUp(call);
  }

  /** Ends the deadline of a call. */
  unlimit(call: PendingCall): void {
    this.#deadlines.remove(call);
  }

  /** Frees the slot of an ended call. */
  close(call: PendingCall): void {
    this.#deadlines.remove(call);
    const slot = call.tableSlot;
    if (slot >= 0) {
      call.tableSlot = -1;
      this.#calls[slot] = null;
      this.#pending--;
      // 2^48 generations of one slot outlast every process; wrapping keeps the number exact.
      const next = this.#generations[slot]! + 1;
      this.#generations[slot] = next === generationEnd ? 0 : next;
      this.#free.push(slot);
    }
    if (call.before !== null) call.before.after = call.after;
    else if (this.#first === call) this.#first = call.after;
    else return;
    if (call.after !== null) call.after.before = call.before;
    call.before = call.after = null;
    if (--this.#open === 0) this.#onActivity(false);
  }

  /** Ends every call for which `reason` gives an error. */
  failWhere(reason: (call: PendingCall) => unknown): void {
    const open: PendingCall[] = [];
    for (let call = this.#first; call !== null; call = call.after) open.push(call);
    for (const call of open.reverse()) {
      const error = reason(call);
      if (error !== undefined) call.fail(error);
    }
  }

  /** Counters. */
  stats(): CallStats {
    return {
      pending: this.#pending,
      started: this.#started,
      refused: this.#refused,
      repeated: this.repeated,
    };
  }
}
