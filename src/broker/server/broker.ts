import {
  Alarm,
  Deadlines,
  type Ending,
  EndOf,
  LeaseTable,
  onAbort,
  readOptions,
  withDefaults,
} from "../../core/mod.ts";
import { portOf, type SystemPort } from "../../messenger/mod.ts";
import { curveKeyPair, Messenger, type MessengerOptions } from "../../mod.ts";
import { ChannelRegistry } from "../registry/registry.ts";
import { type RegistryLimits, registryLimits } from "../registry/registry_client.ts";
import { ownProcess } from "../../runtime/mod.ts";
import type { ChannelView } from "../protocol/contracts.ts";
import type { BrokerAction } from "./access_rules.ts";
import { ChannelHost, ChannelRelay } from "../channels/mod.ts";
import { PlainDoor } from "../plain/mod.ts";
import { KeyList } from "./key_list.ts";
import { type BrokerKeys, type BrokerOptions, brokerOptionTable } from "./options.ts";
import { serveRequests } from "./requests.ts";
import { Sessions } from "./sessions.ts";
import { type BrokerStats, RequestCounts } from "./stats.ts";

/**
 * A broker: producers register channels with it, and consumers find them.
 *
 * The data of a channel goes from its producer to its consumers, and not through the broker, unless neither end listens.
 *
 * @example Usage
 * ```ts
 * import { Broker } from "zeromesh/broker";
 *
 * await using broker = await Broker.start({ endpoint: "tcp://127.0.0.1:0" });
 * console.log(broker.endpoint);
 * ```
 */
export class Broker implements AsyncDisposable {
  readonly #messenger: Messenger;
  readonly #registry: ChannelRegistry;
  readonly #sessions: Sessions;
  readonly #keys: KeyList;
  readonly #counts: RequestCounts;
  readonly #relay: ChannelRelay;
  readonly #publicKey: string | null;
  #door: PlainDoor | null = null;
  readonly #end = new EndOf();
  readonly #uses: Disposable[] = [];
  #closing: Promise<void> | null = null;

