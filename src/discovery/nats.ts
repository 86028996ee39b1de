/**
 * Discovery through NATS: each instance answers for itself and for its services.
 *
 * Instances use Velo's subjects and encoding; services use zeromesh's own subjects. NATS stores nothing, so JetStream
 * is not needed. The back end needs the package `@nats-io/transport-node` (an optional dependency), and on Deno
 * `--allow-net` for the servers.
 *
 * @example Usage
 * ```ts ignore
 * import { Messenger, service } from "zeromesh";
 * import { NatsDiscovery } from "zeromesh/discovery/nats";
 *
 * const discovery = new NatsDiscovery({ servers: ["nats://10.0.0.5:4222"], cluster: "shop" });
 * await using messenger = await Messenger.create({ discovery, services: ["resize"] });
 * await messenger.unary("ping", { to: service("thumbnail") });
 * ```
 *
 * @module
 */
import type { NatsConnection, Subscription } from "@nats-io/transport-node";
import {
  type Clock,
  guardLogger,
  type InstanceId,
  instanceIdToBytes,
  type Logger,
  option,
  type OptionTable,
  readOptions,
  requireOption,
  systemClock,
  withDefaults,
  type WorkerId,
  workerIdOf,
} from "../core/mod.ts";
import { decodePeerInfo, encodePeerInfo, type PeerInfo } from "../messenger/mod.ts";
import { base58 } from "./base58.ts";
import {
  type LookupOptions,
  lookupSignal,
  type PeerDiscovery,
  type Registration,
  type ServiceDiscovery,
  type ServiceEvent,
  type WatchOptions,
} from "./discovery.ts";
import { longestTimerMs, NatsLink } from "./nats_link.ts";
import { NatsServices } from "./nats_services.ts";
import { checkServiceName, registration } from "./registration.ts";

/** Options of {@link NatsDiscovery}. */
export interface NatsDiscoveryOptions {
  /** The servers. @default {["nats://127.0.0.1:4222"]} */
  servers?: readonly string[] | undefined;
  /** Instances with the same cluster name find each other; it begins every subject. @default {"default"} */
  cluster?: string | undefined;
  /** Timeout of a lookup in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How long the services of a killed process outlive it, in milliseconds. @default {15_000} */
  ttlMs?: number | undefined;
  /** User and password, or a token, if the servers require them. Refused ones are `FORBIDDEN`. */
  auth?: { username: string; password: string } | { token: string } | undefined;
  /**
   * Certificates as PEM text, for servers with TLS: `ca` holds the trusted authorities, by default the runtime's;
   * `cert` and `key` are the client's, if the servers require them. Without this option TLS is used when the servers
   * demand it. An untrusted server, and one that refuses the certificate, is `PEER_UNREACHABLE`.
   */
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined } | undefined;
  /** Logger. @default {none} */
  logger?: Logger | undefined;
  /** Clock; for tests. */
  clock?: Clock | undefined;
}

const authTable: OptionTable<{ username: string; password: string; token: string }> = {
  username: option.text,
  password: option.secret,
  token: option.secret,
};

const tlsTable: OptionTable<NonNullable<NatsDiscoveryOptions["tls"]>> = {
  ca: option.secret,
  cert: option.secret,
  key: option.secret,
};

const optionTable = {
  servers: option.kind(
    "an array of strings, at least one",
    (value) => Array.isArray(value) && value.length > 0 && option.texts.fits(value),
  ).or(["nats://127.0.0.1:4222"]),
  cluster: option.text.or("default"),
  timeoutMs: option.duration.or(5_000),
  ttlMs: option.whole(1, 2 ** 31 - 1).or(15_000),
  auth: option.options(authTable),
  tls: option.options(tlsTable),
  logger: option.logger,
  clock: option.clock.or(systemClock),
} satisfies OptionTable<NatsDiscoveryOptions>;

const empty = new Uint8Array(new ArrayBuffer(0));

/**
 * Discovery through NATS. Instances answer lookups themselves, so an answer shows that its instance lives. An instance
 * announces its services repeatedly, and counts as dead when it has been silent for `ttlMs`.
 *
 * All uses of the object share one connection, which closes after the last one. It reconnects by itself, with its
 * subscriptions.
 */
export class NatsDiscovery implements PeerDiscovery, ServiceDiscovery {
  readonly #link: NatsLink;
  readonly #services: NatsServices;
  readonly #subjects: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #own = new Map<InstanceId, readonly Subscription[]>();

