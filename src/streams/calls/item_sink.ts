import {
  type AnySchema,
  type Clock,
  Deque,
  onAbort,
  option,
  type OptionTable,
  readOptions,
  type SchemaFailure,
  type StreamSendOptions,
  validate,
  type ZeromeshError,
} from "../../core/mod.ts";
import type { ByteWriter } from "../byte_stream.ts";
import { terminalFrames } from "../wire/frame.ts";
import type { ItemCodec, Kept } from "./item_codec.ts";
import type { ItemErrors, MakeError } from "./stream_errors.ts";
import { callWindow } from "./stream_header.ts";

/** The parts of an {@link ItemSink}. */
export interface SinkParts {
  /** The contract's name. */
  readonly name: string;
  /** Schema of an item. */
  readonly schema: AnySchema;
  /** Makes frames. */
  readonly codec: ItemCodec;
  /** Errors about items. */
  readonly errors: ItemErrors;
  /** Makes other errors. */
  readonly make: MakeError;
  /** Clock. */
  readonly clock: Clock;
  /** There is something to send and no stream yet: it may be attached now. @throws The error of the item. */
  readonly needed?: (() => void) | undefined;
  /** An item has left. */
  readonly moved?: (() => void) | undefined;
}

/** An item that waits: for its validator, for a connection, or for credit. */
interface Waiting {
  /** Null until it is checked. */
  kept: Kept | null;
  /** Whether it is not to be sent any more. */
  gone: boolean;
  bytes: number;
  readonly number: number;
  readonly settle: PromiseWithResolvers<void>;
  leave: (() => void) | null;
}

const sendOptionTable: OptionTable<StreamSendOptions> = {
  timeoutMs: option.timeout,
  signal: option.signal,
};

/** The promise of an item that has left. */
export const done: Promise<void> = Promise.resolve();

const never = (): void => {};

/** The sending half of a stream of items: checks, encodes, and waits for credit. */
export class ItemSink {
  /** Items that have left. */
  sent = 0;
  readonly #parts: SinkParts;
  readonly #waiting = new Deque<Waiting>();
  #writer: ByteWriter | null = null;
  #count = 0;
  #bytes = 0;
  #taken = 0;
  #ending: PromiseWithResolvers<void> | null = null;
  // Whether the validator answers later, and needs the number of its own item.
  #later = false;
  readonly #refuse: SchemaFailure = (...about) => this.#parts.errors.invalid(this.#taken + 1, ...about);
  #ended: { readonly error: unknown } | null = null;
  /** What left before the peer has accepted the call: another instance may have to get it again. Null after that. */
  #early: Kept[] | null = [];

  /** It starts without a connection. */
  constructor(parts: SinkParts) {
    this.#parts = parts;
  }

  /** Whether {@link end} was called, or it has ended otherwise. */
  get closed(): boolean {
    return this.#ending !== null || this.#ended !== null;
  }

