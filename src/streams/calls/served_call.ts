import { type Contract, type InstanceId, isStream, onAbort, ZeromeshError } from "../../core/mod.ts";
import { DispatchFailure, type InboundCall, type Served, type SystemPort } from "../../messenger/mod.ts";
import type { ByteReader, ByteWriter, StreamEnd, StreamMux } from "../byte_stream.ts";
import { writersAnchor } from "../byte_stream.ts";
import { terminalFrames } from "../wire/frame.ts";
import { ItemCodec } from "./item_codec.ts";
import { ItemSink } from "./item_sink.ts";
import { ItemSource } from "./item_source.ts";
import { iteratorOf, Pump } from "./pump.ts";
import { answerError, itemErrors } from "./stream_errors.ts";
import { type CallStreams, callWindow, decodeStreams, lossMs, streamHeader } from "./stream_header.ts";

/** The parts of a {@link ServedCall}. */
export interface ServedCallParts {
  /** The messenger. */
  readonly port: SystemPort;
  /** Its streams. */
  readonly mux: StreamMux;
  /** The contract. */
  readonly contract: Contract;
}

const never = (): void => {};

/** What the caller is told if a stream cannot be opened. */
function refusal(error: unknown, ran: "no" | "yes"): unknown {
  if (!(error instanceof ZeromeshError)) return error;
  return answerError(error.code, error.message, { ran, details: error.details });
}

/** A call with streams, at its handler's side. */
export class ServedCall {
  readonly #parts: ServedCallParts;
  readonly #call: InboundCall;
  readonly #sink: ItemSink | null;
  readonly #input: ItemSource | null;
  #writer: ByteWriter | null = null;
  #reader: ByteReader | null = null;
  #pump: Pump | null = null;
  #peer: InstanceId | null = null;
  #over = false;
  #openOutput: () => void = never;
  #cancelOpening: () => void = never;
  /** What the caller is told after an early end; null while there is none. */
  #early: unknown = null;

  /** @throws {DispatchFailure} If it is no call of this contract, or its streams cannot be opened. */
  constructor(parts: ServedCallParts, call: InboundCall) {
    this.#parts = parts;
    this.#call = call;
    const { contract, port: { clock } } = parts;
    const { name, input, output, encoding } = contract;
    const codec = new ItemCodec(encoding);
    const make = answerError;
    this.#sink = !isStream(output) ? null : new ItemSink({
      name,
      codec,
      make,
      clock,
      schema: output.item,
      errors: itemErrors(contract, "handler", make),
      needed: () => {
        try {
          this.#openOutput();
        } catch (error) {
          throw refusal(error, "yes");
        }
      },
    });
    this.#input = !isStream(input) ? null : new ItemSource({
      codec,
      schema: input.item,
      errors: itemErrors(
        contract,
        "caller",
        (code, message, { details, cause } = {}) =>
          new ZeromeshError(code, message, { handler: name, ran: "yes", details, cause }),
      ),
      broken: () => {},
      left: () => {},
    });
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
    try {
      if (input !== null) {
        const about = { anchor: writersAnchor | id, session: id, window: callWindow, creditsBytes: true };
        this.#reader = mux.bind(peer, about, { readable: () => this.#readable() });
        this.#input!.attach(this.#reader);
        this.#readable(); // A short input may be there, and have ended, already.
      }
    } catch (error) {
      this.#reader?.cancel();
      throw refusal(error, "no");
    }
    if (output !== null) {
      this.#sink!.accepted();
      const about = { anchor: id, session: id, window: output, creditsBytes: true };
      this.#openOutput = () => {
        this.#openOutput = never;
        this.#writer = mux.openWriter(peer, about, {
          credit: () => this.#sink!.drain(),
          ended: (end) => this.#outputEnded(end),
        });
        this.#sink!.attach(this.#writer);
      };
      // An item that is there at once leaves in one message with the opening, which otherwise shows that the handler runs.
      this.#cancelOpening = port.clock.after(0, () => {
        try {
          this.#openOutput();
        } catch (error) {
          this.#abort(refusal(error, "yes"));
        }
      });
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

  #readable(): void {
    const input = this.#input!;
    input.hand();
    const end = this.#reader?.ended ?? null;
    if (end === null) return;
    if (end.reason === "finalized") input.finish();
    else if (end.reason === "peerLost") this.#lost(end.text);
    else this.#abort(this.#cancelled("its caller has given the input up"));
  }

  #outputEnded({ reason, text }: StreamEnd): void {
    if (reason === "peerLost") this.#lost(text);
    else this.#abort(this.#cancelled(reason === "cancelled" ? "its caller reads no more" : text || reason));
  }

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

  /** Runs the handler. */
  async run(serve: Served): Promise<unknown> {
    const call = this.#call;
    if (this.#input !== null) call.input = this.#input;
    if (call.observed !== null) call.observed.items = this;
    const { signal } = call;
    const listening = onAbort(signal, () => this.#aborted(signal.reason));
    try {
      const result = await serve(call as unknown as Parameters<Served>[0]);
      return this.#sink === null ? result : await this.#produce(result, this.#sink);
    } finally {
      this.#over = true;
      this.#openOutput = never;
      this.#cancelOpening();
      listening[Symbol.dispose]();
      this.#input?.finish();
      this.#input?.cancel();
      this.#writer?.end(this.#early === null ? terminalFrames.finalized : terminalFrames.dropped);
      // The answer comes behind the end of the output.
      if (this.#writer !== null) this.#parts.mux.flush(this.#peer!);
    }
  }

  /** The signal has aborted. */
  #aborted(reason: unknown): void {
    this.#early ??= reason;
    this.#input?.fail(reason);
    // Its other listeners run first.
    queueMicrotask(() => {
      this.#pump?.stop();
      this.#sink?.fail(reason);
    });
  }

  async #produce(result: unknown, sink: ItemSink): Promise<void> {
    const { name } = this.#parts.contract;
    const pump = this.#pump = new Pump(iteratorOf(result, `Cannot send the output of "${name}"`), sink);
    if (this.#early !== null) pump.stop();
    try {
      await pump.run((error) => this.#abort(error));
    } catch (error) {
      throw this.#early ?? error;
    }
    if (this.#early !== null) throw this.#early;
    await sink.end();
  }
}
