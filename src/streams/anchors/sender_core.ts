import {
  Deadline,
  type Deadlines,
  type Ending,
  EndOf,
  Line,
  type LinePlace,
  onAbort,
  ZeromeshError,
} from "../../core/mod.ts";
import type { StreamEnd, StreamWindow, WriterEvents } from "../byte_stream.ts";
import type { TurnShare } from "../turn_share.ts";
import { terminalFrames } from "../wire/frame.ts";
import type { FrameSink } from "./local_pair.ts";
import type { SendItemOptions } from "./options.ts";

/** What a sender is made of. */
export interface SenderParts {
  /** The anchor and its reader, for errors. */
  readonly what: string;
  /** The reader's instance; null for this one. */
  readonly peer: string | null;
  /** What may wait for credit. */
  readonly window: StreamWindow;
  /** The wheel of its deadlines. */
  readonly deadlines: Deadlines;
  /** The turns of its items. */
  readonly turns: TurnShare;
  /** Keeps the process alive until disposed. */
  hold(): Disposable;
  /** Called once, at the end. */
  removed(): void;
}

/** A frame that waits for credit. */
class WaitingFrame extends Deadline {
  readonly told: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly frame: Uint8Array;
  place: LinePlace | null = null;
  listening: Disposable | null = null;
  readonly #late: () => unknown;

  constructor(frame: Uint8Array, late: () => unknown) {
    super();
    this.frame = frame;
    this.#late = late;
    // A send that nobody awaits fails without more ado.
    this.told.promise.catch(() => {});
  }

  expire(): void {
    this.give(this.#late());
  }

  /** Gives the wait up. */
  give(error: unknown): void {
    this.place?.leave();
    this.told.reject(error);
  }
}

/** The sending end of a stream: what waits for credit, and how it ends. */
export class SenderCore implements Required<Pick<WriterEvents, "credit" | "stop" | "ended">> {
  readonly #parts: SenderParts;
  readonly #line = new Line();
  readonly #end = new EndOf();
  readonly #cancelled = new AbortController();
  readonly #stopping = new AbortController();
  readonly #waiting = new Set<WaitingFrame>();
  #sink: FrameSink | null = null;
  #waitingBytes = 0;
  #held: Disposable | null = null;
  #ending: PromiseWithResolvers<void> | null = null;
  #ended: { readonly error: ZeromeshError } | null = null;

  /** Makes a sender without a stream; see {@link open}. */
  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Aborts when nobody wants items any more. */
  get cancelled(): AbortSignal {
    return this.#cancelled.signal;
  }

  /** Aborts when the reader asks the sender to finish. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Resolves to why it ended. */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** Gives it the stream that it writes. */
  open(sink: FrameSink): void {
    this.#sink = sink;
  }

  /** Sends a frame, which is not changed any more, or lets it wait for credit. */
  send(frame: Uint8Array, { timeoutMs = Infinity, signal }: SendItemOptions): Promise<void> {
    const sink = this.#sink!;
    this.#requireOpen();
    if (frame.length > sink.maxFrameBytes) throw this.#tooLarge(frame.length, sink.maxFrameBytes);
    if (signal?.aborted === true) throw signal.reason;
    if (timeoutMs <= 0) throw this.#late(timeoutMs);
    if (this.#line.isFree && sink.write(frame)) return this.#parts.turns.spend();
    this.#requireOpen();
    const { items, bytes } = this.#parts.window;
    if (
      this.#waiting.size >= items || (this.#waitingBytes > 0 && this.#waitingBytes + frame.length > bytes)
    ) {
      throw new ZeromeshError(
        "QUEUE_FULL",
        `Cannot send to ${this.#parts.what}: ${this.#waiting.size} items wait for its reader; await each send`,
        this.#about(),
      );
    }
    return this.#wait(sink, frame, timeoutMs, signal);
  }

  #wait(
    sink: FrameSink,
    frame: Uint8Array,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const waiting = new WaitingFrame(frame, () => this.#late(timeoutMs));
    this.#held ??= this.#parts.hold();
    this.#waiting.add(waiting);
    this.#waitingBytes += frame.length;
    waiting.place = this.#line.join(
      () => {
        if (!sink.write(frame)) return false;
        this.#parts.turns.settle(waiting.told.resolve);
        return true;
      },
      () => {
        this.#waiting.delete(waiting);
        if (this.#waiting.size === 0) this.#release();
        this.#waitingBytes -= frame.length;
        waiting.listening?.[Symbol.dispose]();
        this.#parts.deadlines.remove(waiting);
      },
    );
    waiting.listening = onAbort(signal, () => waiting.give(signal?.reason));
    this.#parts.deadlines.add(waiting, timeoutMs);
    return waiting.told.promise;
  }

  /** Ends the stream behind what waits. */
  finish(terminal: Uint8Array, ending: Ending): Promise<void> {
    this.#requireOpen();
    const told = this.#ending = Promise.withResolvers<void>();
    told.promise.catch(() => {});
    this.#line.join(() => {
      this.#finish(terminal, ending);
      return true;
    });
    this.credit();
    return told.promise;
  }

