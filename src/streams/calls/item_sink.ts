import {
  Deque,
  type ErrorCode,
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
import { type Direction, invalidItem, type ItemOwner, locatedError } from "./stream_errors.ts";
import { callWindow } from "./stream_header.ts";

/** An item that waits: for its validator, for a connection, or for credit. */
interface Waiting {
  /** Null if it cannot be encoded, which is told once it is checked. */
  readonly kept: Kept | null;
  checked: boolean;
  /** Whether it is not to be sent any more. */
  gone: boolean;
  readonly bytes: number;
  readonly number: number;
  readonly settle: PromiseWithResolvers<void>;
  leave: (() => void) | null;
}

const sendOptionTable: OptionTable<StreamSendOptions> = {
  timeoutMs: option.timeout,
  signal: option.signal,
};

const never = (): void => {};

/** The sending half of a stream of items: checks, encodes, and waits for credit. */
export class ItemSink {
  /** Items that have left. */
  sent = 0;
  readonly #direction: Direction;
  readonly #owner: ItemOwner;
  readonly #codec: ItemCodec;
  readonly #waiting = new Deque<Waiting>();
  #writer: ByteWriter | null = null;
  #count = 0;
  #bytes = 0;
  #taken = 0;
  #closing = false;
  /** Whether its last frame was sent. */
  #finished = false;
  #ending: PromiseWithResolvers<void> | null = null;
  // The first item whose validator answers later; 0 for none. From then on each item is refused by its own number.
  #later = 0;
  readonly #refuse: SchemaFailure = (...about) => this.#invalid(this.#later || this.#taken + 1, ...about);
  /** Makes the error of its early end; null without one. */
  #ended: (() => unknown) | null = null;
  /** What left before the peer has accepted the call: another instance may have to get it again. Null after that. */
  #early: Kept[] | null;

  /**
   * It starts without a connection.
   *
   * @param early Whether the peer has still to accept the call.
   */
  constructor(direction: Direction, owner: ItemOwner, early: boolean) {
    this.#direction = direction;
    this.#owner = owner;
    this.#codec = direction.codec;
    this.#early = early ? [] : null;
  }

  /** Whether {@link end} was called, or it has ended otherwise. */
  get closed(): boolean {
    return this.#closing || this.#ended !== null;
  }

  /** Sends what waits, and what left already for a peer that did not accept it. */
  attach(writer: ByteWriter): void {
    this.#writer = writer;
    for (const kept of this.#early ?? []) this.#codec.writeKept(writer, kept);
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
    const { schema } = this.#direction;
    const codec = this.#codec;
    try {
      const options = given === undefined || given === null ? undefined : this.#read(number, given);
      const refuse: SchemaFailure = this.#later > 0
        ? (...about) => this.#invalid(number, ...about)
        : this.#refuse;
      const checked = validate(schema, value, refuse);
      if (checked instanceof Promise) return this.#checkLater(value, number, checked, options);
      const writer = this.#writer;
      if (writer !== null && this.#early === null && this.#waiting.size === 0) {
        if (codec.write(writer, value)) {
          this.#taken = number;
          this.sent++;
          this.#owner.moved?.();
          return this.#direction.turns.spend();
        }
      }
      const kept = codec.keep(value);
      if (writer !== null && this.#waiting.size === 0 && this.#write(writer, kept)) {
        this.#taken = number;
        return this.#direction.turns.spend();
      }
      return this.#wait(kept, true, options).settle.promise;
    } catch (error) {
      return refused(this.#located(error, number));
    }
  }

  /** Ends the stream after the items that wait. Returns whether it has ended. */
  finish(): boolean {
    if (!this.#closing) {
      this.#closing = true;
      this.drain();
    }
    return this.#finished || this.#ended !== null;
  }

  /** The same, with a promise of the end. A second call returns the first promise. */
  end(): Promise<void> {
    if (this.#ending === null) {
      const ending = this.#ending = Promise.withResolvers<void>();
      ending.promise.catch(never);
      if (this.finish()) ending.resolve();
    }
    return this.#ending.promise;
  }

  /**
   * Ends it early. Items that wait are refused with the error, and later ones with the last error given.
   *
   * @param error Makes it when it is needed.
   */
  fail(error: () => unknown): void {
    const before = this.#ended;
    this.#ended = error;
    if (before !== null) return;
    this.#early = null;
    if (this.#waiting.size > 0) this.#refuseAll(error());
    else this.#ending?.resolve();
    this.#writer?.end(terminalFrames.dropped);
  }

  #refuseAll(error: unknown): void {
    for (let one = this.#waiting.shift(); one !== undefined; one = this.#waiting.shift()) {
      this.#leave(one);
      refuse(one, error);
    }
    this.#ending?.reject(error);
  }

  /** Sends what waits, as far as there is credit. */
  drain(): void {
    const writer = this.#writer;
    if (writer === null || this.#ended !== null) return;
    for (let one = this.#waiting.peek(); one !== undefined; one = this.#waiting.peek()) {
      if (!one.gone) {
        if (!one.checked) return;
        try {
          if (!this.#write(writer, one.kept!)) return;
          this.#direction.turns.settle(one.settle.resolve);
        } catch (error) {
          refuse(one, this.#located(error, one.number));
        }
        this.#leave(one);
      }
      this.#waiting.shift();
    }
    if (!this.#closing) return;
    this.#finished = true;
    writer.end(terminalFrames.finalized);
    this.#ending?.resolve();
  }

  #write(writer: ByteWriter, kept: Kept): boolean {
    if (!this.#codec.writeKept(writer, kept)) return false;
    this.sent++;
    this.#owner.moved?.();
    this.#early?.push(kept);
    return true;
  }

  #refusal(): unknown {
    if (this.#ended !== null) return this.#ended();
    if (!this.#closing) return null;
    return this.#error("CLOSED", `Cannot send to "${this.#name}": its input was ended`);
  }

  /** Refuses an item that was taken back, or whose time is over, before it was sent. */
  #read(number: number, given: StreamSendOptions): StreamSendOptions {
    const options = readOptions(given, sendOptionTable, "Cannot send to", this.#name);
    const { signal, timeoutMs = Infinity } = options;
    signal?.throwIfAborted();
    if (timeoutMs > 0) return options;
    throw this.#error("TIMEOUT", `Item ${number} of "${this.#name}" was not sent within ${timeoutMs} ms`);
  }

  /** Refuses an item that has no room to wait. */
  #admit(number: number, bytes: number): void {
    const full = this.#count >= callWindow.items ||
      (this.#count > 0 && this.#bytes + bytes > callWindow.bytes);
    if (!full) return;
    const why = `${this.#count} items (${this.#bytes} bytes) wait already, as many as may; await send()`;
    throw this.#error("QUEUE_FULL", `Item ${number} of "${this.#name}" cannot be sent: ${why}`, {
      item: number,
      waitingItems: this.#count,
      waitingBytes: this.#bytes,
    });
  }

  #wait(kept: Kept | null, checked: boolean, options: StreamSendOptions | undefined): Waiting {
    const bytes = kept?.length ?? 0;
    this.#admit(this.#taken + 1, bytes);
    this.#taken++;
    this.#count++;
    this.#bytes += bytes;
    const number = this.#taken;
    const settle = Promise.withResolvers<void>();
    const one: Waiting = { kept, checked, gone: false, bytes, number, settle, leave: null };
    this.#waiting.push(one);
    if (options !== undefined) this.#limit(one, options);
    return one;
  }

  #checkLater(
    value: unknown,
    number: number,
    checked: Promise<unknown>,
    options: StreamSendOptions | undefined,
  ): Promise<void> {
    this.#later ||= number;
    // If there is no room for it, nobody asks for the result.
    checked.catch(never);
    let kept: Kept | null = null;
    let broken: unknown;
    // Encoded at once, since what waits is bounded by its bytes.
    try {
      kept = this.#codec.keep(value);
    } catch (error) {
      broken = error;
    }
    const one = this.#wait(kept, false, options);
    checked.then(() => {
      if (kept === null) throw broken;
      one.checked = true;
      this.drain();
    }).catch((error) => this.#takeBack(one, this.#located(error, number)));
    return one.settle.promise;
  }

  #takeBack(one: Waiting, error: unknown): void {
    if (one.gone) return;
    this.#leave(one);
    refuse(one, error);
    this.drain();
  }

  #limit(one: Waiting, { timeoutMs, signal }: StreamSendOptions): void {
    const listening = onAbort(signal, () => this.#takeBack(one, signal?.reason));
    const late = () =>
      this.#error("TIMEOUT", `The handler of "${this.#name}" took no item within ${timeoutMs} ms`);
    const cancel = this.#direction.clock.after(timeoutMs ?? Infinity, () => this.#takeBack(one, late()));
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
    return locatedError(this.#owner, this.#direction, number, error);
  }

  #invalid(number: number, ...about: Parameters<SchemaFailure>): ZeromeshError {
    return invalidItem(this.#owner, this.#direction, number, ...about);
  }

  get #name(): string {
    return this.#direction.contract.name;
  }

  #error(code: ErrorCode, message: string, details?: unknown): ZeromeshError {
    return this.#owner.failure(this.#direction.from, code, message, { ran: "no", details });
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
