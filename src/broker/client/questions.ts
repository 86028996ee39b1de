import { checkArgument, option, ZeromeshError } from "../../core/mod.ts";
import type { ChannelContract } from "../contract.ts";
import type { ChannelView, SchemaView } from "../protocol/channel_view.ts";
import type { BrokerConnection } from "./connection.ts";
import { namedBy } from "./terms.ts";

/** A role that somebody has at a channel. */
export interface ChannelPresence {
  /** The channel. */
  readonly channel: string;
  /** As what it is registered there. */
  readonly role: "producer" | "consumer";
}

/** Counters that a producer or a consumer has reported. */
export interface ChannelMetrics {
  /** The channel. */
  readonly channel: string;
  /** Who has reported them: as what it is registered. */
  readonly role: "producer" | "consumer";
  /** Its CURVE key, else its instance id. */
  readonly identity: string;
  /** The broker's number for its registration. */
  readonly presence: number;
  /** The counters. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a client asks its broker beside registrations. */
export abstract class BrokerQuestions {
  readonly #parts: { readonly connection: object };

  /**
   * Used by `BrokerClient.connect`.
   *
   * @param parts Holds the connection.
   */
  constructor(parts: { readonly connection: object }) {
    this.#parts = parts;
  }

  get #connection(): BrokerConnection {
    return this.#parts.connection as BrokerConnection;
  }

  /** Whether a broker answers now. */
  get connected(): boolean {
    return this.#connection.broker !== null;
  }

  /** Whether the client is closed. */
  protected abstract get isClosed(): boolean;

  /** Fails once the client is closed. */
  protected requireOpen(what: string): void {
    if (this.isClosed) throw new ZeromeshError("CLOSED", `Cannot ${what}: the client is closed`);
  }

  /**
   * Closes a channel: its own, or one that the broker's rules let it close.
   *
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`, `NOT_REGISTERED`, `FORBIDDEN`, `PEER_UNREACHABLE`.
   */
  async closeChannel(channel: string | ChannelContract): Promise<void> {
    const { name } = namedBy(channel, "Cannot close a channel");
    this.requireOpen("close a channel");
    await this.#connection.request("close", { channel: name });
  }

  /**
   * The channels that this client may see, in the order of their names; none without a broker.
   *
   * @param match A glob, such as `lab/*`.
   */
  async listChannels(match?: string): Promise<ChannelView[]> {
    this.requireOpen("list channels");
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
    this.requireOpen("query a schema");
    if (!this.connected) return null;
    try {
      const { hash, text, version } = await this.#connection.request("schema", { channel: name });
      return { hash, text, version };
    } catch (error) {
      if (error instanceof ZeromeshError && error.code === "SCHEMA_UNKNOWN") return null;
      throw error;
    }
  }

  /**
   * Tells the producer of a channel something: it gets `channelEvent` among its notices, with this client's identity.
   *
   * @param event The name of the event, at most 256 characters.
   * @param data JSON.
   * @returns How many were told; 0 if there is no such channel, or no broker.
   */
  async notify(channel: string | ChannelContract, event: string, data: unknown = null): Promise<number> {
    const cannot = "Cannot notify a producer";
    checkArgument("event", event, option.string, cannot);
    const { name } = namedBy(channel, cannot);
    this.requireOpen("notify a producer");
    if (!this.connected) return 0;
    return (await this.#connection.request("notify", { channel: name, event, data })).told;
  }

  /**
   * Tells producer and consumers of a channel something: they get `broadcast` among their notices, with this client's identity.
   *
   * @param message A text, at most 65 536 characters.
   * @param data JSON.
   * @returns How many were told; 0 if there is no such channel, or no broker.
   */
  async broadcast(channel: string | ChannelContract, message: string, data: unknown = null): Promise<number> {
    const cannot = "Cannot broadcast";
    checkArgument("message", message, option.string, cannot);
    const { name } = namedBy(channel, cannot);
    this.requireOpen("broadcast");
    if (!this.connected) return 0;
    return (await this.#connection.request("broadcast", { channel: name, message, data })).told;
  }

  /** The roles of an identity, as far as this client may see its channels; none without a broker. */
  async queryPresence(identity: string): Promise<readonly ChannelPresence[]> {
    checkArgument("identity", identity, option.text, "Cannot query a presence");
    this.requireOpen("query a presence");
    return this.connected ? (await this.#connection.request("presence", { identity })).roles : [];
  }

  /**
   * Reports counters of a channel that this messenger has registered. They go with the next heartbeat, and again to each broker
   * that is reached.
   *
   * @returns False if it has no such registration.
   */
  reportMetrics(channel: string | ChannelContract, metrics: Readonly<Record<string, number>>): boolean {
    const cannot = "Cannot report metrics";
    checkArgument("metrics", metrics, option.object, cannot);
    const { name } = namedBy(channel, cannot);
    this.requireOpen("report metrics");
    return this.#connection.report(name, { ...metrics });
  }

  /** The counters that producers and consumers have reported, of one channel or of all; none without a broker. */
  async queryMetrics(channel?: string | ChannelContract): Promise<readonly ChannelMetrics[]> {
    const name = channel === undefined ? undefined : namedBy(channel, "Cannot query metrics").name;
    this.requireOpen("query metrics");
    if (!this.connected) return [];
    return (await this.#connection.request("metrics", { channel: name })).channels;
  }
}
