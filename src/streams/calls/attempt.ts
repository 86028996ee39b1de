import type { SentCall } from "../../messenger/mod.ts";
import type { ByteReader, ByteWriter, ReaderEvents, StreamEnd, WriterEvents } from "../byte_stream.ts";

/** The call of an {@link Attempt}. */
export interface AttemptOwner {
  /** The peer has accepted the streams. */
  acceptedBy(attempt: Attempt): void;
  /** Items of the output have arrived, or its end. */
  outputReadable(attempt: Attempt): void;
  /** The input has credit again. */
  inputCredit(attempt: Attempt): void;
  /** The input has ended. */
  inputEnded(attempt: Attempt, end: StreamEnd): void;
}

/** The streams of one attempt at a call, each of which another instance may get. */
export class Attempt implements ReaderEvents, WriterEvents {
  /** The call. */
  readonly call: SentCall;
  /** The headers that name the streams. */
  readonly headers: Readonly<Record<string, string>>;
  /** The output; null without one. */
  reader: ByteReader | null = null;
  /** The input; null without one. */
  writer: ByteWriter | null = null;
  readonly #owner: AttemptOwner;

  /** Its streams are added later. */
  constructor(owner: AttemptOwner, call: SentCall, headers: Readonly<Record<string, string>>) {
    this.#owner = owner;
    this.call = call;
    this.headers = headers;
  }

  opened(): void {
    this.#owner.acceptedBy(this);
  }

  accepted(): void {
    this.#owner.acceptedBy(this);
  }

  readable(): void {
    this.#owner.outputReadable(this);
  }

  credit(): void {
    this.#owner.inputCredit(this);
  }

  ended(end: StreamEnd): void {
    this.#owner.inputEnded(this, end);
  }
}
