import {
  answeredLater,
  type HandlerTrace,
  type SystemMessage,
  type SystemPort,
} from "../../messenger/mod.ts";
import type { Ask, AskTaker } from "../cell/ask.ts";
import { failureFor } from "../failures.ts";
import { borrowValue, encodeValue, type ValueEncoding } from "../contract/values.ts";

/** Sends the answer of an actor to the instance that asked, without a promise. */
export class RemoteAsk implements AskTaker {
  readonly #port: SystemPort;
  readonly #message: SystemMessage;
  readonly #name: string;
  readonly #encoding: ValueEncoding;
  readonly #trace: HandlerTrace | null;
  // Whether the messenger knows that the answer comes later. An ask may fail before.
  #begun = false;
  #failure: { readonly error: unknown } | null = null;
  // An answer that was given in the same call; it is encoded at its end, after all users' code.
  #answer: { readonly value: unknown } | null = null;
  #gone: AbortController | null = null;

  constructor(
    port: SystemPort,
    message: SystemMessage,
    name: string,
    encoding: ValueEncoding,
    trace: HandlerTrace | null,
  ) {
    this.#port = port;
    this.#message = message;
    this.#name = name;
    this.#encoding = encoding;
    this.#trace = trace;
  }

  /**
   * The result of the messenger's handler, valid until the next value is encoded.
   *
   * @throws The failure of an ask that has failed already.
   */
  begin(): Uint8Array | typeof answeredLater {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#answer !== null) return this.#encode(this.#answer.value);
    this.#begun = true;
    return answeredLater;
  }

  /** Aborts when nobody waits for the answer any more. */
  signal(): AbortSignal {
    this.#gone ??= new AbortController();
    return this.#gone.signal;
  }

  watch(ask: Ask): void {
    this.#message.whenAborted((reason) => {
      // In the line for room first, where it must leave its place.
      this.#gone?.abort(reason);
      this.#trace?.end("cancelled", reason);
      ask.giveUp(reason);
    }, false);
  }

  answered(value: unknown): void {
    if (!this.#begun) {
      this.#answer = { value };
      return;
    }
    let bytes: Uint8Array;
    try {
      bytes = this.#encode(value);
    } catch (error) {
      return this.#port.refuse(this.#message, failureFor(error));
    }
    this.#port.answer(this.#message, bytes);
  }

  #encode(value: unknown): Uint8Array {
    const trace = this.#trace;
    if (trace === null) return borrowValue(this.#name, value, this.#encoding);
    try {
      // The tracer is users' code, which may encode another value.
      const bytes = encodeValue(this.#name, value, this.#encoding);
      trace.end("succeeded", undefined);
      return bytes;
    } catch (error) {
      trace.end("failed", error);
      throw error;
    }
  }

  failed(error: unknown, ran: boolean): void {
    this.#trace?.end(this.#begun || ran ? "failed" : "rejected", error);
    if (!this.#begun) {
      this.#failure = { error };
      return;
    }
    this.#port.refuse(this.#message, failureFor(error));
  }
}
