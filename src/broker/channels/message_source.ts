import { Deque } from "../../core/mod.ts";
import { atOnce, type TurnShare } from "../../streams/mod.ts";

/** A message with what is known of it. */
export interface Envelope<Message> {
  /** The message. */
  readonly message: Message;
  /** The presence of the consumer that has sent it; null if the producer has. */
  readonly from: number | null;
  /** Its number among the messages of its sender, from 1; with the pattern pubsub, among all of the channel. */
  readonly sequence: number;
}

/** The messages of one sender, which have arrived. */
export interface ArrivedMessages {
  /** Whether it is in the queue of those that have messages. */
  queued: boolean;
  /** The presence of the sender; null for the producer. */
  readonly from: number | null;
  /** The number of the message that {@link advance} went to. */
  readonly sequence: number;
  /** Messages that were not taken. */
  readonly size: number;
  /** Goes to the next message, if there is one. */
  advance(): boolean;
  /** The message, checked. @throws {ZeromeshError} `RESULT_INVALID`. */
  message(): unknown;
  /** A message is invalid. Returns whether the reader of the messages gets the error. */
  broken(error: unknown): boolean;
  /** Nothing more is read. */
  cancel(): void;
}

type Step = IteratorResult<unknown, undefined>;

const over: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });
/** Messages of one sender after which another one has its turn. */
const mostOfOne = 32;

/** What is read of a channel: the messages of one stream or of several, which are decoded when they are asked for. */
export class MessageSource implements AsyncIterator<unknown, undefined> {
  /** Messages that were taken. */
  received = 0;
  readonly #turns: TurnShare;
  readonly #left: () => void;
  readonly #ready = new Deque<ArrivedMessages>();
  readonly #waiting = new Deque<PromiseWithResolvers<Step>>();
  #inTurn = mostOfOne;
  #envelopes = false;
  #iterated = false;
  #dropped = false;
  #end: { readonly failed: boolean; readonly error: unknown } | null = null;

  /**
   * @param turns The share of a turn that reading may take where nothing waits.
   * @param left The iteration was left early.
   */
  constructor(turns: TurnShare, left: () => void) {
    this.#turns = turns;
    this.#left = left;
  }

  /** Messages that have arrived, and were not taken. */
  get size(): number {
    let size = 0;
    this.#ready.forEach((one) => size += one.size);
    return size;
  }

  /** Whether somebody iterates. */
  get reading(): boolean {
    return this.#iterated && !this.#dropped;
  }

  /** Begins the one iteration. @throws {TypeError} For a second one. */
  iterate(envelopes: boolean): this {
    if (this.#iterated) {
      throw new TypeError("Cannot iterate twice over a channel: its messages come only once");
    }
    this.#iterated = true;
    this.#envelopes = envelopes;
    return this;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Messages of a stream can be taken. */
  arrived(incoming: ArrivedMessages): void {
    if (!incoming.queued) {
      // What comes after the end must not keep room of the connection.
      if (this.#end !== null) return incoming.cancel();
      incoming.queued = true;
      this.#ready.push(incoming);
    }
    this.hand();
  }

  /** Ends it after the messages that have arrived; only the first end counts. */
  finish(): void {
    this.#end ??= { failed: false, error: undefined };
    this.hand();
  }

  /** Ends it with an error after the messages that have arrived. */
  fail(error: unknown): void {
    this.#end ??= { failed: true, error };
    this.hand();
  }

  /** Drops what has arrived, and ends it. */
  drop(): void {
    this.#end = { failed: false, error: undefined };
    this.#dropped = true;
    for (let one = this.#ready.shift(); one !== undefined; one = this.#ready.shift()) one.cancel();
    this.hand();
  }

  next(): Promise<Step> {
    const turn = this.#turns.spend();
    return turn === atOnce ? this.#now() : turn.then(() => this.#now());
  }

  #now(): Promise<Step> {
    if (this.#waiting.size === 0) {
      const step = this.#take();
      if (step !== null) return step instanceof Promise ? step : Promise.resolve(step);
    }
    const one = Promise.withResolvers<Step>();
    this.#waiting.push(one);
    return one.promise;
  }

  return(): Promise<Step> {
    const early = this.#end === null || this.#ready.size > 0;
    this.drop();
    if (early) this.#left();
    return Promise.resolve(over);
  }

  /** Gives what is there to those who wait. */
  hand(): void {
    while (this.#waiting.size > 0) {
      const step = this.#take();
      if (step === null) return;
      const one = this.#waiting.shift()!;
      if (step instanceof Promise) step.then(one.resolve, one.reject);
      else one.resolve(step);
    }
  }

  /** The next message, the end, or null for none of them yet. */
  #take(): Step | Promise<Step> | null {
    for (let first = this.#ready.peek(); first !== undefined; first = this.#ready.peek()) {
      if (!first.advance()) {
        this.#next(first, false);
        continue;
      }
      this.received++;
      const { sequence } = first;
      if (--this.#inTurn <= 0 && this.#ready.size > 1) this.#next(first, true);
      try {
        const message = first.message();
        if (!(message instanceof Promise)) return this.#step(first, message, sequence);
        return message.then((checked) => this.#step(first, checked, sequence), (error) => {
          if (first.broken(error)) throw error;
          return this.#now();
        });
      } catch (error) {
        if (first.broken(error)) return Promise.reject(error);
      }
    }
    const end = this.#end;
    if (end === null) return null;
    if (!end.failed) return over;
    this.#end = { failed: false, error: undefined };
    return Promise.reject(end.error);
  }

  #step({ from }: ArrivedMessages, message: unknown, sequence: number): Step {
    return { done: false, value: this.#envelopes ? { message, from, sequence } : message };
  }

  /** The next stream has its turn. */
  #next(one: ArrivedMessages, again: boolean): void {
    this.#ready.shift();
    this.#inTurn = mostOfOne;
    if (again) this.#ready.push(one);
    else one.queued = false;
  }
}
