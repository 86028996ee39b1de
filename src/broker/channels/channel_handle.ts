import {
  type AnySchema,
  type DroppedEntries,
  type Ending,
  readOptions,
  type SchemaInput,
  type SchemaOutput,
  type SubscribeOptions,
} from "../../core/mod.ts";
import type { ChannelContract, ChannelPattern } from "../contract.ts";
import type { ChannelRole, ChannelRun, ChannelStats, ClosedChannel } from "./channel_run.ts";
import { refused } from "./failures.ts";
import type { Envelope } from "./message_source.ts";
import type { ChannelNotice, ConnectedConsumer } from "./notices.ts";
import { type ChannelCloseOptions, channelCloseTable, type ChannelSendOptions } from "./options.ts";

/**
 * The schemas of a contract by the direction of a side: what it sends, and what it receives.
 *
 * @ignore
 */
export type SchemasOfSide<Contract extends ChannelContract, Role extends ChannelRole> = Contract extends
  ChannelContract<infer Message, infer Pattern, infer Reply>
  ? Role extends "producer" ? { sent: Message; received: Pattern extends "bidirectional" ? Reply : never }
  : { sent: Pattern extends "bidirectional" ? Reply : never; received: Message }
  : never;

/** @ignore */
export type InOf<Schema> = [Schema] extends [never] ? never
  : Schema extends AnySchema ? SchemaInput<Schema>
  : never;
/** @ignore */
export type OutOf<Schema> = [Schema] extends [never] ? never
  : Schema extends AnySchema ? SchemaOutput<Schema>
  : never;

/** What a side of a channel sends; nothing for a consumer, unless the channel is bidirectional. */
export type SentMessage<Contract extends ChannelContract, Role extends ChannelRole> = InOf<
  SchemasOfSide<Contract, Role>["sent"]
>;

/** What a side of a channel receives; nothing for a producer, unless the channel is bidirectional. */
export type ReceivedMessage<Contract extends ChannelContract, Role extends ChannelRole> = OutOf<
  SchemasOfSide<Contract, Role>["received"]
>;

/**
 * One side of a channel, of its producer or of a consumer.
 *
 * Messages are iterated over once: `for await (const message of channel)`. Leaving the loop early closes the handle.
 *
 * @typeParam Contract The channel's contract.
 * @typeParam Role Whether it is the producer's side or a consumer's.
 */
export class ChannelHandle<
  Contract extends ChannelContract = ChannelContract,
  Role extends ChannelRole = ChannelRole,
> implements AsyncDisposable {
  readonly #run: ChannelRun;

  /** Used by `BrokerClient`. */
  constructor(run: ChannelRun) {
    this.#run = run;
  }

  /** The channel's name. */
  get channelName(): string {
    return this.#run.contract.name;
  }

  /** How its messages travel. */
  get pattern(): ChannelPattern {
    return this.#run.contract.pattern;
  }

  /** Which side this is. */
  get role(): Role {
    return this.#run.role as Role;
  }

  /** Whether it is open: neither closed, nor invalidated, nor ended by the other side. */
  get isValid(): boolean {
    return this.#run.isValid;
  }

  /** Whether the channel offers shared memory beside its messages. The library does not map it. */
  get hasSharedMemory(): boolean {
    return this.#run.sharedMemory !== null;
  }

  /** The name of the shared memory that the channel offers; null without. */
  get sharedMemoryName(): string | null {
    return this.#run.sharedMemory;
  }

  /** Resolves to the reason when the handle has ended: a text after a regular end, else the error. It never rejects. */
  get closed(): Promise<Ending> {
    return this.#run.closed;
  }

  /**
   * Sends a message. Resolves when it is on its way, or has a place among those that wait for credit.
   *
   * - `pipeline`: it goes to one consumer, the one with most credit. Without a consumer it waits.
   * - `pubsub`: it goes to all consumers. Without one it is dropped, and counted.
   * - `bidirectional`: a producer's goes to the consumer `to`, or to all; a consumer's to the producer.
   *
   * A rejection that nobody awaits is not reported.
   *
   * @throws {ZeromeshError} `PAYLOAD_INVALID`, `ENCODING_FAILED` or `PAYLOAD_TOO_LARGE` for the message, with its number;
   * `QUEUE_FULL` and `TIMEOUT` without a place; `NOT_REGISTERED` if the consumer `to` is not connected; `CLOSED`;
   * `STALE_INSTANCE` once another instance of the producer has taken over.
   * @throws {TypeError} If an option is unknown, or this side does not send.
   */
  send(message: SentMessage<Contract, Role>, options?: ChannelSendOptions | null): Promise<void> {
    return this.#run.send(message, options);
  }

  /**
   * The messages of the other side. The iteration ends with the handle, after the messages that have arrived.
   *
   * @throws {TypeError} For a second iteration, and if this side does not receive.
   */
  [Symbol.asyncIterator](): AsyncIterator<ReceivedMessage<Contract, Role>, undefined> {
    return this.#iterate(false) as AsyncIterator<ReceivedMessage<Contract, Role>, undefined>;
  }

  /** The same messages, with their sender and their number. It is the same iteration, which there is only one of. */
  messages(): AsyncIterableIterator<Envelope<ReceivedMessage<Contract, Role>>, undefined> {
    return this.#iterate(true) as AsyncIterableIterator<Envelope<ReceivedMessage<Contract, Role>>, undefined>;
  }

  /**
   * What happens to the channel from now on: consumers that join and leave, gaps, the loss of the producer. Each call is a
   * subscription of its own, with its own bounded buffer.
   */
  notices(options?: SubscribeOptions): AsyncIterableIterator<ChannelNotice | DroppedEntries> {
    return this.#run.notices(options);
  }

  /** A producer: the consumers that take messages now. */
  consumers(): ConnectedConsumer[] {
    return this.#run.consumers();
  }

  /** Its counters. */
  stats(): ChannelStats {
    return this.#run.stats();
  }

  /**
   * Ends the handle at once, and tells the broker nothing: messages that wait are lost, and the channel stays registered
   * until its heartbeats end.
   */
  invalidate(): void {
    this.#run.invalidate("it was invalidated");
  }

  /**
   * Closes the handle. A producer takes no more messages, waits until those that it has are on their way, and takes its
   * channel back; a consumer leaves, and messages that have arrived can still be read by an iteration that goes on. A second
   * call returns the first promise.
   *
   * @returns How many messages were still waiting when the time was up, and are lost.
   */
  close(options?: ChannelCloseOptions): Promise<ClosedChannel> {
    try {
      const cannot = `Cannot close channel`;
      return this.#run.close(readOptions(options, channelCloseTable, cannot, this.channelName));
    } catch (error) {
      return refused(error);
    }
  }

  /** Same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #iterate(envelopes: boolean): unknown {
    const { source, contract: { name, pattern } } = this.#run;
    if (source !== null) return source.iterate(envelopes);
    throw new TypeError(`Cannot iterate over channel "${name}": the producer of a ${pattern} only sends`);
  }
}
