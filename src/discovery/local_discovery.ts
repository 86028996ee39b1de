import { mkdirSync, readdirSync } from "node:fs";
import {
  type Clock,
  type Filled,
  type InstanceId,
  isInstanceId,
  option,
  type OptionTable,
  readOptions,
  systemClock,
  withDefaults,
  type WorkerId,
  workerIdOf,
} from "../core/mod.ts";
import { type PeerInfo, peerInfoToJson } from "../messenger/mod.ts";
import { type FileLocks, openFileLocks } from "../runtime/mod.ts";
import { DirectoryWatcher } from "./directory_watcher.ts";
import {
  type LookupOptions,
  lookupSignal,
  type PeerDiscovery,
  type Registration,
  type ServiceDiscovery,
  type ServiceEvent,
  type WatchOptions,
} from "./discovery.ts";
import { LockedEntries } from "./locked_entries.ts";
import { defaultMeshDirectory, ensureOwnDirectory } from "./own_directory.ts";
import { checkServiceName, peerInfoOfText, registration } from "./registration.ts";
import { ServiceWatch } from "./service_watch.ts";

/** Options of {@link LocalDiscovery}. */
export interface LocalDiscoveryOptions {
  /** Instances with the same mesh name find each other. @default {"default"} */
  mesh?: string | undefined;
  /** Parent folder of meshes, the same for all processes. @default {"/tmp/zeromesh-UID"} */
  directory?: string | undefined;
  /** Interval of checks for killed processes, in milliseconds; the kernel gives no notice of those. @default {1_000} */
  sweepMs?: number | undefined;
  /** Clock; for tests. */
  clock?: Clock | undefined;
}

const optionTable = {
  mesh: option.text.or("default"),
  directory: option.text,
  sweepMs: option.interval.or(1_000),
  clock: option.clock.or(systemClock),
} satisfies OptionTable<LocalDiscoveryOptions>;

/**
 * Discovery for one user's instances on one host, through a folder that only this user can access. It needs no server
 * and no configuration.
 *
 * Each process locks its entries; an entry that can be locked belongs to a dead process, and the finder sweeps it. On
 * Deno it needs `--allow-write` for the folder.
 *
 * @example Usage
 * ```ts ignore
 * // service
 * const discovery = new LocalDiscovery({ mesh: "shop" });
 * await using messenger = await Messenger.create({ discovery, services: ["resize"] });
 * // another process
 * await using client = await Messenger.create({ discovery: new LocalDiscovery({ mesh: "shop" }) });
 * await client.typedUnary(resize, { to: service("resize"), payload });
 * ```
 */
export class LocalDiscovery implements PeerDiscovery, ServiceDiscovery {
  readonly #options: Filled<LocalDiscoveryOptions, typeof optionTable>;
  #opened: Promise<FileLocks> | undefined;
  #directory = "";

  /**
   * Creates the folder at first use.
   *
   * @param given The mesh's name; all options have defaults.
   * @throws {TypeError} If the name is not valid as a file name.
   */
  constructor(given?: LocalDiscoveryOptions) {
    const options = readOptions(given, optionTable, "Cannot make a LocalDiscovery");
    this.#options = withDefaults(options, optionTable);
    checkServiceName(this.#options.mesh, "a mesh");
  }

  async discoverByInstanceId(id: InstanceId, options?: LookupOptions): Promise<PeerInfo | null> {
    lookupSignal(options);
    return peerInfoOfText((await this.#peers()).read(id));
  }

  async discoverByWorkerId(id: WorkerId, options?: LookupOptions): Promise<PeerInfo | null> {
    lookupSignal(options);
    const peers = await this.#peers();
    const name = peers.names().find((name) => isInstanceId(name) && workerIdOf(name) === id);
    return name === undefined ? null : peerInfoOfText(peers.read(name));
  }

  async registerPeer(info: PeerInfo): Promise<Registration> {
    const entry = (await this.#peers()).create(info.instanceId, JSON.stringify(peerInfoToJson(info)));
    return registration(() => entry[Symbol.dispose]());
  }

  async listPeers(): Promise<PeerInfo[]> {
    const peers = await this.#peers();
    return peers.names().map((name) => peerInfoOfText(peers.read(name))).filter((info) => info !== null);
  }

  async registerService(service: string, id: InstanceId): Promise<Registration> {
    const entry = (await this.#offers(service)).create(id, "");
    return registration(() => entry[Symbol.dispose]());
  }

  async getInstances(service: string): Promise<InstanceId[]> {
    return (await this.#offers(service)).live().filter(isInstanceId);
  }

  async listServices(): Promise<string[]> {
    const locks = await this.#open();
    const found: string[] = [];
    for (const service of readdirSync(`${this.#directory}/services`).sort()) {
      const entries = new LockedEntries(`${this.#directory}/services/${service}`, locks);
      if (entries.live().some(isInstanceId)) found.push(service);
    }
    return found;
  }

  watch(service: string, options?: WatchOptions): AsyncIterableIterator<ServiceEvent> {
    checkServiceName(service);
    return ServiceWatch.following(options, (watch, ended) => this.#follow(service, watch, ended));
  }

  async #follow(service: string, watch: ServiceWatch, ended: Promise<void>): Promise<void> {
    const entries = await this.#offers(service);
    const known = new Set<InstanceId>();
    const look = (sweep: boolean): void => {
      const names = new Set(entries.names().filter(isInstanceId));
      for (const id of known) if (!names.has(id) || (sweep && !entries.lives(id))) known.delete(id);
      for (const id of names) if (!known.has(id) && entries.lives(id)) known.add(id);
      watch.replace(known);
    };
    using _notices = new DirectoryWatcher(`${this.#directory}/services/${service}`, {
      clock: this.#options.clock,
      pollMs: this.#options.sweepMs,
      concerns: isInstanceId,
      look,
    });
    look(true);
    await ended;
  }

  async #peers(): Promise<LockedEntries> {
    const locks = await this.#open();
    return new LockedEntries(`${this.#directory}/peers`, locks);
  }

  async #offers(service: string): Promise<LockedEntries> {
    checkServiceName(service);
    const locks = await this.#open();
    const directory = `${this.#directory}/services/${service}`;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return new LockedEntries(directory, locks);
  }

  /** Creates the folders at first use. */
  #open(): Promise<FileLocks> {
    this.#opened ??= (async () => {
      const { directory, mesh } = this.#options;
      const base = directory ?? defaultMeshDirectory();
      if (directory === undefined) ensureOwnDirectory(base);
      this.#directory = `${base}/${mesh}`;
      ensureOwnDirectory(this.#directory);
      for (const name of ["peers", "services"]) {
        mkdirSync(`${this.#directory}/${name}`, { recursive: true, mode: 0o700 });
      }
      return await openFileLocks();
    })();
    this.#opened.catch(() => this.#opened = undefined);
    return this.#opened;
  }
}