  private constructor(messenger: Messenger, port: SystemPort, parts: {
    readonly options: ReturnType<typeof optionsOf>;
    readonly keys: KeyList;
    readonly publicKey: string | null;
  }) {
    const { options, keys, publicKey } = parts;
    this.#messenger = messenger;
    this.#keys = keys;
    this.#publicKey = publicKey;
    const { clock } = port;
    const graceMs = options.heartbeatMs * options.missedHeartbeats;
    const sessions = this.#sessions = new Sessions();
    const leases = new LeaseTable<number>({
      clock,
      standstillMs: options.heartbeatMs,
      expired: (presence) => registry.expire(presence),
    });
    const deadlines = new Deadlines(clock);
    const registry: ChannelRegistry = this.#registry = new ChannelRegistry({
      notice: (client, notice) => {
        if (this.#door?.notice(client, notice) === true) return;
        const session = sessions.of(client.instance as never);
        if (session?.client.identity === client.identity) session.notice(notice);
      },
      renew: (presence) => void leases.renew(presence, graceMs),
      release: (presence) => {
        leases.remove(presence);
        this.#door?.released(presence);
      },
      grace: (channel, closing) =>
        deadlines.add(new Alarm(() => registry.graceOver(channel, closing)), options.closeGraceMs),
    }, limitsOf(options));
    const relay = this.#relay = new ChannelRelay(ChannelHost.of(port), (channel, { consumer, instance }) => {
      const found = registry.find(channel);
      const isConsumer = found?.consumer(consumer)?.client.instance === instance;
      return isConsumer && found?.route.transport === "stream" ? found.route.instance : null;
    });
    const counts = this.#counts = new RequestCounts();
    // The presences of an instance that is gone live on for the grace period, and their notices do not.
    const gone = new LeaseTable<string>({ clock, expired: (instance) => sessions.end(instance as never) });
    this.#uses.push(
      serveRequests({
        port,
        registry,
        sessions,
        keys,
        epoch: Math.floor(clock.wallNow()),
        heartbeatMs: options.heartbeatMs,
        graceMs,
        maxClients: options.maxClients,
        maxNotices: options.maxNotices,
        answered: (request, code) => counts.answered(request, code),
      }),
      port.watch({
        up: (peer) => void gone.remove(peer),
        lost: (peer, rest) => {
          if (rest !== "up" && sessions.of(peer) !== undefined) gone.renew(peer, graceMs);
        },
      }),
      gone,
      leases,
      keys,
      { [Symbol.dispose]: () => relay.close() },
      { [Symbol.dispose]: () => deadlines.close() },
      { [Symbol.dispose]: () => sessions.close() },
    );
    const { signal } = options;
    if (signal !== undefined) this.#uses.push(onAbort(signal, () => void this.close()));
  }

  /**
   * Starts a broker in this process.
   *
   * Without `keys` it uses CURVE unless all of its endpoints are loopback or IPC: then it makes a pair, and logs endpoint
   * and public key.
   *
   * @throws {TypeError} If an option has the wrong type or is unknown.
   * @throws {ZeromeshError} The errors of `Messenger.create`, such as `ADDRESS_IN_USE`.
   */
  static async start(given?: BrokerOptions): Promise<Broker> {
    const options = optionsOf(given);
    options.signal?.throwIfAborted();
    const pair = await keysOf(options);
    const keys = new KeyList();
    if (options.allow !== undefined) keys.set(options.allow);
    const messenger = await Messenger.create(messengerOptions(options, pair, keys));
    try {
      const port = portOf(messenger)!;
      if (options.allowFile !== undefined) keys.follow(options.allowFile, port.clock, port.logger);
      const publicKey = pair?.publicKey ?? null;
      const broker = new Broker(messenger, port, { options, keys, publicKey });
      try {
        await broker.#openDoor(options, pair, port);
      } catch (error) {
        await broker.close();
        throw error;
      }
      const { plainEndpoint } = broker;
      port.logger.info("The broker listens", { endpoint: messenger.endpoint, plainEndpoint, publicKey });
      return broker;
    } catch (error) {
      keys[Symbol.dispose]();
      await messenger.close();
      throw error;
    }
  }

  /** The first endpoint that clients can dial. */
  get endpoint(): string {
    return this.#messenger.endpoint;
  }

  /** All endpoints that clients can dial. */
  get endpoints(): readonly string[] {
    return this.#messenger.endpoints;
  }

  /** Where foreign programs connect; null without the option `plainEndpoint`. */
  get plainEndpoint(): string | null {
    return this.#door?.endpoint ?? null;
  }

  /** Its CURVE public key, which clients give as `serverKey`; null without CURVE. */
  get publicKey(): string | null {
    return this.#publicKey;
  }

  /** Resolves to why it has closed, and never rejects. */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** The channels, in the order of their names. @param match A glob, such as `lab/*`. */
  channels(match?: string): ChannelView[] {
    return this.#registry.list({ match, limit: Infinity }).channels;
  }

  /**
   * Closes a channel: producer and consumers are told, and consumers have the grace period to leave.
   *
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`.
   */
  closeChannel(name: string): void {
    const { instanceId } = this.#messenger;
    const self = { identity: instanceId, instance: instanceId, info: { ...ownProcess(), name: null } };
    this.#registry.closeChannel(self, name, { ofOthers: true });
  }

  /**
   * Lets only these keys in from now on, or `"any"`. A client whose key is not among them gets `FORBIDDEN`, and its
   * registrations end with the grace period.
   *
   * @throws {TypeError} If a key is none.
   */
  allow(keys: readonly string[] | "any"): void {
    this.#keys.set(keys);
  }

  /** A snapshot of the counters. */
  stats(): BrokerStats {
    return {
      clients: this.#sessions.size,
      registry: this.#registry.stats(),
      notices: this.#sessions.notices(),
      relay: this.#relay.stats(),
      plain: this.#door?.stats() ?? null,
      ...this.#counts.snapshot(),
    };
  }

  /** Closes it. Channels and their data go on without it, and clients come back when another one listens there. */
  close(): Promise<void> {
    return this.#closing ??= this.#end.follow(this.#close());
  }

  /** {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #openDoor(
    { plainEndpoint, authorize, heartbeatMs, missedHeartbeats, maxClients }: ReturnType<typeof optionsOf>,
    pair: BrokerKeys | null,
    { logger }: SystemPort,
  ): Promise<void> {
    if (plainEndpoint === undefined) return;
    this.#door = await PlainDoor.open({
      endpoint: plainEndpoint,
      curve: pair === null ? null : { ...pair, allow: (key) => this.#keys.has(key) },
      registry: this.#registry,
      logger,
      authorize: authorize &&
        (({ identity, key }, action, channel) => authorize({ action, channel, identity, key })),
      heartbeatMs,
      graceMs: heartbeatMs * missedHeartbeats,
      maxClients,
    });
  }

  async #close(): Promise<void> {
    for (const one of this.#uses) one[Symbol.dispose]();
    await this.#door?.close();
    await this.#messenger.close();
  }
}

function limitsOf(options: ReturnType<typeof optionsOf>): RegistryLimits {
  return Object.fromEntries(
    Object.keys(registryLimits).map((name) => [name, options[name as keyof RegistryLimits]]),
  );
}

// deno-lint-ignore explicit-function-return-type -- the defaults give it
function optionsOf(given: BrokerOptions | undefined) {
  return withDefaults(readOptions(given, brokerOptionTable, "Cannot start a broker"), brokerOptionTable);
}

/** Whether nobody but this host can reach an endpoint. */
function isLocal(endpoint: string): boolean {
  return /^(?:ipc|tcp:\/\/(?:127\.|localhost:|\[::1\]))/.test(endpoint);
}

async function keysOf(
  { keys, endpoint, plainEndpoint }: ReturnType<typeof optionsOf>,
): Promise<BrokerKeys | null> {
  if (keys === false) return null;
  if (keys !== undefined) return keys;
  return [endpoint, plainEndpoint ?? []].flat().every(isLocal) ? null : await curveKeyPair();
}

function messengerOptions(
  { endpoint, advertise, authorize, logger, meter, maxClients }: ReturnType<typeof optionsOf>,
  pair: BrokerKeys | null,
  keys: KeyList,
): MessengerOptions {
  return {
    endpoint,
    advertise,
    logger,
    meter,
    maxConnections: Math.max(maxClients, 16_384),
    ...(pair === null ? {} : { curve: { ...pair, allow: (key: string) => keys.has(key) } }),
    ...(authorize === undefined ? {} : {
      authorize: ({ subject, peerKey }) => {
        const action = subject?.["broker"];
        if (subject === null || action === undefined) return true;
        return authorize({
          action: action as BrokerAction,
          channel: subject["channel"] ?? "",
          identity: subject["identity"] ?? "",
          key: peerKey,
        });
      },
    }),
  };
}
