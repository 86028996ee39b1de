/**
 * Discovery through NATS: each instance answers for itself, and so do those that offer a service.
 *
 * Instances are found in Velo's subjects and encoding; the subjects of services are ours. NATS keeps nothing, so it needs
 * no JetStream. It needs the package `@nats-io/transport-node` (an optional dependency). On Deno it needs `--allow-net`
 * for the servers.
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

/** What a {@link NatsDiscovery} is given. */
export interface NatsDiscoveryOptions {
  /** The servers. @default {["nats://127.0.0.1:4222"]} */
  servers?: readonly string[] | undefined;
  /** Instances with the same name here find each other; the first part of every subject. @default {"default"} */
  cluster?: string | undefined;
  /** How long a lookup may take, in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How long the services of a process that was killed outlive it, in milliseconds. @default {15_000} */
  ttlMs?: number | undefined;
  /** User and password, or a token, where the servers ask for them. Refused ones are `FORBIDDEN`. */
  auth?: { username: string; password: string } | { token: string } | undefined;
  /**
   * Certificates as PEM text, where the servers want TLS: `ca` is who vouches for them, by default whom the runtime
   * trusts; `cert` and `key` are the client's, where they ask for one. Without this option TLS is used when the servers
   * demand it. A server that cannot be trusted, or that refuses the certificate, is `PEER_UNREACHABLE`.
   */
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined } | undefined;
  /** Where to log. @default {nowhere} */
  logger?: Logger | undefined;
  /** Where time comes from; for tests. */
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

const optionTable: OptionTable<NatsDiscoveryOptions> = {
  servers: option.kind(
    "an array of strings, at least one",
    (value) => Array.isArray(value) && value.length > 0 && option.texts.fits(value),
  ),
  cluster: option.text,
  timeoutMs: option.duration,
  ttlMs: option.whole(1, 2 ** 31 - 1),
  auth: option.options(authTable),
  tls: option.options(tlsTable),
  logger: option.logger,
  clock: option.clock,
};

/** Every default of {@link NatsDiscoveryOptions}. */
const natsDiscoveryDefaults = Object.freeze({
  servers: Object.freeze(["nats://127.0.0.1:4222"]),
  cluster: "default",
  timeoutMs: 5_000,
  ttlMs: 15_000,
});

const empty = new Uint8Array(new ArrayBuffer(0));

/**
 * Instances find each other, and services, by asking; each one answers for itself, so what answers lives. Whoever
 * offers a service says so again and again, and is taken for dead when it has been silent for `ttlMs`.
 *
 * One connection is shared by everything that uses the object and closed when nothing does. It reconnects by
 * itself, with its subscriptions.
 */
export class NatsDiscovery implements PeerDiscovery, ServiceDiscovery {
  readonly #link: NatsLink;
  readonly #services: NatsServices;
  readonly #subjects: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #own = new Map<InstanceId, readonly Subscription[]>();

  /**
   * Dials nothing yet: NATS is asked at first use.
   *
   * @param given Where NATS is; all options have defaults.
   * @throws {TypeError} If the cluster's name cannot be part of a subject.
   */
  constructor(given?: NatsDiscoveryOptions) {
    const options = readOptions(given, optionTable, "Cannot make a NatsDiscovery");
    const d = natsDiscoveryDefaults;
    const cluster = checkServiceName(options.cluster ?? d.cluster, "a cluster");
    this.#subjects = `${cluster}.velo.discover`;
    const timeoutMs = this.#timeoutMs = options.timeoutMs ?? d.timeoutMs;
    const clock = this.#clock = options.clock ?? systemClock;
    const logger = guardLogger(options.logger);
    const { servers = d.servers, auth, tls, ttlMs = d.ttlMs } = options;
    if (auth !== undefined && !("token" in auth)) {
      for (const name of ["username", "password"] as const) {
        requireOption(auth, name, authTable, "Cannot make a NatsDiscovery with this auth");
      }
    }
    const link = this.#link = new NatsLink({ servers: [...servers], timeoutMs, auth, tls, clock, logger });
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
      // An earlier registration of this id answers no more.
      for (const subscription of this.#own.get(info.instanceId) ?? []) subscription.unsubscribe();
      this.#own.set(info.instanceId, subscriptions);
      // Whoever is told of this instance from now on finds it.
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
      // Until the server has heard of it, it hands questions to nobody, and who asks waits in vain.
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
      // Silence can be that of the server: it is asked whether it is there before the time is up.
      cancel = this.#clock.after(this.#timeoutMs / 2, async () => heard = await link.flushed(connection));
      const reply = await connection.request(subject, empty, {
        timeout: Math.min(this.#timeoutMs, longestTimerMs),
      });
      return decodePeerInfo(reply.data);
    } catch (error) {
      const what = error instanceof Error ? `${error.name} ${error.message}` : "";
      // Nobody listens on the subject, or whoever did is gone without a word.
      if (connected && /no responders/i.test(what)) return null;
      if (heard && outages === link.outages && /timeout/i.test(what)) return null;
      throw link.unreachable(error);
    } finally {
      cancel();
    }
  }
}