  /** Ends the stream at once; what waits fails. */
  drop(ending: Ending): void {
    if (this.#ended !== null) return;
    const error = ending instanceof ZeromeshError
      ? ending
      : new ZeromeshError("CLOSED", `This sender of ${this.#parts.what} was closed`, this.#about());
    const waiting = [...this.#waiting];
    this.#ending?.reject(error);
    this.#finish(terminalFrames.dropped, ending);
    for (const one of waiting) one.give(error);
  }

  /** Ends the stream because of an error of this instance. */
  giveUp(error: ZeromeshError): void {
    this.drop(error);
    this.#cancelled.abort(error);
  }

  #finish(terminal: Uint8Array, ending: Ending): void {
    const why = typeof ending === "string" ? ending : ending.message;
    this.#ended = {
      error: new ZeromeshError(
        "CLOSED",
        `This sender of ${this.#parts.what} has ended: ${why}`,
        this.#about(),
      ),
    };
    this.#sink!.end(terminal);
    this.#ending?.resolve();
    this.#parts.removed();
    this.#end.tell(ending);
  }

  #release(): void {
    this.#held?.[Symbol.dispose]();
    this.#held = null;
  }

  /** There is credit again. */
  credit(): void {
    this.#line.serve(Infinity);
  }

  /** The reader asks it to finish. */
  stop(): void {
    if (this.#ended === null) this.#stopping.abort();
  }

  /** The stream ended from the other side. */
  ended(end: StreamEnd): void {
    if (this.#ended !== null) return;
    const error = this.#errorOf(end);
    this.#ended = { error };
    for (const waiting of [...this.#waiting]) waiting.give(error);
    this.#ending?.reject(error);
    this.#parts.removed();
    this.#end.tell(error);
    this.#cancelled.abort(error);
  }

  /** The reader says by a message that it wants no more. */
  cancelledByReader(): void {
    this.ended({ reason: "cancelled", text: "" });
    // The stream itself may not know yet.
    this.#sink?.end(terminalFrames.dropped);
  }

  #requireOpen(): void {
    if (this.#ended !== null) throw this.#ended.error;
    if (this.#ending === null) return;
    throw new ZeromeshError("CLOSED", `This sender of ${this.#parts.what} is ending already`, this.#about());
  }

  #errorOf({ reason, text }: StreamEnd): ZeromeshError {
    const { what } = this.#parts;
    switch (reason) {
      case "cancelled":
        return new ZeromeshError("CANCELLED", `The reader of ${what} wants no more items`, this.#about());
      case "peerLost":
        return new ZeromeshError(
          "PEER_DISCONNECTED",
          `The connection to the reader of ${what} is lost`,
          this.#about(),
        );
      default:
        return new ZeromeshError(
          "STREAM_FAILED",
          `The stream to ${what} broke: ${text === "" ? reason : text}`,
          this.#about(),
        );
    }
  }

  #late(timeoutMs: number): ZeromeshError {
    return new ZeromeshError(
      "TIMEOUT",
      `The reader of ${this.#parts.what} had no room for an item within ${timeoutMs} ms`,
      this.#about(),
    );
  }

  #tooLarge(bytes: number, most: number): ZeromeshError {
    return new ZeromeshError(
      "PAYLOAD_TOO_LARGE",
      `Cannot send to ${this.#parts.what}: the item has ${bytes} bytes, more than the ${most} of a message`,
      this.#about(),
    );
  }

  #about(): { readonly peer?: string } {
    return this.#parts.peer === null ? {} : { peer: this.#parts.peer };
  }
}
