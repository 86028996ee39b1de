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
  /** Encodes messages whose validator answers later. */
  readonly codec: Pick<ItemCodec, "keep">;
  /** Schema of a message. */
  readonly schema: AnySchema;
  readonly sending: Sending;
  /** Messages whose validator may be busy at once. */
  readonly maxUnsent: number;
  /** A message whose validator was busy was sent, or refused. */
  checked(): void;
}

const nothing = (): void => {};

/** The sending half of a handle: checks messages, and hands them on in the order in which they came. */
export class Outbound {
  /** Messages that were taken. */
  sent = 0;
  readonly #parts: OutboundParts;
  #refusal: unknown = null;
  #ended = false;
  /** Messages behind one whose validator answers later, itself included. */
  #checking = 0;
  #last: Promise<unknown> = Promise.resolve();
  /** The first message whose validator answers later; 0 for none. From then on each is refused by its own number. */
  #later = 0;
  readonly #refuse: SchemaFailure = (...about) => this.#invalid(this.#later || this.sent + 1, ...about);

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  /** Messages whose validator is busy. */
  get checking(): number {
    return this.#checking;
  }

  /** Refuses messages from now on; those whose validator is busy are still sent. The first reason counts. */
  refuse(error: unknown): void {
    this.#refusal ??= error;
  }

  /** Sends nothing any more. */
  end(error: unknown): void {
    this.refuse(error);
    this.#ended = true;
  }

  /** Sends a message; see `ChannelHandle.send`. */
  send(message: unknown, given: ChannelSendOptions | null | undefined): Promise<void> {
    if (this.#refusal !== null) return refused(this.#refusal);
    const { schema, sending, codec } = this.#parts;
    try {
      const options = given === undefined || given === null ? null : this.#read(given);
      const number = this.sent + this.#checking + 1;
      const refuse: SchemaFailure = this.#later > 0
        ? (...about) => this.#invalid(number, ...about)
        : this.#refuse;
      const checked = validate(schema, message, refuse);
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
    const { channel, sending, maxUnsent, checked: told } = this.#parts;
    if (checked instanceof Promise) {
      this.#later ||= this.sent + 1;
      checked.catch(nothing);
    }
    if (this.#checking >= maxUnsent) {
      const why = `${this.#checking} messages wait for their schema already; await send()`;
      throw new ZeromeshError("QUEUE_FULL", `A message of channel "${channel}" cannot be sent: ${why}`);
    }
    this.#checking++;
    const number = this.sent + this.#checking;
    const handed = this.#last.then(() => checked).then(() => {
      if (this.#ended) throw this.#refusal;
      const sent = sending.sendKept(kept, options);
      this.sent++;
      // What follows does not wait until there is a place for it.
      return { sent };
    }).finally(() => {
      this.#checking--;
      told();
    });
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
