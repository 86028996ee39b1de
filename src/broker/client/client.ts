import {
  checkArgument,
  type DroppedEntries,
  type Ending,
  EndOf,
  option,
  readOptions,
  type SubscribeOptions,
  withDefaults,
  ZeromeshError,
} from "../../core/mod.ts";
import { type WaitOptions, waitOptionTable } from "../../messenger/mod.ts";
import type { Messenger } from "../../mod.ts";
import type { ChannelHandle } from "../channels/mod.ts";
import type { ChannelContract } from "../contract.ts";
import type { ChannelView } from "../protocol/channel_view.ts";
import type { BrokerNotice } from "../protocol/notices.ts";
import { BrokerConnection } from "./connection.ts";
import type { ConnectionStats } from "./connection_stats.ts";
import {
  type BrokerClientOptions,
  clientOptionTable,
  type ConnectChannelOptions,
  connectChannelTable,
  type CreateChannelOptions,
  createChannelTable,
  type RegisterConsumerOptions,
  registerConsumerTable,
  type RegisterProducerOptions,
  registerProducerTable,
} from "./options.ts";
import type { ConsumerEntry, ProducerEntry, Registration } from "./registrations.ts";
import { ConsumerChannel } from "./consumer_channel.ts";
import { producedChannel } from "./plain_channels.ts";
import { consumerEntry, producerEntry } from "./entries.ts";
import { contractIn, namedBy } from "./terms.ts";
import { BrokerQuestions } from "./questions.ts";
import { firstConnection } from "./first_connection.ts";
import { untilFound } from "./until_found.ts";

/**
 * A client of a broker: registers producers and consumers of channels, and makes the channels themselves.
 *
 * It works without a broker, too: registrations are remembered, and made as soon as a broker answers, also after one was
 * lost or started again.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { Broker, BrokerClient } from "zeromesh/broker";
 * import assert from "node:assert/strict";
 *
 * await using broker = await Broker.start({ endpoint: "tcp://127.0.0.1:0" });
 * await using messenger = await Messenger.create();
 * await using client = await BrokerClient.connect(messenger, broker.endpoint);
 * assert.deepEqual(await client.listChannels(), []);
 * ```
 */
export class BrokerClient extends BrokerQuestions implements AsyncDisposable {
  readonly #connection: BrokerConnection;
  readonly #messenger: Messenger;
  readonly #producers = new Map<string, ProducerEntry>();
  readonly #consumers = new Map<string, ConsumerEntry>();
  readonly #handles = new Set<AsyncDisposable>();
  readonly #end = new EndOf();
  #closing: Promise<void> | null = null;

  private constructor(messenger: Messenger, connection: BrokerConnection) {
    super({ connection });
    this.#messenger = messenger;
    this.#connection = connection;
  }

  /**
   * Connects to a broker, or to the one of several endpoints that answers. Clients of one messenger for the same endpoints
   * share a connection.
   *
   * Without a broker the client is made all the same after `timeoutMs`, unless `required` is set.
   *
   * @param messenger Clients are known to the broker by its CURVE key, else by its instance id. It need not listen.
   * @throws {ZeromeshError} `PEER_UNREACHABLE` with `required`; `ENDPOINT_INVALID`; `FORBIDDEN`.
   * @throws {TypeError} If an argument has the wrong type.
   */
  static async connect(
    messenger: Messenger,
    endpoints: string | readonly string[],
    given?: BrokerClientOptions,
  ): Promise<BrokerClient> {
    const cannot = "Cannot connect to a broker";
    checkArgument("endpoints", endpoints, option.textOrTexts, cannot);
    const { serverKey, name, timeoutMs, required, signal } = withDefaults(
      readOptions(given, clientOptionTable, cannot),
      clientOptionTable,
    );
    const list = [endpoints].flat();
    if (list.length === 0) throw new TypeError(`${cannot}: there is no endpoint`);
    const connection = BrokerConnection.join(messenger, list, serverKey, name ?? null);
    try {
      await firstConnection(connection, timeoutMs, required, signal);
    } catch (error) {
      connection.leave();
      throw error;
    }
    return new BrokerClient(messenger, connection);
  }

  /** Who this client is to the broker: its CURVE key, else its instance id; null while no broker answers. */
  get identity(): string | null {
    return this.#connection.broker?.welcome.identity ?? null;
  }

  /** Resolves to why it has closed, and never rejects. */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** Waits until a broker answers. @throws {ZeromeshError} `PEER_UNREACHABLE`. */
  async whenConnected(given?: WaitOptions): Promise<void> {
    const { timeoutMs = 5_000, signal } = readOptions(given, waitOptionTable, "Cannot wait for a broker");
    this.requireOpen("wait for a broker");
    await this.#connection.whenUp(timeoutMs, signal);
  }

