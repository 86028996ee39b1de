import {
  type CancelTimer,
  type Contract,
  type Ending,
  EndOf,
  type InstanceId,
  isStream,
  onAbort,
  type Ran,
  type StreamSendOptions,
  type UnaryContract,
  ZeromeshError,
} from "../../core/mod.ts";
import {
  type CallCompanion,
  type Caller,
  companionOf,
  type SentCall,
  type SystemPort,
  type TypedCallOptions,
} from "../../messenger/mod.ts";
import type { ByteReader, ByteWriter, StreamEnd, StreamMux } from "../byte_stream.ts";
import { writersAnchor } from "../byte_stream.ts";
import { ItemCodec } from "./item_codec.ts";
import { ItemSink, refused } from "./item_sink.ts";
import { ItemSource } from "./item_source.ts";
import { iteratorOf, Pump } from "./pump.ts";
import { errorsOf, itemErrors } from "./stream_errors.ts";
import { callWindow, encodeStreams, lossMs, streamHeader } from "./stream_header.ts";

/** The parts of a {@link ClientCall}. */
export interface ClientCallParts {
  /** The messenger. */
  readonly port: SystemPort;
  /** Its streams. */
  readonly mux: StreamMux;
  /** Makes the call that carries the streams. */
  readonly caller: Caller;
  /** The contract. */
  readonly contract: Contract;
  /** The contract of that call. */
  readonly plain: UnaryContract;
  /** Its options, with the input if that is no stream. */
  readonly options: TypedCallOptions<UnaryContract>;
  /** See `StreamCallOptions`. */
  readonly idleTimeoutMs: number;
  /** The items of the input; null if they are sent one by one. */
  readonly source: unknown;
}

/** The streams of one attempt at a call. */
interface Attempt {
  readonly call: SentCall;
  readonly headers: Readonly<Record<string, string>>;
  readonly reader: ByteReader | null;
  readonly writer: ByteWriter | null;
}

const never = (): void => {};

/** A call with streams, at its caller's side. */
export class ClientCall implements CallCompanion, AsyncIterable<unknown>, AsyncDisposable {
  /** The handler's result, of a call without an output stream. */
  readonly result: Promise<unknown>;
  readonly #parts: ClientCallParts;
  readonly #sink: ItemSink | null;
  readonly #output: ItemSource | null;
  readonly #answer = Promise.withResolvers<unknown>();
  readonly #controller = new AbortController();
  readonly #end = new EndOf();
  readonly #pump: Pump | null;
  #listening: Disposable | null = null;
  #attempt: Attempt | null = null;
  #cancelIdle: CancelTimer | null = null;
  /** When the last item was sent or taken; kept only for `idleTimeoutMs`. */
  #movedAt = 0;
  #answered: { readonly error: unknown } | null = null;
  #over = false;
  #accepted = false;

  /** The call starts at once. @throws {TypeError} If the input's source is none. */
  constructor(parts: ClientCallParts) {
    this.#parts = parts;
    const { contract, port, options, source, idleTimeoutMs } = parts;
    const { name, input, output, encoding } = contract;
    const moved = idleTimeoutMs === Infinity ? undefined : () => void (this.#movedAt = port.clock.now());
    const codec = new ItemCodec(encoding);
    const make: ReturnType<typeof errorsOf> = (...about) =>
      errorsOf({ handler: name, ...this.#peer })(...about);
    this.#sink = !isStream(input) ? null : new ItemSink({
      name,
      codec,
      make,
      clock: port.clock,
      schema: input.item,
      errors: itemErrors(contract, "caller", make),
      moved,
    });
    this.#output = !isStream(output) ? null : new ItemSource({
      codec,
      schema: output.item,
      errors: itemErrors(
        contract,
        "handler",
        (code, message, about) => make(code, message, { ran: "yes", ...about }),
      ),
      broken: (error) => this.#leave(error),
      left: () => this.#leave(this.#cancelled("its caller has left the loop"), "closed"),
      moved,
    });
    const cannot = `Cannot call "${name}"`;
    this.#pump = source === null || this.#sink === null
      ? null
      : new Pump(iteratorOf(source, cannot), this.#sink);
    this.result = this.#answer.promise;
    this.result.catch(never);
    this.#start(options);
  }