  /** Sends what waits, and what left already for a peer that did not accept it. */
  attach(writer: ByteWriter): void {
    this.#writer = writer;
    for (const kept of this.#early ?? []) this.#parts.codec.writeKept(writer, kept);
    this.drain();
  }

  /** The peer has accepted the call: what left is not sent again. */
  accepted(): void {
    this.#early = null;
  }

  /** Sends an item; see `StreamInput.send`. */
  send(value: unknown, given?: StreamSendOptions | null): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) return refused(refusal);
    const number = this.#taken + 1;
    const { schema, errors, codec } = this.#parts;
    try {
      const options = given === undefined || given === null ? undefined : this.#read(number, given);
      const checked = validate(schema, value, this.#later ? errors.invalid.bind(null, number) : this.#refuse);
      if (checked instanceof Promise) return this.#checkLater(value, number, checked, options);
      if (this.#writer === null) this.#parts.needed?.();
      const writer = this.#writer;
      if (writer !== null && this.#early === null && this.#waiting.size === 0) {
        if (codec.write(writer, value)) {
          this.#taken = number;
          this.sent++;
          this.#parts.moved?.();
          return done;
        }
      }
      const kept = codec.keep(value);
      if (writer !== null && this.#waiting.size === 0 && this.#write(writer, kept)) {
        this.#taken = number;
        return done;
      }
      return this.#wait(kept, options);
    } catch (error) {
      return refused(this.#located(error, number));
    }
  }

  /** Ends the stream after the items that wait. A second call returns the first promise. */
  end(): Promise<void> {
    if (this.#ending === null) {
      const ending = this.#ending = Promise.withResolvers<void>();
      ending.promise.catch(never);
      if (this.#ended !== null) ending.resolve();
      else if (this.#writer !== null) this.drain();
      else this.#parts.needed?.();
    }
    return this.#ending.promise;
  }

  /** Ends it early. Items that wait are refused with the error, and later ones with the last error given. */
  fail(error: unknown): void {
    const before = this.#ended;
    this.#ended = { error };
    if (before !== null) return;
    this.#early = null;
    const waiting = this.#waiting.size > 0;
    for (let one = this.#waiting.shift(); one !== undefined; one = this.#waiting.shift()) {
      this.#leave(one);
      refuse(one, error);
    }
    if (waiting) this.#ending?.reject(error);
    else this.#ending?.resolve();
    this.#writer?.end(terminalFrames.dropped);
  }

  /** Sends what waits, as far as there is credit. */
  drain(): void {
    const writer = this.#writer;
    if (writer === null || this.#ended !== null) return;
    for (let one = this.#waiting.peek(); one !== undefined; one = this.#waiting.peek()) {
      if (!one.gone) {
        if (one.kept === null) return;
        try {
          if (!this.#write(writer, one.kept)) return;
          one.settle.resolve();
        } catch (error) {
          refuse(one, this.#located(error, one.number));
        }
        this.#leave(one);
      }
      this.#waiting.shift();
    }
    if (this.#ending === null) return;
    writer.end(terminalFrames.finalized);
    this.#ending.resolve();
  }

  #write(writer: ByteWriter, kept: Kept): boolean {
    if (!this.#parts.codec.writeKept(writer, kept)) return false;
    this.sent++;
    this.#parts.moved?.();
    this.#early?.push(kept);
    return true;
  }

  #refusal(): unknown {
    if (this.#ended !== null) return this.#ended.error;
    if (this.#ending === null) return null;
    const { name, make } = this.#parts;
    return make("CLOSED", `Cannot send to "${name}": its input was ended`, { ran: "no" });
  }

  /** Refuses an item that was taken back, or whose time is over, before it was sent. */
  #read(number: number, given: StreamSendOptions): StreamSendOptions {
    const { make, name } = this.#parts;
    const options = readOptions(given, sendOptionTable, "Cannot send to", name);
    const { signal, timeoutMs = Infinity } = options;
    signal?.throwIfAborted();
    if (timeoutMs > 0) return options;
    throw make("TIMEOUT", `Item ${number} of "${name}" was not sent within ${timeoutMs} ms`, { ran: "no" });
  }

  /** Refuses an item that has no room to wait. */
  #admit(number: number, bytes: number): void {
    const { name, make } = this.#parts;
    const full = this.#count >= callWindow.items ||
      (this.#count > 0 && this.#bytes + bytes > callWindow.bytes);
    if (!full) return;
    const why = `${this.#count} items (${this.#bytes} bytes) wait already, as many as may; await send()`;
    throw make("QUEUE_FULL", `Item ${number} of "${name}" cannot be sent: ${why}`, {
      ran: "no",
      details: { item: number, waitingItems: this.#count, waitingBytes: this.#bytes },
    });
  }

  #wait(kept: Kept | null, options: StreamSendOptions | undefined): Promise<void> {
    const bytes = kept?.length ?? 0;
    this.#admit(this.#taken + 1, bytes);
    this.#taken++;
    this.#count++;
    this.#bytes += bytes;
    const number = this.#taken;
    const one: Waiting = { kept, gone: false, bytes, number, settle: Promise.withResolvers(), leave: null };
    this.#waiting.push(one);
    if (options !== undefined) this.#limit(one, options);
    return one.settle.promise;
  }

  #checkLater(
    value: unknown,
    number: number,
    checked: Promise<unknown>,
    options: StreamSendOptions | undefined,
  ): Promise<void> {
    this.#later = true;
    const promise = this.#wait(null, options);
    const one = this.#waiting.at(this.#waiting.size - 1)!;
    checked.then(() => {
      if (one.gone) return;
      one.kept = this.#parts.codec.keep(value);
      this.#bytes += one.bytes = one.kept.length;
      this.drain();
    }).catch((error) => this.#takeBack(one, this.#located(error, number)));
    return promise;
  }

  #takeBack(one: Waiting, error: unknown): void {
    if (one.gone) return;
    this.#leave(one);
    refuse(one, error);
    this.drain();
  }

  #limit(one: Waiting, { timeoutMs, signal }: StreamSendOptions): void {
    const { clock, make, name } = this.#parts;
    const listening = onAbort(signal, () => this.#takeBack(one, signal?.reason));
    const late = () =>
      make("TIMEOUT", `The handler of "${name}" took no item within ${timeoutMs} ms`, { ran: "no" });
    const cancel = clock.after(timeoutMs ?? Infinity, () => this.#takeBack(one, late()));
    one.leave = () => {
      listening[Symbol.dispose]();
      cancel();
    };
  }

  #leave(one: Waiting): void {
    if (one.gone) return;
    one.gone = true;
    one.leave?.();
    this.#count--;
    this.#bytes -= one.bytes;
  }

  /** Names the item in an error of its frame. */
  #located(error: unknown, number: number): unknown {
    const { code } = error as Partial<ZeromeshError>;
    if (code !== "ENCODING_FAILED" && code !== "PAYLOAD_TOO_LARGE") return error;
    return this.#parts.errors.refused(number, error as ZeromeshError);
  }
}

/** Rejects a promise that may be awaited by nobody. */
function refuse({ settle }: Waiting, error: unknown): void {
  settle.promise.catch(never);
  settle.reject(error);
}

/** A rejected promise that is not reported where nobody awaits it. */
export function refused(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(never);
  return promise;
}
