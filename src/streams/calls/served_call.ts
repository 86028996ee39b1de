import {
  type Contract,
  type ErrorCode,
  type InstanceId,
  isThenable,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "../../core/mod.ts";
import {
  answeredLater,
  DispatchFailure,
  type InboundCall,
  type Served,
  type SystemPort,
} from "../../messenger/mod.ts";
import type { DecodedPayload } from "../../wire/mod.ts";
import {
  type ByteReader,
  type ByteWriter,
  type ReaderEvents,
  type StreamEnd,
  type StreamMux,
  type WriterEvents,
  writersAnchor,
} from "../byte_stream.ts";
import { terminalFrames } from "../wire/frame.ts";
import { ItemSink } from "./item_sink.ts";
import { ItemSource } from "./item_source.ts";
import { iteratorOf, Pump, type PumpOwner } from "./pump.ts";
import { answerError, type Direction, type ItemOwner, type Side } from "./stream_errors.ts";
import { type CallStreams, callWindow, decodeStreams, lossMs, streamHeader } from "./stream_header.ts";

/** What all calls of a handler share. */
export interface ServedCallParts {
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
  /** The calls that run. */
  readonly running: Set<ServedCall>;
}

/** What the caller is told if a stream cannot be opened. */
function refusal(error: unknown): unknown {
  if (!(error instanceof ZeromeshError)) return error;
  return answerError(error.code, error.message, { ran: "no", details: error.details });
}

/** A call with streams, at its handler's side. */
export class ServedCall implements ReaderEvents, WriterEvents, ItemOwner, PumpOwner {
  readonly moved = null;
  readonly #parts: ServedCallParts;
  readonly #call: InboundCall;
  readonly #sink: ItemSink | null;
  readonly #input: ItemSource | null;
  #writer: ByteWriter | null = null;
  #reader: ByteReader | null = null;
  #pump: Pump | null = null;
  #peer: InstanceId | null = null;
  #over = false;
  #failed = false;
  /** Whether the handler's synchronous part is over. */
  #later = false;
  #outcome: unknown = undefined;
  /** What the caller is told after an early end; null while there is none. */
  #early: unknown = null;

  /** @throws {DispatchFailure} If it is no call of this contract, or its streams cannot be opened. */
  constructor(parts: ServedCallParts, call: InboundCall) {
    this.#parts = parts;
    this.#call = call;
    const { input, output } = parts;
    this.#sink = output === null ? null : new ItemSink(output, this, false);
    this.#input = input === null ? null : new ItemSource(input, this);
    this.#open(this.#streams());
  }

  /** What the call says of its streams. */
  #streams(): CallStreams {
    const said = this.#call.systemHeader(streamHeader);
    const streams = said === undefined ? null : decodeStreams(said);
    const fits = streams !== null && (streams.output !== null) === (this.#sink !== null) &&
      (streams.input !== null) === (this.#input !== null);
    if (fits) return streams;
    const { name } = this.#parts.contract;
    const why = "is the handler of a contract with a stream; call it with a client of that contract";
    throw answerError("HANDLER_NOT_FOUND", `"${name}" ${why}`, { ran: "no", details: { kind: "stream" } });
  }

  #open({ id, output, input }: CallStreams): void {
    const { mux, port } = this.#parts;
    const own = port.connectionTo(port.instanceId) === this.#call.session;
    const peer = own ? port.instanceId : port.senderOf(this.#call)?.instanceId;
    if (peer === undefined) {
      throw answerError("IDENTITY_MISMATCH", "The caller is not the instance that it names", { ran: "no" });
    }
    this.#peer = peer;
    const connection = this.#call.session;
    try {
      if (input !== null) {
        const about = {
          anchor: writersAnchor | id,
          session: id,
          window: callWindow,
          creditsBytes: true,
          connection,
        };
        this.#reader = mux.bind(peer, about, this);
        this.#input!.attach(this.#reader);
        this.readable(); // A short input may be there, and have ended, already.
      }
      if (output !== null) {
        const about = {
          anchor: id,
          session: id,
          window: output,
          creditsBytes: true,
          opensLater: true,
          connection,
        };
        this.#writer = mux.openWriter(peer, about, this);
        this.#sink!.attach(this.#writer);
      }
    } catch (error) {
      this.#reader?.cancel();
      throw refusal(error);
    }
  }

  /** Items that the handler has sent and received, for its trace. */
  get sent(): number {
    return this.#sink?.sent ?? 0;
  }

  /** See {@link sent}. */
  get received(): number {
    return this.#input?.received ?? 0;
  }

  readable(): void {
    const input = this.#input!;
    input.hand();
    const end = this.#reader?.ended ?? null;
    // The handler's own end of the input, such as leaving its loop, is no end of the call.
    if (end === null || end.reason === "cancelled") return;
    if (end.reason === "finalized") input.finish();
    else if (end.reason === "peerLost") this.#lost(end.text);
    else this.#abort(this.#cancelled("its caller has given the input up"));
  }

  decode(bytes: Uint8Array, start: number, end: number): DecodedPayload | null {
    return this.#input!.decode(bytes, start, end);
  }

  credit(): void {
    this.#sink!.drain();
  }

  ended({ reason, text }: StreamEnd): void {
    if (reason === "peerLost") this.#lost(text);
    else this.#abort(this.#cancelled(reason === "cancelled" ? "its caller reads no more" : text || reason));
  }

  /** See {@link ItemOwner}. */
  failure(from: Side, code: ErrorCode, message: string, about: ZeromeshErrorOptions = {}): ZeromeshError {
    if (from === "handler") return answerError(code, message, about);
    return new ZeromeshError(code, message, { handler: this.#parts.contract.name, ran: "yes", ...about });
  }

  /** See {@link ItemOwner}: the handler gets the error. */
  broken(): void {}

  /** See {@link ItemOwner}: the handler may go on. */
  left(): void {}

  /** The streams' connection is lost, and almost always it is the call's too, which then aborts. */
  #lost(text: string): void {
    const { clock } = this.#parts.port;
    const { handlerName: handler } = this.#call;
    const lost = new ZeromeshError("PEER_DISCONNECTED", `Call of "${handler}" has ended: ${text}`, {
      handler,
      ran: "yes",
    });
    clock.after(lossMs, () => this.#abort(lost));
  }

  /** Ends it because its handler was unregistered. */
  unregistered(): void {
    this.#abort(answerError("CANCELLED", `"${this.#parts.contract.name}" was unregistered`));
  }

  #cancelled(why: string): ZeromeshError {
    const { name } = this.#parts.contract;
    return new ZeromeshError("CANCELLED", `Call of "${name}" has ended: ${why}`, {
      handler: name,
      ran: "yes",
    });
  }

  /** Ends it early: the signal aborts first. */
  #abort(reason: unknown): void {
    if (this.#early !== null || this.#over) return;
    this.#early = reason;
    this.#call.abort(reason instanceof DispatchFailure ? this.#cancelled(reason.message) : reason);
  }

  /** Runs the handler. It is no async function, of which each call would keep several objects while it waits. */
  run(serve: Served): unknown {
    const call = this.#call;
    if (this.#input !== null) call.input = this.#input;
    if (call.observed !== null) call.observed.items = this;
    this.#parts.running.add(this);
    call.whenAborted((reason) => this.#aborted(reason));
    try {
      const served = serve(call as unknown as Parameters<Served>[0]);
      if (!isThenable(served)) this.#produce(served);
      else {
        Promise.resolve(served).then(
          (result) => this.#produce(result),
          (error) => this.#finish(true, error),
        );
      }
    } catch (error) {
      this.#finish(true, error);
    }
    if (this.#over) {
      if (this.#failed) throw this.#outcome;
      return this.#outcome;
    }
    this.#later = true;
    call.detach();
    return answeredLater;
  }

  #produce(result: unknown): void {
    const sink = this.#sink;
    if (sink === null) return this.#finish(false, result);
    const { name } = this.#parts.contract;
    try {
      this.#pump = new Pump(iteratorOf(result, `Cannot send the output of "${name}"`), sink, this);
    } catch (error) {
      return this.#finish(true, error);
    }
    if (this.#early !== null) this.#pump.stop();
    this.#pump.run();
  }

  /** See {@link PumpOwner}. */
  itemRefused(error: unknown): void {
    this.#abort(error);
  }

  /** See {@link PumpOwner}. */
  pumpFailed(error: unknown): void {
    this.#finish(true, error);
  }

  /** See {@link PumpOwner}. */
  pumped(): void {
    if (this.#early !== null) return this.#finish(true, this.#early);
    const sink = this.#sink!;
    if (sink.finish()) return this.#finish(false, undefined);
    sink.end().then(() => this.#finish(false, undefined), (error) => this.#finish(true, error));
  }

  #finish(failed: boolean, value: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failed = failed;
    this.#parts.running.delete(this);
    this.#input?.finish();
    this.#input?.cancel();
    this.#endOutput();
    // After an early end a handler throws because of it.
    this.#outcome = failed ? this.#early ?? value : value;
    if (!this.#later) return;
    const { port } = this.#parts;
    if (failed) port.refuse(this.#call, this.#outcome);
    else port.answer(this.#call, this.#outcome);
  }

  #endOutput(): void {
    const writer = this.#writer;
    if (writer === null) return;
    // An error without items needs no stream.
    if (this.#failed && !writer.opened) return writer.abandon();
    writer.end(this.#early === null ? terminalFrames.finalized : terminalFrames.dropped);
    // The answer comes behind the end of the output.
    this.#parts.mux.flush(this.#peer!);
  }

  /** The signal has aborted. */
  #aborted(reason: unknown): void {
    if (this.#over) return;
    this.#early ??= reason;
    this.#input?.fail(reason);
    // The handler itself may be what aborts.
    queueMicrotask(() => {
      this.#pump?.stop();
      this.#sink?.fail(() => reason);
    });
  }
}
