/**
 * Discovery through etcd: addresses and services as keys bound to leases, watched.
 *
 * Services have the keys that Velo uses; addresses have zeromesh's own, since Velo keeps none in etcd. The back end
 * uses etcd's JSON gateway (etcd 3.4 or newer) without a client library. On Deno it needs `--allow-net` for the
 * servers.
 *
 * @example Usage
 * ```ts ignore
 * import { Messenger, service } from "zeromesh";
 * import { EtcdDiscovery } from "zeromesh/discovery/etcd";
 *
 * const discovery = new EtcdDiscovery({ endpoints: ["http://10.0.0.5:2379"], cluster: "shop" });
 * await using messenger = await Messenger.create({ endpoint: "tcp://0.0.0.0:0", discovery, services: ["resize"] });
 * ```
 *
 * @module
 */
import {
  type Clock,
  guardLogger,
  type InstanceId,
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
import { type PeerInfo, peerInfoToJson } from "../messenger/mod.ts";
import {
  type LookupOptions,
  lookupSignal,
  type PeerDiscovery,
  type Registration,
  type ServiceDiscovery,
  type ServiceEvent,
  type WatchOptions,
} from "./discovery.ts";
import { EtcdGateway, type EtcdTls } from "./etcd_gateway.ts";
import { entriesOf, type EtcdEntry, toBase64, underPrefix } from "./etcd_keys.ts";
import { EtcdLease } from "./etcd_lease.ts";
import { followPrefix } from "./etcd_watch.ts";
import { checkServiceName, peerInfoOfText, registration } from "./registration.ts";
import { ServiceWatch } from "./service_watch.ts";

export type { EtcdTls } from "./etcd_gateway.ts";

/** Options of {@link EtcdDiscovery}. */
export interface EtcdDiscoveryOptions {
  /** Client URLs of the servers. @default {["http://127.0.0.1:2379"]} */
  endpoints?: readonly string[] | undefined;
  /** Instances with the same cluster name find each other. @default {"default"} */
  cluster?: string | undefined;
  /**
   * User and password, if etcd requires them. etcd's token is renewed when it has expired; refused credentials are
   * `FORBIDDEN`.
   */
  auth?: { username: string; password: string } | undefined;
  /** Certificates, for `https://` endpoints. */
  tls?: EtcdTls | undefined;
  /** How long entries outlive a killed process, in milliseconds. @default {30_000} */
  ttlMs?: number | undefined;
  /** Timeout of one request in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** Logger. @default {none} */
  logger?: Logger | undefined;
  /** Clock; for tests. */
  clock?: Clock | undefined;
}

const authTable: OptionTable<{ username: string; password: string }> = {
  username: option.text,
  password: option.secret,
};

const tlsTable: OptionTable<EtcdTls> = {
  ca: option.secret,
  cert: option.secret,
  key: option.secret,
  serverName: option.text,
};

const optionTable = {
  endpoints: option.kind(
    "an array of strings, all of them http:// or https:// URLs",
    (value) =>
      Array.isArray(value) && value.length > 0 && value.every((one) => /^https?:\/\/[^/]/.test(String(one))),
  ).or(["http://127.0.0.1:2379"]),
  cluster: option.text.or("default"),
  auth: option.options(authTable),
  tls: option.options(tlsTable),
  ttlMs: option.interval.or(30_000),
  timeoutMs: option.duration.or(5_000),
  logger: option.logger,
  clock: option.clock.or(systemClock),
} satisfies OptionTable<EtcdDiscoveryOptions>;

/** Discovery through etcd. */
export class EtcdDiscovery implements PeerDiscovery, ServiceDiscovery {
  readonly #gateway: EtcdGateway;
  readonly #lease: EtcdLease;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #own = new Map<InstanceId, object>();

  /**
   * Connects at first use.
   *
   * @param given Servers and cluster; all options have defaults.
   * @throws {TypeError} If an endpoint is not an `http://` or `https://` URL.
   */
  constructor(given?: EtcdDiscoveryOptions) {
    const options = withDefaults(
      readOptions(given, optionTable, "Cannot make an EtcdDiscovery"),
      optionTable,
    );
    const { auth = null, endpoints, tls = {}, cluster, timeoutMs, ttlMs, clock } = options;
    if (auth !== null) {
      for (const name of ["username", "password"] as const) {
        requireOption(auth, name, authTable, "Cannot make an EtcdDiscovery with this auth");
      }
    }
    this.#clock = clock;
    const logger = this.#logger = guardLogger(options.logger);
    this.#root = `/velo/${checkServiceName(cluster, "a cluster")}`;
    const gateway = this.#gateway = new EtcdGateway({ endpoints, auth, tls, timeoutMs, clock });
    this.#lease = new EtcdLease({ gateway, ttlMs, clock, logger });
  }

  async discoverByInstanceId(id: InstanceId, options?: LookupOptions): Promise<PeerInfo | null> {
    return await this.#readInfo(`${this.#root}/peers/${id}`, lookupSignal(options));
  }

  async discoverByWorkerId(id: WorkerId, options?: LookupOptions): Promise<PeerInfo | null> {
    return await this.#readInfo(`${this.#root}/workers/${id}`, lookupSignal(options));
  }

  async registerPeer(info: PeerInfo): Promise<Registration> {
    const text = JSON.stringify(peerInfoToJson(info));
    const keys = [
      `${this.#root}/peers/${info.instanceId}`,
      `${this.#root}/workers/${workerIdOf(info.instanceId)}`,
    ];
    await Promise.all(keys.map((key) => this.#lease.put(key, text)));
    const own = {};
    this.#own.set(info.instanceId, own);
    return registration(async () => {
      // A later registration owns the keys now.
      if (this.#own.get(info.instanceId) !== own) return;
      this.#own.delete(info.instanceId);
      await Promise.all(keys.map((key) => this.#lease.remove(key)));
    });
  }

  async listPeers(): Promise<PeerInfo[]> {
    const entries = await this.#range(underPrefix(`${this.#root}/peers/`));
    return entries.map(({ value }) => peerInfoOfText(value)).filter((info) => info !== null);
  }

  async registerService(service: string, id: InstanceId): Promise<Registration> {
    const key = `${this.#root}/services/${checkServiceName(service)}/${id}`;
    await this.#lease.put(key, id);
    return registration(() => this.#lease.remove(key));
  }

  async getInstances(service: string): Promise<InstanceId[]> {
    const prefix = `${this.#root}/services/${checkServiceName(service)}/`;
    const entries = await this.#range({ ...underPrefix(prefix), keys_only: true });
    return entries.map(({ key }) => key.slice(prefix.length) as InstanceId);
  }

  async listServices(): Promise<string[]> {
    const prefix = `${this.#root}/services/`;
    const entries = await this.#range({ ...underPrefix(prefix), keys_only: true });
    return [...new Set(entries.map(({ key }) => key.slice(prefix.length).split("/")[0] ?? ""))].sort();
  }

  watch(service: string, options?: WatchOptions): AsyncIterableIterator<ServiceEvent> {
    const prefix = `${this.#root}/services/${checkServiceName(service)}/`;
    const stop = new AbortController();
    const watch = new ServiceWatch(options, () => stop.abort());
    const { signal } = stop;
    void followPrefix(
      { gateway: this.#gateway, prefix, clock: this.#clock, logger: this.#logger, signal },
      watch,
    );
    return watch;
  }

  async #readInfo(key: string, signal: AbortSignal | undefined): Promise<PeerInfo | null> {
    const [entry] = await this.#range({ key: toBase64(key) }, signal);
    return entry === undefined ? null : peerInfoOfText(entry.value);
  }

  async #range(range: Record<string, unknown>, signal?: AbortSignal): Promise<EtcdEntry[]> {
    return entriesOf(await this.#gateway.call("/v3/kv/range", range, signal));
  }
}