  /**
   * Connects at first use.
   *
   * @param given Servers and cluster; all options have defaults.
   * @throws {TypeError} If the cluster's name cannot be part of a subject.
   */
  constructor(given?: NatsDiscoveryOptions) {
    const options = withDefaults(readOptions(given, optionTable, "Cannot make a NatsDiscovery"), optionTable);
    const { servers, cluster, auth, tls, ttlMs, timeoutMs, clock } = options;
    this.#subjects = `${checkServiceName(cluster, "a cluster")}.velo.discover`;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    const logger = guardLogger(options.logger);
    if (auth !== undefined && !("token" in auth)) {
      for (const name of ["username", "password"] as const) {
        requireOption(auth, name, authTable, "Cannot make a NatsDiscovery with this auth");
      }
    }
    const link = this.#link = new NatsLink({ servers, timeoutMs, auth, tls, clock, logger });
    this.#services = new NatsServices({ link, cluster, timeoutMs, ttlMs, clock });
  }

  async discoverByInstanceId(id: InstanceId, options?: LookupOptions): Promise<PeerInfo | null> {
    const info = await this.#ask(
      `${this.#subjects}.instance.${base58(instanceIdToBytes(id))}`,
      lookupSignal(options),
    );
    return info?.instanceId === id ? info : null;
  }

  async discoverByWorkerId(id: WorkerId, options?: LookupOptions): Promise<PeerInfo | null> {
    const info = await this.#ask(`${this.#subjects}.worker.${id}`, lookupSignal(options));
    return info !== null && workerIdOf(info.instanceId) === id ? info : null;
  }

  async registerPeer(info: PeerInfo): Promise<Registration> {
    const link = this.#link;
    const use = link.use();
    const reply = encodePeerInfo(info);
    const subscriptions: Subscription[] = [];
    let connection: NatsConnection;
    try {
      connection = await link.connect();
      const subjects = [
        `${this.#subjects}.instance.${base58(instanceIdToBytes(info.instanceId))}`,
        `${this.#subjects}.worker.${workerIdOf(info.instanceId)}`,
      ];
      for (const subject of subjects) {
        subscriptions.push(connection.subscribe(subject, {
          callback: (error, message) => {
            if (error === null) message.respond(reply);
          },
        }));
      }
      // The subscriptions of an earlier registration of this id end.
      for (const subscription of this.#own.get(info.instanceId) ?? []) subscription.unsubscribe();
      this.#own.set(info.instanceId, subscriptions);
      // Lookups from now on find this instance.
      await connection.flush();
    } catch (error) {
      if (this.#own.get(info.instanceId) === subscriptions) this.#own.delete(info.instanceId);
      for (const subscription of subscriptions) subscription.unsubscribe();
      await use[Symbol.asyncDispose]();
      throw link.unreachable(error);
    }
    return registration(async () => {
      if (this.#own.get(info.instanceId) === subscriptions) this.#own.delete(info.instanceId);
      for (const subscription of subscriptions) subscription.unsubscribe();
      // Without it a lookup right after this may get no answer, until the server has the subscription.
      if (link.users > 1) await link.flushed(connection);
      await use[Symbol.asyncDispose]();
    });
  }

  registerService(service: string, id: InstanceId): Promise<Registration> {
    return this.#services.register(service, id);
  }

  getInstances(service: string): Promise<InstanceId[]> {
    return this.#services.instances(service);
  }

  listServices(): Promise<string[]> {
    return this.#services.list();
  }

  watch(service: string, options?: WatchOptions): AsyncIterableIterator<ServiceEvent> {
    return this.#services.watch(service, options);
  }

  use(): AsyncDisposable {
    return this.#link.use();
  }

  async #ask(subject: string, signal: AbortSignal | undefined): Promise<PeerInfo | null> {
    signal?.throwIfAborted();
    const link = this.#link;
    using _use = link.useBriefly();
    let connected = false;
    let heard = false;
    let outages = 0;
    let cancel = (): void => {};
    try {
      const connection = await link.connect();
      connected = true;
      outages = link.outages;
      // The server itself may be silent: it is asked before the time is up.
      cancel = this.#clock.after(this.#timeoutMs / 2, async () => heard = await link.flushed(connection));
      const reply = await connection.request(subject, empty, {
        timeout: Math.min(this.#timeoutMs, longestTimerMs),
      });
      return decodePeerInfo(reply.data);
    } catch (error) {
      const what = error instanceof Error ? `${error.name} ${error.message}` : "";
      // No subscriber on the subject, or its process was lost.
      if (connected && /no responders/i.test(what)) return null;
      if (heard && outages === link.outages && /timeout/i.test(what)) return null;
      throw link.unreachable(error);
    } finally {
      cancel();
    }
  }
}