  /** Starts the call, and the sending of a source's items. */
  #start(options: TypedCallOptions<UnaryContract>): void {
    const { caller, plain } = this.#parts;
    const { signal } = options;
    this.#listening = onAbort(signal, () => this.#leave(signal?.reason));
    const own = { signal: this.#controller.signal, retry: { attempts: 1 }, [companionOf]: this };
    caller.typedUnary(plain, { ...options, ...own } as TypedCallOptions<UnaryContract>).then(
      (value) => this.#settle(null, value),
      (error) => this.#settle({ error }, undefined),
    );
    const sink = this.#sink;
    this.#pump?.run().then(() => sink?.end(), (error) => this.#leave(error));
  }

  /** See {@link CallCompanion}. */
  get items(): { readonly sent: number; readonly received: number } {
    const output = this.#output;
    // The call may have ended before its caller has read all items.
    return { sent: this.#sink?.sent ?? 0, received: output === null ? 0 : output.received + output.size };
  }

  sending(call: SentCall): Readonly<Record<string, string>> {
    const last = this.#attempt;
    if (last?.call === call) return last.headers;
    if (last !== null) this.#abandon(last);
    const attempt = this.#attempt = this.#open(call, call.peer!);
    if (attempt.reader !== null) this.#output!.attach(attempt.reader);
    if (attempt.writer !== null) this.#sink!.attach(attempt.writer);
    return attempt.headers;
  }

  /** Opens the streams of an attempt. @throws {ZeromeshError} `PEER_LACKS_FEATURE`, `LIMIT_REACHED`. */
  #open(call: SentCall, peer: InstanceId): Attempt {
    const { mux, port, contract: { name } } = this.#parts;
    if (!mux.supports(peer)) {
      const why = `its contract has a stream, which ${port.textOf(peer)} does not support`;
      const hint = "Rust programs of plain Velo read and write the anchors of zeromesh/streams";
      throw new ZeromeshError("PEER_LACKS_FEATURE", `Cannot call "${name}": ${why}; ${hint}`, {
        peer,
        handler: name,
      });
    }
    const id = mux.newId();
    const output = this.#output === null ? null : mux.window;
    const input = this.#sink === null ? null : callWindow;
    const headers = { [streamHeader]: encodeStreams({ id, output, input }) };
    const about = { session: id, creditsBytes: true };
    const accepted = (): void => this.#accept(call);
    const reader = output === null ? null : mux.bind(peer, { anchor: id, window: output, ...about }, {
      opened: accepted,
      readable: () => this.#readable(call),
    });
    try {
      const writer = input === null
        ? null
        : mux.openWriter(peer, { anchor: writersAnchor | id, window: input, ...about }, {
          accepted,
          credit: () => this.#sink?.drain(),
          ended: (end) => this.#inputEnded(call, end),
        });
      return { call, headers, reader, writer };
    } catch (error) {
      reader?.cancel();
      throw error;
    }
  }

