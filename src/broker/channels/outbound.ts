import { type AnySchema, readOptions, type SchemaFailure, validate, ZeromeshError } from "../../core/mod.ts";
import type { ItemCodec, Kept } from "../../streams/mod.ts";
import { invalidMessage, locatedMessage, refused } from "./failures.ts";
import { type ChannelSendOptions, channelSendTable } from "./options.ts";

/** The way of checked messages to the other side. */
export interface Sending {
  /**
   * Sends a message, or keeps it until it can be sent.
   *
   * @returns What the sender waits for.
   * @throws If it cannot be sent.
   */
  send(message: unknown, options: ChannelSendOptions | null): Promise<void>;
  /** The same for a message that the codec has kept. */
  sendKept(kept: Kept, options: ChannelSendOptions | null): Promise<void>;
}

/** What an {@link Outbound} needs. */
export interface OutboundParts {
  /** The channel's name. */
  readonly channel: string;
  readonly codec: ItemCodec;
  /** Schema of a message. */
  readonly schema: AnySchema;
  readonly sending: Sending;
  /** Messages whose validator may be busy at once. */
  readonly maxUnsent: number;
}

const nothing = (): void => {};

/** The sending half of a handle: checks messages, and hands them on in the order in which they came. */
export class Outbound {
  /** Messages that were taken. */
  sent = 0;
  readonly #parts: OutboundParts;
  #refusal: unknown = null;
  /** Messages behind one whose validator answers later, itself included. */
  #checking = 0;
  #last: Promise<unknown> = Promise.resolve();
  readonly #refuse: SchemaFailure = (...about) => this.#invalid(this.sent + this.#checking + 1, ...about);

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  /** Messages whose validator is busy. */
  get checking(): number {
    return this.#checking;
  }

  /** Refuses messages from now on; the first reason counts. */
  refuse(error: unknown): void {
    this.#refusal ??= error;
  }

  /** Sends a message; see `ChannelHandle.send`. */
  send(message: unknown, given: ChannelSendOptions | null | undefined): Promise<void> {
    if (this.#refusal !== null) return refused(this.#refusal);
    const { schema, sending, codec } = this.#parts;
    try {
      const options = given === undefined || given === null ? null : this.#read(given);
      const checked = validate(schema, message, this.#refuse);
      if (this.#checking > 0 || checked instanceof Promise) {
        return this.#sendLater(codec.keep(message), checked, options);
      }
      const sent = sending.send(message, options);
      this.sent++;
      return sent;
    } catch (error) {
      return refused(locatedMessage(this.#parts.channel, this.sent + this.#checking + 1, error));
    }
  }

  #sendLater(kept: Kept, checked: unknown, options: ChannelSendOptions | null): Promise<void> {
    const { channel, sending, maxUnsent } = this.#parts;
    if (checked instanceof Promise) checked.catch(nothing);
    if (this.#checking >= maxUnsent) {
      const why = `${this.#checking} messages wait for their schema already; await send()`;
      throw new ZeromeshError("QUEUE_FULL", `A message of channel "${channel}" cannot be sent: ${why}`);
    }
    this.#checking++;
    const number = this.sent + this.#checking;
    const handed = this.#last.then(() => checked).then(() => {
      if (this.#refusal !== null) throw this.#refusal;
      const sent = sending.sendKept(kept, options);
      this.sent++;
      // What follows does not wait until there is a place for it.
      return { sent };
    }).finally(() => this.#checking--);
    this.#last = handed.catch(nothing);
    const done = handed.then(({ sent }) => sent, (error) => {
      throw locatedMessage(channel, number, error);
    });
    done.catch(nothing);
    return done;
  }

  #read(given: ChannelSendOptions): ChannelSendOptions {
    const options = readOptions(given, channelSendTable, "Cannot send to channel", this.#parts.channel);
    options.signal?.throwIfAborted();
    return options;
  }

  #invalid(number: number, ...about: Parameters<SchemaFailure>): ZeromeshError {
    return invalidMessage("PAYLOAD_INVALID", this.#parts.channel, number, ...about);
  }
}
