import { type AnySchema, type SchemaFailure, validateArrived, type ZeromeshError } from "../../core/mod.ts";
import type { ByteReader, ItemCodec, ReaderEvents, StreamEnd } from "../../streams/mod.ts";
import { invalidMessage } from "./failures.ts";
import { readGap } from "./frames.ts";

/** What the messages of one stream need. */
export interface IncomingParts {
  /** The channel's name. */
  readonly channel: string;
  readonly codec: ItemCodec;
  readonly schema: AnySchema;
  /** The presence of the sender; null for the producer. */
  readonly from: number | null;
  /** Messages have arrived. */
  arrived(incoming: Incoming): void;
  /** So many messages are missing. */
  gap(count: number): void;
  /** The stream has ended; what has arrived can still be taken. */
  ended(end: StreamEnd): void;
  /** A message is invalid: the stream has ended. Returns whether the reader of the messages gets the error. */
  broken(error: unknown): boolean;
}

/** The messages that arrive by one stream. */
export class Incoming {
  /** Whether it is in the queue of those that have messages. */
  queued = false;
  /** The number of the message that was taken last. */
  sequence = 0;
  readonly from: number | null;
  /** The callbacks of the stream. */
  readonly events: ReaderEvents = {
    readable: () => this.#look(),
    decode: (bytes, start, end) => this.#parts.codec.decodePlain(bytes, start, end),
  };
  readonly #parts: IncomingParts;
  #reader: ByteReader | null = null;
  #previous: Incoming | null = null;
  #started = false;
  #over = false;
  /** Whether the schema has answered later once. From then on each message is refused by its own number. */
  #later = false;
  readonly #refuse: SchemaFailure = (...about) => this.#invalid(this.sequence, ...about);

  constructor(parts: IncomingParts) {
    this.#parts = parts;
    this.from = parts.from;
  }

  /** Whether the number of its last message is known. */
  get drained(): boolean {
    return this.size === 0 && this.#previous === null;
  }

  /** The stream before it, whose messages may not all be taken. */
  get previous(): Incoming | null {
    return this.#previous;
  }

  /** Messages that were not taken, and gaps. */
  get size(): number {
    return this.#reader?.size ?? 0;
  }

  /** The stream that brings the messages. */
  attach(reader: ByteReader): void {
    this.#reader = reader;
  }

  /**
   * Begins to tell what has arrived.
   *
   * @param sequence The number of the next message; null if it follows the last one of the previous stream.
   * @param previous The stream of the messages before it.
   */
  start(sequence: number | null, previous: Incoming | null): void {
    this.sequence = sequence === null ? -1 : sequence - 1;
    this.#previous = passed(previous);
    if (this.#previous?.drained === true) this.#follow(this.#previous);
    this.#started = true;
    this.#look();
  }

  /** Goes to the next message, if there is one. */
  advance(): boolean {
    const reader = this.#reader;
    while (reader?.advance() === true) {
      if (this.#previous !== null) this.#follow(this.#previous);
      const gap = reader.decoded === null ? readGap(reader) : 0;
      if (gap === 0) {
        this.sequence++;
        return true;
      }
      this.sequence += gap;
      this.#parts.gap(gap);
    }
    return false;
  }

  /** The message. @throws {ZeromeshError} `RESULT_INVALID`. */
  message(): unknown {
    const reader = this.#reader!;
    const { codec, schema } = this.#parts;
    const decoded = reader.decoded ?? codec.decode(reader);
    if (decoded.error !== undefined) throw this.#refuse([{ message: decoded.error }]);
    const { sequence } = this;
    const refuse: SchemaFailure = this.#later
      ? (...about) => this.#invalid(sequence, ...about)
      : this.#refuse;
    const value = validateArrived(schema, decoded.value, false, refuse);
    if (value instanceof Promise) this.#later = true;
    return value;
  }

  /** A message is invalid. Returns whether the reader of the messages gets the error. */
  broken(error: unknown): boolean {
    this.cancel();
    return this.#parts.broken(error);
  }

  /** Asks the sender to send no more; what is on its way still arrives. */
  stop(): void {
    this.#reader?.stop();
  }

  /** Nothing more is read; what has arrived and was not taken is dropped. */
  cancel(): void {
    this.#over = true;
    this.#reader?.cancel();
  }

  /** Tells what has got lost between two streams: all of the previous one was taken by now. */
  #follow(previous: Incoming): void {
    this.#previous = null;
    if (this.sequence < 0) this.sequence = previous.sequence;
    const missing = this.sequence - previous.sequence;
    if (missing > 0) this.#parts.gap(missing);
  }

  #invalid(number: number, ...about: Parameters<SchemaFailure>): ZeromeshError {
    return invalidMessage("RESULT_INVALID", this.#parts.channel, number, ...about);
  }

  #look(): void {
    const reader = this.#reader;
    if (reader === null || !this.#started) return;
    if (reader.size > 0) this.#parts.arrived(this);
    if (reader.ended === null || this.#over) return;
    this.#over = true;
    this.#parts.ended(reader.ended);
  }
}

/** The last stream that has brought something. */
function passed(last: Incoming | null): Incoming | null {
  let one = last;
  while (one !== null && one.size === 0 && one.previous !== null) one = one.previous;
  return one;
}
