import type { DecodedPayload } from "../../wire/mod.ts";
import { type Contract, ZeromeshError } from "../../core/mod.ts";
import type { SentCall, SystemPort } from "../../messenger/mod.ts";
import {
  type ByteReader,
  type ByteWriter,
  type ReaderEvents,
  type StreamEnd,
  type StreamMux,
  type WriterEvents,
  writersAnchor,
} from "../byte_stream.ts";
import type { Direction } from "./stream_errors.ts";
import { callWindow, encodeStreams, streamHeader } from "./stream_header.ts";

/** The call of an {@link Attempt}. */
export interface AttemptOwner {
  /** The peer has accepted the streams. */
  acceptedBy(attempt: Attempt): void;
  /** Items of the output have arrived, or its end. */
  outputReadable(attempt: Attempt): void;
  /** See `ReaderEvents.decode`. */
  decodeOutput(bytes: Uint8Array, start: number, end: number): DecodedPayload | null;
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

  decode(bytes: Uint8Array, start: number, end: number): DecodedPayload | null {
    return this.#owner.decodeOutput(bytes, start, end);
  }

  credit(): void {
    this.#owner.inputCredit(this);
  }

  ended(end: StreamEnd): void {
    this.#owner.inputEnded(this, end);
  }
}

/** What {@link openAttempt} needs of a call. */
export interface AttemptParts {
  /** The messenger. */
  readonly port: SystemPort;
  /** Its streams. */
  readonly mux: StreamMux;
  /** The contract. */
  readonly contract: Contract;
  /** The stream of the input; null without one. */
  readonly input: Direction | null;
  /** The stream of the output; null without one. */
  readonly output: Direction | null;
}

/**
 * Opens the streams of an attempt, at the instance that its call goes to.
 *
 * @throws {ZeromeshError} `PEER_LACKS_FEATURE`, `LIMIT_REACHED`.
 */
export function openAttempt(owner: AttemptOwner, parts: AttemptParts, call: SentCall): Attempt {
  const { mux, port, contract: { name } } = parts;
  const peer = call.peer!;
  if (!mux.supports(peer)) {
    const why = `its contract has a stream, which ${port.textOf(peer)} does not support`;
    const hint = "Rust programs of plain Velo read and write the anchors of zeromesh/streams";
    throw new ZeromeshError("PEER_LACKS_FEATURE", `Cannot call "${name}": ${why}; ${hint}`, {
      peer,
      handler: name,
    });
  }
  const id = mux.newId();
  const output = parts.output === null ? null : mux.window;
  const input = parts.input === null ? null : callWindow;
  const attempt = new Attempt(owner, call, { [streamHeader]: encodeStreams({ id, output, input }) });
  const about = { session: id, creditsBytes: true };
  if (output !== null) attempt.reader = mux.bind(peer, { anchor: id, window: output, ...about }, attempt);
  try {
    if (input !== null) {
      const named = { anchor: writersAnchor | id, window: input, ...about };
      attempt.writer = mux.openWriter(peer, named, attempt);
    }
  } catch (error) {
    attempt.reader?.cancel();
    throw error;
  }
  return attempt;
}
