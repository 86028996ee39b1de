import type { Ending, StreamSendOptions } from "../../core/mod.ts";
import type { ClientCall } from "./client_call.ts";

/** Ends calls whose objects were collected: nobody can read them any more, or end their input. */
const collected = new FinalizationRegistry<ClientCall>((call) => call.forgotten());

/** Calls made in this turn. Almost all of them are used in it, and being watched costs as much as a short call's items. */
let fresh: CallHandle[] = [];

function watchFresh(): void {
  const handles = fresh;
  fresh = [];
  for (const handle of handles) handle.watch();
}

/** What a caller gets of a call. The streams know the call itself, so that the caller's part can be collected. */
export class CallHandle implements AsyncIterable<unknown>, AsyncDisposable {
  readonly #call: ClientCall;
  #used: boolean;
  #watched = false;

  constructor(call: ClientCall) {
    this.#call = call;
    // A source goes on by itself, and there is nothing to read.
    this.#used = !call.needsCaller;
    if (!this.#used && fresh.push(this) === 1) queueMicrotask(watchFresh);
  }

  /** Ends the call when this object is collected, unless somebody waits for the call otherwise. */
  watch(): void {
    if (this.#used) return;
    this.#watched = true;
    collected.register(this, this.#call, this.#call);
  }

  #use(): ClientCall {
    this.#used = true;
    if (this.#watched) collected.unregister(this.#call);
    return this.#call;
  }

  /** The handler's result, of a call without an output stream. */
  get result(): Promise<unknown> {
    return this.#use().result;
  }

  /** See `StreamCall`. */
  get closed(): Promise<Ending> {
    return this.#use().closed;
  }

  /** See `StreamInput`. */
  send(item: unknown, options?: StreamSendOptions): Promise<void> {
    return this.#call.send(item, options);
  }

  /** See `StreamInput`. */
  end(): Promise<void> {
    if (!this.#call.readable) this.#use();
    return this.#call.end();
  }

  /** The items of the output, once. @throws {TypeError} The second time. */
  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return this.#use()[Symbol.asyncIterator]();
  }

  /** See `StreamCall`. */
  close(): Promise<void> {
    return this.#use().close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
