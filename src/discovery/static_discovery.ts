import {
  type InstanceId,
  instanceId,
  option,
  type OptionTable,
  readOptions,
  type WorkerId,
  workerIdOf,
} from "../core/mod.ts";
import { type PeerEntry, type PeerInfo, peerInfoOfEntry } from "../messenger/mod.ts";
import {
  type LookupOptions,
  lookupSignal,
  type PeerDiscovery,
  type Registration,
  type ServiceDiscovery,
  type ServiceEvent,
  type WatchOptions,
} from "./discovery.ts";
import { checkServiceName, registration } from "./registration.ts";
import { ServiceWatch } from "./service_watch.ts";

/** Options of {@link StaticDiscovery}. */
export interface StaticDiscoveryOptions {
  /** Instances: results of `peerInfo()`, or `{ instanceId, endpoint, serverKey }` (`endpoints` for several). */
  peers?: readonly PeerEntry[] | undefined;
  /** Service name to instances. */
  services?: Readonly<Record<string, readonly string[]>> | undefined;
}

const optionTable: OptionTable<StaticDiscoveryOptions> = {
  peers: option.kind("an array of peers", Array.isArray),
  services: option.object,
};

/**
 * Discovery with fixed entries, and with the instances of this process that share the object.
 *
 * @example Usage
 * ```ts
 * import { contract, Messenger, service } from "zeromesh";
 * import { StaticDiscovery } from "zeromesh/discovery";
 * import { z } from "zod";
 *
 * const inc = contract("inc", { input: z.number(), output: z.number() });
 * const discovery = new StaticDiscovery();
 * await using server = await Messenger.create({ discovery, services: ["counting"] });
 * server.handle(inc, ({ input }) => input + 1);
 * await using client = await Messenger.create({ discovery });
 * console.log(await client.typedUnary(inc, { to: service("counting"), payload: 41 })); // 42
 * ```
 */
export class StaticDiscovery implements PeerDiscovery, ServiceDiscovery {
  readonly #peers = new Map<InstanceId, PeerInfo>();
  readonly #services = new Map<string, Set<InstanceId>>();
  readonly #watches = new Map<string, Set<ServiceWatch>>();

  /**
   * Adds the initial entries.
   *
   * @param given Initial entries.
   * @throws {TypeError} If one of them is not a peer, or not an instance id.
   * @throws {ZeromeshError} `ENDPOINT_INVALID`.
   */
  constructor(given?: StaticDiscoveryOptions) {
    const options = readOptions(given, optionTable, "Cannot make a StaticDiscovery");
    for (const entry of options.peers ?? []) {
      const info = peerInfoOfEntry(entry, "take an entry of peers into a StaticDiscovery");
      this.#peers.set(info.instanceId, info);
    }
    for (const [name, ids] of Object.entries(options.services ?? {})) {
      this.#services.set(checkServiceName(name), new Set(ids.map((id) => instanceId(id))));
    }
  }

  // Asynchronous, so that invalid options reject.
  // deno-lint-ignore require-await
  async discoverByInstanceId(id: InstanceId, options?: LookupOptions): Promise<PeerInfo | null> {
    lookupSignal(options);
    return this.#peers.get(id) ?? null;
  }

  // deno-lint-ignore require-await
  async discoverByWorkerId(id: WorkerId, options?: LookupOptions): Promise<PeerInfo | null> {
    lookupSignal(options);
    for (const info of this.#peers.values()) if (workerIdOf(info.instanceId) === id) return info;
    return null;
  }

  registerPeer(info: PeerInfo): Promise<Registration> {
    this.#peers.set(info.instanceId, info);
    return Promise.resolve(registration(() => {
      if (this.#peers.get(info.instanceId) === info) this.#peers.delete(info.instanceId);
    }));
  }

  listPeers(): Promise<PeerInfo[]> {
    return Promise.resolve([...this.#peers.values()]);
  }

  registerService(service: string, id: InstanceId): Promise<Registration> {
    checkServiceName(service);
    let ids = this.#services.get(service);
    if (ids === undefined) this.#services.set(service, ids = new Set());
    ids.add(id);
    for (const watch of this.#watches.get(service) ?? []) watch.add(id);
    return Promise.resolve(registration(() => this.#removeService(service, id)));
  }

  getInstances(service: string): Promise<InstanceId[]> {
    return Promise.resolve([...this.#services.get(service) ?? []]);
  }

  listServices(): Promise<string[]> {
    return Promise.resolve([...this.#services.keys()].sort());
  }

  watch(service: string, options?: WatchOptions): AsyncIterableIterator<ServiceEvent> {
    const watches = this.#watches.get(service) ?? new Set();
    this.#watches.set(service, watches);
    const watch: ServiceWatch = new ServiceWatch(options, () => {
      watches.delete(watch);
      if (watches.size === 0) this.#watches.delete(service);
    });
    watches.add(watch);
    watch.replace(this.#services.get(service) ?? []);
    return watch;
  }

  #removeService(service: string, id: InstanceId): void {
    const ids = this.#services.get(service);
    if (ids === undefined || !ids.delete(id)) return;
    if (ids.size === 0) this.#services.delete(service);
    for (const watch of this.#watches.get(service) ?? []) watch.remove(id);
  }
}
