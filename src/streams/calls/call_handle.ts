import type { Ending, StreamSendOptions } from "../../core/mod.ts";
import type { ClientCall } from "./client_call.ts";

/** Ends calls whose objects were collected: nobody can read them any more, or end their input. */
const collected = new FinalizationRegistry<ClientCall>((call) => call.forgotten());

/** What a caller gets of a call. The streams know the call itself, so that the caller's part can be collected. */
export class CallHandle implements AsyncIterable<unknown>, AsyncDisposable {
  readonly #call: ClientCall;

  constructor(call: ClientCall) {
    this.#call = call;
    // A source goes on by itself, and there is nothing to read.
    if (call.needsCaller) collected.register(this, call, call);
  }

  /** The handler's result, of a call without an output stream. */
  get result(): Promise<unknown> {
    collected.unregister(this.#call);
    return this.#call.result;
  }

  /** See `StreamCall`. */
  get closed(): Promise<Ending> {
    collected.unregister(this.#call);
    return this.#call.closed;
  }

  /** See `StreamInput`. */
  send(item: unknown, options?: StreamSendOptions): Promise<void> {
    return this.#call.send(item, options);
  }

  /** See `StreamInput`. */
  end(): Promise<void> {
    if (!this.#call.readable) collected.unregister(this.#call);
    return this.#call.end();
  }

  /** The items of the output, once. @throws {TypeError} The second time. */
  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    collected.unregister(this.#call);
    return this.#call[Symbol.asyncIterator]();
  }

  /** See `StreamCall`. */
  close(): Promise<void> {
    collected.unregister(this.#call);
    return this.#call.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
