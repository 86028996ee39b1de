import {
  type CancelTimer,
  type Ending,
  EndOf,
  type ErrorCode,
  onAbort,
  type Ran,
  type StreamCallOptions,
  type StreamSendOptions,
  type UnaryContract,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "../../core/mod.ts";
import {
  type CallCompanion,
  type Caller,
  companionOf,
  type SentCall,
  type TypedCallOptions,
} from "../../messenger/mod.ts";
import type { DecodedPayload } from "../../wire/mod.ts";
import type { StreamEnd } from "../byte_stream.ts";
import { type Attempt, type AttemptOwner, type AttemptParts, openAttempt } from "./attempt.ts";
import { CallResult } from "./call_result.ts";
import { ItemSink, refused } from "./item_sink.ts";
import { ItemSource } from "./item_source.ts";
import { type PausedCall, PauseWatch } from "./pause_watch.ts";
import { iteratorOf, Pump, type PumpOwner } from "./pump.ts";
import type { ItemOwner, Side } from "./stream_errors.ts";
import { answerMs, lossMs } from "./stream_header.ts";

/** What all calls of a contract share. */
export interface ClientCallParts extends AttemptParts {
  /** Makes the call that carries the streams. */
  readonly caller: Caller;
  /** The contract of that call. */
  readonly plain: UnaryContract;
}

/** The options of one call, which it keeps. */
export type ClientCallOptionsOf = TypedCallOptions<UnaryContract> & StreamCallOptions;

/** A call with streams, at its caller's side; its caller has a `CallHandle`. */
export class ClientCall
  implements CallCompanion, AttemptOwner, ItemOwner, PumpOwner, PausedCall, AsyncIterable<unknown> {
  readonly #parts: ClientCallParts;
  readonly #sink: ItemSink | null;
  readonly #output: ItemSource | null;
  readonly #pump: Pump | null;
  readonly #pauses: PauseWatch | null;
  // Objects for what few calls need are made on demand: many calls may be open.
  readonly #end = new EndOf();
  readonly #result = new CallResult();
  #controller: AbortController | null = null;
  #listening: Disposable | null = null;
  #call: SentCall | null = null;
  #attempt: Attempt | null = null;
  #cancelRefusal: CancelTimer | null = null;
  /** Notes the time of an item, for `idleTimeoutMs`; null without it. */
  readonly moved: (() => void) | null;
  /** Whether the call has its answer. */
  #answered = false;
  #accepted = false;

  /**
   * The call starts at once.
   *
   * @param options Its options, with the input if that is no stream.
   * @param source The items of the input; null if they are sent one by one.
   * @throws {TypeError} If the source is none.
   */
  constructor(parts: ClientCallParts, options: ClientCallOptionsOf, source: unknown) {
    this.#parts = parts;
    const { contract: { name }, input, output, port: { clock } } = parts;
    const { idleTimeoutMs = Infinity } = options;
    this.#pauses = idleTimeoutMs === Infinity ? null : new PauseWatch(this, clock, idleTimeoutMs);
    this.moved = this.#pauses?.moved ?? null;
    this.#sink = input === null ? null : new ItemSink(input, this, true);
    this.#output = output === null ? null : new ItemSource(output, this);
    this.#pump = source === null || this.#sink === null
      ? null
      : new Pump(iteratorOf(source, `Cannot call "${name}"`), this.#sink, this);
    this.#start(options);
  }

  /** Starts the call, and the sending of a source's items. */
  #start(options: ClientCallOptionsOf): void {
    const { caller, plain } = this.#parts;
    const { signal } = options;
    if (signal !== undefined) this.#listening = onAbort(signal, () => this.#leave(signal.reason));
    const call: ClientCallOptionsOf & { [companionOf]?: CallCompanion } = carried(options);
    call[companionOf] = this;
    // While an instance is chosen there is no call yet that could be ended.
    if (typeof options.to !== "string") {
      this.#controller = new AbortController();
      call.signal = this.#controller.signal;
    }
    caller.typedUnary(plain, call as TypedCallOptions<UnaryContract>).then(
      (value) => this.#settle(false, value),
      (error) => this.#settle(true, error),
    );
    this.#pump?.run();
  }

  /** See {@link PumpOwner}. */
  itemRefused(error: unknown): void {
    // At once: the source may never come back from its end.
    this.#leave(error);
  }

  /** See {@link PumpOwner}. */
  pumpFailed(error: unknown): void {
    this.#leave(error);
  }

  /** See {@link PumpOwner}. */
  pumped(): void {
    void this.#sink?.end();
  }

  /** The handler's result, of a call without an output stream. */
  get result(): Promise<unknown> {
    return this.#result.promise;
  }

  /** See {@link CallCompanion}. */
  get items(): { readonly sent: number; readonly received: number } {
    const output = this.#output;
    // The call may have ended before its caller has read all items.
    return { sent: this.#sink?.sent ?? 0, received: output === null ? 0 : output.received + output.size };
  }

  opened(call: SentCall): void {
    this.#call = call;
    if (this.#result.outcome?.failed === true) call.leave(this.#result.outcome.value);
  }

  sending(call: SentCall): Readonly<Record<string, string>> {
    const last = this.#attempt;
    if (last?.call === call) return last.headers;
    if (last !== null) this.#abandon(last);
    const attempt = this.#attempt = openAttempt(this, this.#parts, call);
    if (attempt.reader !== null) this.#output!.attach(attempt.reader);
    if (attempt.writer !== null) this.#sink!.attach(attempt.writer);
    return attempt.headers;
  }

  #abandon({ reader, writer }: Attempt): void {
    this.#attempt = null;
    reader?.cancel();
    writer?.abandon();
  }

  acceptedBy(attempt: Attempt): void {
    if (this.#accepted || this.#result.outcome !== null || this.#attempt !== attempt) return;
    this.#accepted = true;
    attempt.call.endDeadline();
    this.#sink?.accepted();
    this.#pauses?.start();
  }

  decodeOutput(bytes: Uint8Array, start: number, end: number): DecodedPayload | null {
    return this.#output!.decode(bytes, start, end);
  }

  inputCredit(): void {
    this.#sink?.drain();
  }

  /** See {@link PausedCall}. */
  get pausing(): boolean | null {
    // A caller that only waits for the result makes no pause.
    if (this.#result.outcome !== null || (this.#output === null && this.#sink!.closed)) return null;
    // Nor does one that has items to read. The next one that it takes is noted.
    return (this.#output?.size ?? 0) === 0;
  }

  /** See {@link PausedCall}. */
  paused(ms: number): void {
    const why = `Call of "${this.#parts.contract.name}" had no item for ${ms} ms (idleTimeoutMs)`;
    this.#leave(this.#error("TIMEOUT", why, { ran: this.#ran }));
  }

  outputReadable(attempt: Attempt): void {
    if (this.#attempt !== attempt) return;
    this.#output!.hand();
    const end = attempt.reader?.ended;
    if (end?.reason === "peerLost") this.#lost(attempt, end.text);
    this.#check();
  }

  inputEnded(attempt: Attempt, { reason, text }: StreamEnd): void {
    if (this.#attempt !== attempt) return;
    if (reason === "peerLost") return this.#lost(attempt, text);
    this.#pump?.stop();
    const sink = this.#sink!;
    if (reason !== "cancelled") {
      if (this.#accepted) return sink.fail(() => this.#cancelled(`its input ended: ${text || reason}`));
      const why =
        "failed while it waited for its handler: the peer keeps no more input (its streams.maxUnclaimed)";
      const message = `Call of "${this.#parts.contract.name}" ${why}`;
      return this.#leave(this.#error("LIMIT_REACHED", message, { ran: this.#ran }));
    }
    // If the handler has failed, its answer follows at once, and says more to those who send.
    const why = () => this.#cancelled("the handler takes no more items");
    this.#cancelRefusal = this.#parts.port.clock.after(answerMs, () => sink.fail(why));
  }

  /** The streams' connection is lost, and almost always it is the call's too, which then fails. */
  #lost(attempt: Attempt, text: string): void {
    const lost = this.#error("PEER_DISCONNECTED", `Call of "${this.#parts.contract.name}" failed: ${text}`, {
      ran: this.#ran,
    });
    this.#parts.port.clock.after(lossMs, () => void (this.#attempt === attempt && this.#leave(lost)));
  }

  /** The call has its answer. */
  #settle(failed: boolean, value: unknown): void {
    if (this.#result.outcome !== null) return;
    // Of a lost connection, or a shutdown, the call itself knows only that its request was sent.
    if (failed && this.#accepted && value instanceof ZeromeshError && value.ran === "maybe") {
      Object.assign(value, { ran: this.#ran });
    }
    this.#answered = true;
    this.#result.end({ failed, value });
    this.#close();
    this.#check();
  }

  /** Ends the output, once both its end and the call's answer are there. */
  #check(): void {
    if (!this.#answered) return;
    const { failed, value } = this.#result.outcome!;
    const output = this.#output;
    const reader = this.#attempt?.reader ?? null;
    // An error may come without a stream; what the handler has sent before its answer comes first.
    if (reader !== null && reader.ended === null) {
      if (reader.opened || !failed) return;
      // Its writer will not open it any more.
      reader.cancel();
    }
    let error = failed ? { value } : null;
    if (error === null && reader !== null && reader.ended?.reason !== "finalized") {
      const why = `the output ended early: ${reader.ended?.text || reader.ended?.reason}`;
      const message = `Call of "${this.#parts.contract.name}" failed: ${why}`;
      error = { value: this.#error("PEER_DISCONNECTED", message, { ran: this.#ran }) };
    }
    if (error === null) output?.finish();
    else output?.fail(error.value);
    this.#end.tell(error === null ? "closed" : ending(error.value));
  }

  /** Ends the call from this side. */
  #leave(reason: unknown, how: Ending = ending(reason)): void {
    if (this.#result.outcome !== null) return;
    this.#result.end({ failed: true, value: reason });
    this.#output?.cancel();
    this.#output?.fail(reason);
    this.#close();
    this.#end.tell(how);
    // Items that were sent before it leave before the cancellation.
    const peer = this.#attempt?.call.peer;
    if (peer !== undefined) this.#parts.mux.flush(peer);
    this.#controller?.abort(reason);
    this.#call?.leave(reason);
  }

  /** Ends everything but the output. */
  #close(): void {
    this.#pauses?.stop();
    this.#cancelRefusal?.();
    this.#listening?.[Symbol.dispose]();
    this.#pump?.stop();
    const { failed, value } = this.#result.outcome!;
    this.#sink?.fail(() => failed ? value : this.#cancelled("its handler has finished"));
    if (failed) this.#attempt?.writer?.abandon();
  }

  /** See {@link ItemOwner}. */
  broken(error: unknown): void {
    this.#leave(error);
  }

  /** See {@link ItemOwner}. */
  left(): void {
    this.#leave(this.#cancelled("its caller has left the loop"), "closed");
  }

  /** See {@link ItemOwner}. */
  failure(from: Side, code: ErrorCode, message: string, about?: ZeromeshErrorOptions): ZeromeshError {
    return this.#error(code, message, from === "handler" ? { ran: "yes", ...about } : about);
  }

  send(item: unknown, options?: StreamSendOptions): Promise<void> {
    const sink = this.#sink;
    if (sink === null || this.#pump !== null) return refused(this.#noInput("send"));
    return sink.send(item, options);
  }

  end(): Promise<void> {
    const sink = this.#sink;
    if (sink === null || this.#pump !== null) return refused(this.#noInput("end"));
    return sink.end();
  }

  #noInput(method: string): TypeError {
    const why = this.#sink === null ? "its input is no stream" : "its items come from the given source";
    return new TypeError(`Cannot ${method}() in a call of "${this.#parts.contract.name}": ${why}`);
  }

  /** The items of the output, once. @throws {TypeError} The second time. */
  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    const output = this.#output;
    if (output !== null) return output[Symbol.asyncIterator]();
    throw new TypeError(
      `Cannot iterate over a call of "${this.#parts.contract.name}": its output is no stream`,
    );
  }

  /** See `StreamCall`. */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** See `StreamCall`. */
  async close(): Promise<void> {
    this.#leave(this.#cancelled("its caller has closed it"), "closed");
    // An output that ended with items unread gives its memory back.
    this.#output?.cancel();
    await Promise.resolve();
  }

  /** Whether it has an output stream. */
  get readable(): boolean {
    return this.#output !== null;
  }

  /** Whether its caller has to read it, or to send its input. */
  get needsCaller(): boolean {
    return this.readable || this.#pump === null;
  }

  /** Its caller has dropped it without reading or closing it. */
  forgotten(): void {
    const unread = this.#output?.size ?? 0;
    if (this.#result.outcome !== null && unread === 0) return;
    this.#parts.mux.forgotten();
    this.#leave(this.#cancelled("its caller has dropped it without reading or closing it"));
    this.#output?.cancel();
  }

  #error(code: ErrorCode, message: string, about?: ZeromeshErrorOptions): ZeromeshError {
    const { contract: { name: handler } } = this.#parts;
    return new ZeromeshError(code, message, { handler, peer: this.#attempt?.call.peer, ...about });
  }

  #cancelled(why: string): ZeromeshError {
    const { name } = this.#parts.contract;
    return this.#error("CANCELLED", `Call of "${name}" has ended: ${why}`, { ran: this.#ran });
  }

  /** Whether the handler can have run: it has, once it has accepted the call. */
  get #ran(): Ran {
    if (this.#accepted || this.#answered) return "yes";
    return this.#attempt === null ? "no" : "maybe";
  }
}

/** The options of the call that carries the streams, in an object of its own. */
function carried(options: ClientCallOptionsOf): ClientCallOptionsOf {
  // Each call has its options in a new object, and a copy costs as much as the call's own object.
  if (!("signal" in options || "idleTimeoutMs" in options || "retry" in options)) return options;
  const { signal: _signal, idleTimeoutMs: _idle, retry: _retry, ...own } = options;
  return own;
}

function ending(reason: unknown): Ending {
  return reason instanceof Error ? reason : new Error(String(reason), { cause: reason });
}
