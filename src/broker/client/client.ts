import {
  Backoff,
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
import type { ChannelContract } from "../contract.ts";
import type { ChannelView, SchemaView } from "../protocol/contracts.ts";
import type { BrokerNotice } from "../protocol/notices.ts";
import { agreementOf } from "../schema_agreement.ts";
import { BrokerConnection, type ConnectionStats } from "./connection.ts";
import {
  type BrokerClientOptions,
  clientOptionTable,
  type RegisterConsumerOptions,
  registerConsumerTable,
  type RegisterProducerOptions,
  registerProducerTable,
} from "./options.ts";
import { ConsumerEntry, ProducerEntry, type Registration } from "./registrations.ts";
import { namedBy, peerOf, routeOf } from "./terms.ts";

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
export class BrokerClient implements AsyncDisposable {
  readonly #connection: BrokerConnection;
  readonly #messenger: Messenger;
  readonly #producers = new Map<string, ProducerEntry>();
  readonly #consumers = new Map<string, ConsumerEntry>();
  readonly #end = new EndOf();
  #closing: Promise<void> | null = null;

  private constructor(messenger: Messenger, connection: BrokerConnection) {
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
    signal?.throwIfAborted();
    const connection = BrokerConnection.join(messenger, list, serverKey, name ?? null);
    try {
      await connection.whenUp(timeoutMs, signal);
    } catch (error) {
      const late = error instanceof ZeromeshError && error.code === "PEER_UNREACHABLE";
      const hopeless = codeOf(connection.lastFailure);
      if (!late || required || hopeless === "ENDPOINT_INVALID" || hopeless === "VERSION_UNSUPPORTED") {
        connection.leave();
        throw late && hopeless !== "" && !required ? connection.lastFailure : error;
      }
      connection.port.logger.warn("No broker answers; the client goes on without one", {
        endpoints: list.join(", "),
      });
    }
    return new BrokerClient(messenger, connection);
  }

  /** Whether a broker answers now. */
  get connected(): boolean {
    return this.#connection.broker !== null;
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
    this.#requireOpen("wait for a broker");
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
    const { metadata = null, sharedMemory = null, pattern, schemaHash, schemaVersion } = options;
    this.#requireOpen("register a producer");
    const { name, contract } = namedBy(channel, cannot);
    const agreed: SchemaView = contract === null
      ? { hash: schemaHash ?? null, text: null, version: schemaVersion ?? "1" }
      : agreementOf(contract);
    await this.#producers.get(name)?.drop();
    const entry = new ProducerEntry(
      this.#connection,
      name,
      {
        pattern: contract?.pattern ?? pattern ?? "pipeline",
        schema: agreed,
        metadata,
        sharedMemory,
        route: routeOf(this.#messenger),
      },
      { ended: () => this.#producers.delete(name) },
      new Backoff(),
    );
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
   * What the broker knows of a channel and its producer; null if there is no such channel, or no broker.
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
    this.#requireOpen("discover a producer");
    return await this.#until(
      timeoutMs,
      signal,
      () => this.#connection.request("discover", { channel: name }),
    );
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
    const { schemaHash } = readOptions(given, registerConsumerTable, cannot);
    this.#requireOpen("register a consumer");
    const { name, contract } = namedBy(channel, cannot);
    const agreed = contract === null ? { hash: schemaHash ?? null, version: "1" } : agreementOf(contract);
    await this.#consumers.get(name)?.drop();
    const entry = new ConsumerEntry(
      this.#connection,
      name,
      {
        pattern: contract?.pattern ?? null,
        transport: null,
        schema: { hash: agreed.hash, version: agreed.version },
        peer: peerOf(this.#messenger),
      },
      { ended: () => this.#consumers.delete(name) },
      new Backoff(),
    );
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
   * Closes a channel: its own, or one that the broker's rules let it close.
   *
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`, `FORBIDDEN`, `PEER_UNREACHABLE`.
   */
  async closeChannel(channel: string | ChannelContract): Promise<void> {
    const { name } = namedBy(channel, "Cannot close a channel");
    this.#requireOpen("close a channel");
    await this.#connection.request("close", { channel: name });
  }

  /**
   * The channels that this client may see, in the order of their names; none without a broker.
   *
   * @param match A glob, such as `lab/*`.
   */
  async listChannels(match?: string): Promise<ChannelView[]> {
    this.#requireOpen("list channels");
    const channels: ChannelView[] = [];
    if (!this.connected) return channels;
    let after: string | undefined;
    for (;;) {
      const page = await this.#connection.request("list", { match, after });
      channels.push(...page.channels);
      after = page.next ?? undefined;
      if (after === undefined) return channels;
    }
  }

  /**
   * The schema of a channel, also of one that has ended; null without a broker, or if it is not known.
   *
   * @throws {ZeromeshError} `FORBIDDEN`.
   */
  async querySchema(channel: string | ChannelContract): Promise<SchemaView | null> {
    const { name } = namedBy(channel, "Cannot query a schema");
    this.#requireOpen("query a schema");
    if (!this.connected) return null;
    try {
      const { hash, text, version } = await this.#connection.request("schema", { channel: name });
      return { hash, text, version };
    } catch (error) {
      if (codeOf(error) === "SCHEMA_UNKNOWN" || codeOf(error) === "CHANNEL_NOT_FOUND") return null;
      throw error;
    }
  }

  /** What the broker tells its clients, from now on, about all channels of this messenger. */
  notices(options?: SubscribeOptions): AsyncIterableIterator<BrokerNotice | DroppedEntries> {
    this.#requireOpen("get notices");
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

  /** Repeats a request until it succeeds, or the time is over: then null, or the last error that is none of these. */
  async #until<T>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    ask: () => Promise<T>,
  ): Promise<T | null> {
    const { clock } = this.#connection.port;
    const until = clock.now() + timeoutMs;
    const backoff = new Backoff({ firstMs: 20, maxMs: 250 });
    for (;;) {
      signal?.throwIfAborted();
      try {
        if (this.connected) return await ask();
      } catch (error) {
        const code = codeOf(error);
        const passes = code === "CHANNEL_NOT_FOUND" || code === "CHANNEL_NOT_READY" ||
          code === "PEER_DISCONNECTED" || code === "PEER_UNREACHABLE";
        if (!passes || (code === "CHANNEL_NOT_READY" && clock.now() >= until)) throw error;
      }
      const left = until - clock.now();
      if (left <= 0) return null;
      await this.#connection.changed.change(
        Math.min(left, backoff.next()),
        signal ?? new AbortController().signal,
      );
    }
  }

  #requireOpen(what: string): void {
    if (this.#closing === null) return;
    throw new ZeromeshError("CLOSED", `Cannot ${what}: the broker client is closed`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof ZeromeshError ? error.code : "";
}