  #abandon({ reader, writer }: Attempt): void {
    this.#attempt = null;
    reader?.cancel();
    writer?.abandon();
  }

  #accept(call: SentCall): void {
    if (this.#accepted || this.#over || this.#attempt?.call !== call) return;
    this.#accepted = true;
    call.endDeadline();
    this.#sink?.accepted();
    this.#watchPauses();
  }

  /** Ends the call after a pause without an item. */
  #watchPauses(): void {
    const { port: { clock }, idleTimeoutMs, contract: { name } } = this.#parts;
    if (idleTimeoutMs === Infinity) return;
    this.#movedAt = clock.now();
    const look = (): void => {
      // A caller that only waits for the result makes no pause.
      if (this.#over || (this.#output === null && this.#sink!.closed)) return;
      const now = clock.now();
      // Nor does one that has items to read. The next one that it takes is noted.
      if ((this.#output?.size ?? 0) > 0) this.#movedAt = now;
      const left = this.#movedAt + idleTimeoutMs - now;
      if (left > 0) return void (this.#cancelIdle = clock.after(left, look));
      const why = `Call of "${name}" had no item for ${idleTimeoutMs} ms (idleTimeoutMs)`;
      this.#leave(errorsOf(this.#about)("TIMEOUT", why, { ran: this.#ran }));
    };
    look();
  }

  /** Items have arrived, or the output's end. */
  #readable(call: SentCall): void {
    if (this.#attempt?.call !== call) return;
    this.#output!.hand();
    const end = this.#attempt.reader?.ended;
    if (end?.reason === "peerLost") this.#lost(call, end.text);
    this.#check();
  }

  #inputEnded(call: SentCall, { reason, text }: StreamEnd): void {
    if (this.#attempt?.call !== call) return;
    if (reason === "peerLost") return this.#lost(call, text);
    const why = reason === "cancelled"
      ? "the handler takes no more items"
      : `its input ended: ${text || reason}`;
    this.#sink!.fail(this.#cancelled(why));
    this.#pump?.stop();
  }

  /** The streams' connection is lost, and almost always it is the call's too, which then fails. */
  #lost(call: SentCall, text: string): void {
    const lost = errorsOf(this.#about)(
      "PEER_DISCONNECTED",
      `Call of "${this.#parts.contract.name}" failed: ${text}`,
      { ran: this.#ran },
    );
    this.#parts.port.clock.after(lossMs, () => void (this.#attempt?.call === call && this.#leave(lost)));
  }

  /** The call has its answer. */
  #settle(failed: { readonly error: unknown } | null, value: unknown): void {
    if (this.#over) return;
    // Of a lost connection, or a shutdown, the call itself knows only that its request was sent.
    const error = failed?.error;
    if (this.#accepted && error instanceof ZeromeshError && error.ran === "maybe") {
      Object.assign(error, { ran: this.#ran });
    }
    this.#over = true;
    this.#answered = { error: failed === null ? null : failed.error };
    if (failed === null) this.#answer.resolve(value);
    else this.#answer.reject(failed.error);
    this.#close(failed === null ? this.#cancelled("its handler has finished") : failed.error);
    if (failed !== null) this.#attempt?.writer?.abandon();
    this.#check();
  }

  /** Ends the output, once both its end and the call's answer are there. */
  #check(): void {
    const answered = this.#answered;
    const output = this.#output;
    if (answered === null) return;
    const reader = this.#attempt?.reader ?? null;
    // An error may come without a stream; what the handler has sent before its answer comes first.
    if (reader !== null && reader.ended === null) {
      if (reader.opened || answered.error === null) return;
      // Its writer will not open it any more.
      reader.cancel();
    }
    let { error } = answered;
    if (error === null && reader !== null && reader.ended?.reason !== "finalized") {
      const why = `the output ended early: ${reader.ended?.text || reader.ended?.reason}`;
      error = errorsOf(this.#about)(
        "PEER_DISCONNECTED",
        `Call of "${this.#parts.contract.name}" failed: ${why}`,
        { ran: this.#ran },
      );
    }
    if (error === null) output?.finish();
    else output?.fail(error);
    this.#end.tell(error === null ? "closed" : ending(error));
  }

  /** Ends the call from this side. */
  #leave(reason: unknown, how: Ending = ending(reason)): void {
    if (this.#over) return;
    this.#over = true;
    this.#answer.reject(reason);
    this.#output?.cancel();
    this.#output?.fail(reason);
    this.#close(reason);
    this.#attempt?.writer?.abandon();
    this.#end.tell(how);
    // Items that were sent before it leave before the cancellation.
    const peer = this.#attempt?.call.peer;
    if (peer !== undefined) this.#parts.mux.flush(peer);
    this.#controller.abort(reason);
  }

  /** Ends everything but the output. */
  #close(error: unknown): void {
    this.#cancelIdle?.();
    this.#listening?.[Symbol.dispose]();
    this.#pump?.stop();
    this.#sink?.fail(error);
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #peer(): { readonly peer?: InstanceId | undefined } {
    return { peer: this.#attempt?.call.peer };
  }

  get #about(): { readonly handler: string; readonly peer?: InstanceId | undefined } {
    return { handler: this.#parts.contract.name, ...this.#peer };
  }

  #cancelled(why: string): ZeromeshError {
    const { name } = this.#parts.contract;
    return errorsOf(this.#about)("CANCELLED", `Call of "${name}" has ended: ${why}`, { ran: this.#ran });
  }

  /** Whether the handler can have run: it has, once it has accepted the call. */
  get #ran(): Ran {
    if (this.#accepted || this.#answered !== null) return "yes";
    return this.#attempt === null ? "no" : "maybe";
  }
}

function ending(reason: unknown): Ending {
  return reason instanceof Error ? reason : new Error(String(reason), { cause: reason });
}