  /**
   * Registers this process as the producer of a channel whose data does not go through this library, such as shared memory.
   * For a channel of messages use {@link createChannel}.
   *
   * @returns True if the broker has it; false without a broker: it is registered as soon as one answers.
   * @throws {ZeromeshError} `SCHEMA_MISMATCH`, `CHANNEL_OWNED`, `PATTERN_MISMATCH`, `NAME_INVALID`, `FORBIDDEN`,
   * `LIMIT_REACHED`.
   */
  async registerProducer(
    channel: string | ChannelContract,
    given?: RegisterProducerOptions,
  ): Promise<boolean> {
    const cannot = "Cannot register a producer";
    const options = readOptions(given, registerProducerTable, cannot);
    this.requireOpen("register a producer");
    const named = namedBy(channel, cannot);
    const { name } = named;
    await this.#producers.get(name)?.drop();
    const entry = producerEntry(this.#connection, named, options, () => this.#producers.delete(name));
    this.#producers.set(name, entry);
    return await this.#begin(entry, this.#producers);
  }

  /**
   * Takes the registration of a producer back: its channel closes.
   *
   * @returns Whether the broker had it.
   * @throws {ZeromeshError} `STALE_INSTANCE`, if another instance of this identity has taken over.
   */
  async deregisterProducer(channel: string | ChannelContract): Promise<boolean> {
    return await this.#drop(this.#producers, channel, "Cannot deregister a producer");
  }

  /**
   * What the broker knows of a channel and its producer; null if there is no such channel, it closes, or there is no broker.
   *
   * @param given With `timeoutMs` it waits until the channel is there and ready. Without it, it answers at once.
   * @throws {ZeromeshError} `NAME_INVALID`, `FORBIDDEN`, `CHANNEL_NOT_READY`.
   */
  async discoverProducer(
    channel: string | ChannelContract,
    given?: WaitOptions,
  ): Promise<ChannelView | null> {
    const cannot = "Cannot discover a producer";
    const { timeoutMs = 0, signal } = readOptions(given, waitOptionTable, cannot);
    const { name } = namedBy(channel, cannot);
    this.requireOpen("discover a producer");
    try {
      const ask = () => this.#connection.request("discover", { channel: name });
      return await untilFound(this.#connection, timeoutMs, signal, ask);
    } catch (error) {
      const code = codeOf(error);
      if (absent.has(code)) return null;
      throw error;
    }
  }

  /**
   * Registers this process as a consumer of a channel whose data does not go through this library. For a channel of messages
   * use {@link connectChannel}.
   *
   * @returns The channel; null without a broker: it is registered as soon as one answers.
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`, `CHANNEL_NOT_READY`, `SCHEMA_MISMATCH`, `PATTERN_MISMATCH`,
   * `NAME_INVALID`, `FORBIDDEN`, `LIMIT_REACHED`.
   */
  async registerConsumer(
    channel: string | ChannelContract,
    given?: RegisterConsumerOptions,
  ): Promise<ChannelView | null> {
    const cannot = "Cannot register a consumer";
    const options = readOptions(given, registerConsumerTable, cannot);
    this.requireOpen("register a consumer");
    const named = namedBy(channel, cannot);
    const { name } = named;
    await this.#consumers.get(name)?.drop();
    const entry = consumerEntry(this.#connection, named, options, () => this.#consumers.delete(name));
    this.#consumers.set(name, entry);
    return await this.#begin(entry, this.#consumers) ? entry.view : null;
  }

  /**
   * Takes the registration of a consumer back.
   *
   * @returns Whether the broker had it.
   */
  async deregisterConsumer(channel: string | ChannelContract): Promise<boolean> {
    return await this.#drop(this.#consumers, channel, "Cannot deregister a consumer");
  }

  /**
   * Creates a channel, and registers this process as its producer; without a broker, as soon as one answers.
   *
   * @param contract What producer and consumers share.
   * @param given Facts for people, and the limits of what waits to be sent.
   * @throws {ZeromeshError} `SCHEMA_MISMATCH`, `PATTERN_MISMATCH`, `CHANNEL_OWNED`, `FORBIDDEN`, `LIMIT_REACHED`, `CLOSED`.
   * @throws {TypeError} If an option is unknown or has the wrong type.
   *
   * @example Usage
   * ```ts ignore
   * await using channel = await client.createChannel(readings);
   * await channel.send({ at: 1, celsius: 20.5 });
   * ```
   */
  async createChannel<Contract extends ChannelContract>(
    contract: Contract,
    given?: CreateChannelOptions,
  ): Promise<ChannelHandle<Contract, "producer">> {
    const cannot = "Cannot create a channel";
    const options = readOptions(given, createChannelTable, cannot);
    const { name } = contractIn(contract, cannot);
    this.requireOpen("create a channel");
    await this.#producers.get(name)?.drop();
    const { entry, handle } = await producedChannel(this.#connection, contract, options);
    this.#producers.set(name, entry);
    try {
      await this.#begin(entry, this.#producers);
    } catch (error) {
      handle.invalidate();
      throw error;
    }
    this.#keep(handle);
    return handle;
  }

  /**
   * Registers this process as a consumer of a channel, and opens it. The handle outlives the loss of the broker, and that of
   * the producer for as long as the broker knows the channel.
   *
   * @param contract What producer and consumers share.
   * @param given With `timeoutMs` it waits for a channel that is not there yet; without it, it fails at once.
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`, `CHANNEL_NOT_READY`, `SCHEMA_MISMATCH`, `PATTERN_MISMATCH`, `FORBIDDEN`,
   * `LIMIT_REACHED`; `PEER_UNREACHABLE` without a broker, or if the producer cannot be reached within `timeoutMs` (else
   * ten seconds, at least one): it may refuse this messenger's key; `CLOSED`.
   * @throws {TypeError} If an option is unknown or has the wrong type.
   *
   * @example Usage
   * ```ts ignore
   * await using channel = await client.connectChannel(readings, { timeoutMs: 5_000 });
   * for await (const { at, celsius } of channel) console.log(at, celsius);
   * ```
   */
  async connectChannel<Contract extends ChannelContract>(
    contract: Contract,
    given?: ConnectChannelOptions,
  ): Promise<ChannelHandle<Contract, "consumer">> {
    const cannot = "Cannot connect to a channel";
    const options = readOptions(given, connectChannelTable, cannot);
    contractIn(contract, cannot);
    this.requireOpen("connect to a channel");
    const { timeoutMs = 0, signal } = options;
    const channel = new ConsumerChannel(this.#connection, contract);
    await untilFound(this.#connection, timeoutMs, signal, () => channel.entry.begin());
    const handle = await channel.open(options);
    this.#keep(handle);
    return handle;
  }

  /** Closes a handle with the client. */
  #keep(handle: AsyncDisposable & { readonly closed: Promise<Ending> }): void {
    this.#handles.add(handle);
    void handle.closed.then(() => this.#handles.delete(handle));
  }

  /** What the broker tells this messenger from now on. */
  notices(options?: SubscribeOptions): AsyncIterableIterator<BrokerNotice | DroppedEntries> {
    this.requireOpen("get notices");
    return this.#connection.notices.subscribe(options);
  }

  /** A snapshot of the counters of its connection. */
  stats(): ConnectionStats {
    return this.#connection.stats();
  }

  /** Takes its registrations back, which closes its channels, and leaves the broker. */
  close(): Promise<void> {
    return this.#closing ??= this.#end.follow(this.#close());
  }

  /** {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#handles].map((handle) => handle[Symbol.asyncDispose]()));
    const entries: Registration[] = [...this.#producers.values(), ...this.#consumers.values()];
    await Promise.allSettled(entries.map((entry) => entry.drop()));
    this.#connection.leave();
  }

  async #begin<Entry extends Registration>(entry: Entry, entries: Map<string, Entry>): Promise<boolean> {
    try {
      if (this.connected) {
        await entry.begin();
        return true;
      }
    } catch (error) {
      if (codeOf(error) !== "PEER_UNREACHABLE" && codeOf(error) !== "PEER_DISCONNECTED") {
        if (entries.get(entry.channel) === entry) entries.delete(entry.channel);
        throw error;
      }
    }
    entry.remember();
    return false;
  }

  async #drop(
    entries: Map<string, Registration>,
    channel: string | ChannelContract,
    cannot: string,
  ): Promise<boolean> {
    const { name } = namedBy(channel, cannot);
    const entry = entries.get(name);
    entries.delete(name);
    return await entry?.drop() ?? false;
  }

  /** Whether {@link close} was called. */
  protected override get isClosed(): boolean {
    return this.#closing !== null;
  }
}

/** What an answer of "there is none" stands for. */
const absent: ReadonlySet<string> = new Set(["CHANNEL_NOT_FOUND", "CHANNEL_CLOSED", "PEER_UNREACHABLE"]);

function codeOf(error: unknown): string {
  return error instanceof ZeromeshError ? error.code : "";
}
