import {
  Deadline,
  type Deadlines,
  type Filled,
  LinkedQueue,
  onAbort,
  QueueNode,
  type ZeromeshError,
} from "../../core/mod.ts";
import type { MailboxOptions, mailboxOptionTable } from "../options/spawn_options.ts";
import type { Turn } from "./parts.ts";

/** The limits of a mailbox with their defaults. */
export type MailboxLimits = Filled<MailboxOptions, typeof mailboxOptionTable>;

/** How long a sender waits for room. */
export interface RoomWait {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A turn that waits for room, with its sender's promise. */
class WaitingTurn extends Deadline {
  readonly turn: Turn;
  readonly node: QueueNode<WaitingTurn> = new QueueNode<WaitingTurn>(this);
  readonly #settle = Promise.withResolvers<void>();
  readonly #mailbox: Mailbox;
  readonly #late: () => ZeromeshError;
  readonly #deadlines: Deadlines;
  listening: Disposable | null = null;

  constructor(mailbox: Mailbox, turn: Turn, deadlines: Deadlines, late: () => ZeromeshError) {
    super();
    this.#mailbox = mailbox;
    this.turn = turn;
    this.#deadlines = deadlines;
    this.#late = late;
  }

  /** Resolves when there is room. */
  get admitted(): Promise<void> {
    return this.#settle.promise;
  }

  /** There is room. */
  admit(): void {
    this.#settle.resolve();
  }

  /** There will be none. */
  refuse(error: unknown): void {
    this.#settle.reject(error);
  }

  /** The wait is over. */
  end(): void {
    this.#deadlines.remove(this);
    this.listening?.[Symbol.dispose]();
  }

  expire(): void {
    if (this.#mailbox.leave(this)) this.refuse(this.#late());
  }
}

/** The turns of one actor, first to last, and the senders that wait for room. It takes no memory ahead. */
export class Mailbox {
  readonly limits: MailboxLimits;
  #first: Turn | null = null;
  #last: Turn | null = null;
  #size = 0;
  #counted = 0;
  #waiting: LinkedQueue<WaitingTurn> | null = null;

  constructor(limits: MailboxLimits) {
    this.limits = limits;
  }

  /** Turns that wait to run. */
  get size(): number {
    return this.#size;
  }

  /** Senders that wait for room. */
  get waiting(): number {
    return this.#waiting === null ? 0 : this.#waiting.size;
  }

  /** Whether a message would get a place at once. */
  get hasRoom(): boolean {
    return this.#counted < this.limits.capacity;
  }

  /** Adds a turn at the end, whatever the capacity is. */
  push(turn: Turn): void {
    turn.queued = true;
    turn.previous = this.#last;
    if (this.#last === null) this.#first = turn;
    else this.#last.next = turn;
    this.#last = turn;
    this.#size++;
    if (turn.counted) this.#counted++;
  }

  /** Takes the first turn out, or returns null. A waiting sender gets the place. */
  shift(): Turn | null {
    const turn = this.#first;
    if (turn !== null) this.remove(turn);
    return turn;
  }

  /** Takes a turn out. Returns false when it is not in. */
  remove(turn: Turn): boolean {
    if (!turn.queued) return false;
    this.#unlink(turn);
    if (this.#waiting !== null) this.#admit();
    return true;
  }

  /** Takes the oldest message out that takes a place. */
  oldest(): Turn | null {
    let turn = this.#first;
    while (turn !== null && !turn.counted) turn = turn.next;
    if (turn !== null) this.#unlink(turn);
    return turn;
  }

  /** Waits for room. The turn is in when the promise resolves. */
  wait(
    turn: Turn,
    deadlines: Deadlines,
    { timeoutMs, signal }: RoomWait,
    late: () => ZeromeshError,
  ): Promise<void> {
    const one = new WaitingTurn(this, turn, deadlines, late);
    one.listening = onAbort(signal, () => {
      if (this.leave(one)) one.refuse(signal?.reason);
    });
    (this.#waiting ??= new LinkedQueue()).push(one.node);
    deadlines.add(one, timeoutMs);
    return one.admitted;
  }

  /** Ends a wait without a place. Returns false when it has ended. */
  leave(one: WaitingTurn): boolean {
    return this.#waiting?.remove(one.node) === true && (one.end(), true);
  }

  /** The first turn that fits, with those that wait for room; null without one. */
  find(fits: (turn: Turn) => boolean): Turn | null {
    for (let turn = this.#first; turn !== null; turn = turn.next) if (fits(turn)) return turn;
    return this.#waitingTurn(fits)?.turn ?? null;
  }

  /** Takes a turn out that {@link find} has found. Returns false when it waits for room: its sender has the error then. */
  withdraw(turn: Turn, error: ZeromeshError): boolean {
    if (this.remove(turn)) return true;
    const one = this.#waitingTurn((waiting) => waiting === turn);
    if (one !== null && this.leave(one)) one.refuse(error);
    return false;
  }

  /** Takes all waiting senders out, whose promises are rejected. */
  refuseWaiting(error: (turn: Turn) => ZeromeshError): void {
    for (let one = this.#waiting?.shift() ?? null; one !== null; one = this.#waiting?.shift() ?? null) {
      one.end();
      one.refuse(error(one.turn));
    }
  }

  #waitingTurn(fits: (turn: Turn) => boolean): WaitingTurn | null {
    let one = this.#waiting?.peek() ?? null;
    while (one !== null && !fits(one.turn)) one = one.node.next?.value ?? null;
    return one;
  }

  #unlink(turn: Turn): void {
    turn.queued = false;
    if (turn.previous === null) this.#first = turn.next;
    else turn.previous.next = turn.next;
    if (turn.next === null) this.#last = turn.previous;
    else turn.next.previous = turn.previous;
    turn.previous = turn.next = null;
    this.#size--;
    if (turn.counted) this.#counted--;
  }

  #admit(): void {
    const waiting = this.#waiting!;
    while (this.#counted < this.limits.capacity) {
      const one = waiting.shift();
      if (one === null) return;
      one.end();
      this.push(one.turn);
      one.admit();
    }
  }
}
