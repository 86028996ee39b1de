import { basename, dirname } from "node:path";
import {
  type Clock,
  errorText,
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
  ZeromeshError,
} from "../core/mod.ts";
import { endpointsOf, type PeerInfo } from "../messenger/mod.ts";
import { DirectoryWatcher } from "./directory_watcher.ts";
import {
  type LookupOptions,
  lookupSignal,
  type PeerDiscovery,
  type Registration,
  type ServiceDiscovery,
  type ServiceEvent,
  type StaleReason,
  type WatchOptions,
} from "./discovery.ts";
import {
  emptyFiles,
  type FileEntry,
  fileEntry,
  formatPeers,
  formatServices,
  infoOf,
  parsePeers,
  parseServices,
} from "./file_format.ts";
import { connectionRefused } from "./connection_refused.ts";
import { checkServiceName, registration } from "./registration.ts";
import { ServiceWatch } from "./service_watch.ts";
import { SharedFile } from "./shared_file.ts";

/** Options of {@link FileDiscovery}. */
export interface FileDiscoveryOptions {
  /** The file of instances, in Velo's format; created if necessary. */
  path: string;
  /** The file of services, in Velo's format. @default {the path with ".services" before its extension} */
  servicesPath?: string | undefined;
  /** Interval of polling the files when the kernel gives no notice, in milliseconds. @default {2_000} */
  pollMs?: number | undefined;
  /** Timeout of locking the files, in milliseconds. @default {10_000} */
  lockTimeoutMs?: number | undefined;
  /** Logger. @default {none} */
  logger?: Logger | undefined;
  /** Clock; for tests. */
  clock?: Clock | undefined;
}

const optionTable = {
  path: option.text,
  servicesPath: option.text,
  pollMs: option.interval.or(2_000),
  lockTimeoutMs: option.duration.or(10_000),
  logger: option.logger,
  clock: option.clock.or(systemClock),
} satisfies OptionTable<FileDiscoveryOptions>;

/**
 * Discovery through two files that Rust Velo processes can share. Changes of zeromesh processes never get lost, and an
 * entry that a plain Velo process overwrites is restored.
 *
 * Files do not notice the death of a process: an entry is removed by its own instance, or by one that found no listener
 * at its address. Entries whose address cannot be tried from this host stay.
 *
 * @example Usage
 * ```ts ignore
 * const discovery = new FileDiscovery({ path: "/var/run/cluster/peers.json" });
 * await using messenger = await Messenger.create({ discovery, services: ["resize"] });
 * ```
 */
export class FileDiscovery implements PeerDiscovery, ServiceDiscovery {
  readonly #peers: SharedFile;
  readonly #services: SharedFile;
  readonly #pollMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ownPeers = new Map<InstanceId, FileEntry>();
  readonly #ownOffers = new Set<string>();
  #guard: DirectoryWatcher[] = [];

  /**
   * Reads the file at first use.
   *
   * @param given The paths.
   */
  constructor(given: FileDiscoveryOptions) {
    const options = readOptions(given, optionTable, "Cannot make a FileDiscovery");
    const path = requireOption(options, "path", optionTable, "Cannot make a FileDiscovery");
    const { clock, pollMs, lockTimeoutMs, servicesPath = path.replace(/(\.[^./]*)?$/, ".services$1") } =
      withDefaults(options, optionTable);
    this.#clock = clock;
    this.#logger = guardLogger(options.logger);
    this.#pollMs = pollMs;
    this.#peers = new SharedFile(path, { empty: emptyFiles.peers, lockTimeoutMs, clock });
    this.#services = new SharedFile(servicesPath, { empty: emptyFiles.services, lockTimeoutMs, clock });
  }

  async discoverByInstanceId(id: InstanceId, options?: LookupOptions): Promise<PeerInfo | null> {
    lookupSignal(options);
    return (await this.listPeers()).find((info) => info.instanceId === id) ?? null;
  }

  async discoverByWorkerId(id: WorkerId, options?: LookupOptions): Promise<PeerInfo | null> {
    lookupSignal(options);
    return (await this.listPeers()).find((info) => workerIdOf(info.instanceId) === id) ?? null;
  }

  listPeers(): Promise<PeerInfo[]> {
    return Promise.resolve().then(() => this.#entries().map(infoOf).filter((info) => info !== null));
  }

  async registerPeer(info: PeerInfo): Promise<Registration> {
    const entry = await fileEntry(info);
    await this.#peers.update((text) => {
      const entries = parsePeers(text, this.#peers.path);
      const twin = entries.find((other) => collides(other, info.instanceId));
      if (twin === undefined) return formatPeers([...without(entries, info.instanceId), entry]);
      throw new ZeromeshError(
        "IDENTITY_MISMATCH",
        `Cannot register ${info.instanceId}: ${
          String(twin["instance_id"])
        } has the same worker id; use another id`,
        { peer: info.instanceId },
      );
    });
    this.#ownPeers.set(info.instanceId, entry);
    this.#watchOwn();
    return registration(async () => {
      if (this.#ownPeers.get(info.instanceId) !== entry) return;
      this.#ownPeers.delete(info.instanceId);
      this.#watchOwn();
      await this.#removePeer(info.instanceId);
    });
  }

  async registerService(service: string, id: InstanceId): Promise<Registration> {
    checkServiceName(service);
    const key = `${service}/${id}`;
    await this.#addOffers([key]);
    this.#ownOffers.add(key);
    this.#watchOwn();
    return registration(async () => {
      this.#ownOffers.delete(key);
      this.#watchOwn();
      await this.#removeOffers((name, other) => name === service && other === id);
    });
  }

  getInstances(service: string): Promise<InstanceId[]> {
    return Promise.resolve().then(() => [...this.#offers().get(service) ?? []]);
  }

  listServices(): Promise<string[]> {
    return Promise.resolve().then(() => {
      return [...this.#offers()].filter(([, ids]) => ids.size > 0).map(([name]) => name).sort();
    });
  }

  watch(service: string, options?: WatchOptions): AsyncIterableIterator<ServiceEvent> {
    const notices: { current: DirectoryWatcher | null } = { current: null };
    const watch = new ServiceWatch(options, () => notices.current?.[Symbol.dispose]());
    const look = () => {
      try {
        watch.replace(this.#offers().get(service) ?? []);
      } catch (error) {
        watch.trouble(error);
        throw error;
      }
    };
    notices.current = this.#notices(this.#services, look);
    try {
      look();
    } catch (error) {
      watch.fail(error);
    }
    return watch;
  }

  async reportStale(id: InstanceId, reason: StaleReason): Promise<void> {
    const info = await this.discoverByInstanceId(id);
    if (info === null || this.#ownPeers.has(id)) return;
    if (reason === "unreachable") {
      // A stopped process, or one beyond a broken network, would return and find its entry gone.
      const endpoints = endpointsOf(info).filter((endpoint) => !endpoint.startsWith("ipc://@"));
      if (endpoints.length === 0) return;
      for (const endpoint of endpoints) if (!await connectionRefused(endpoint, this.#clock)) return;
    }
    this.#logger.info("removing a dead entry", { peer: id, path: this.#peers.path });
    await this.#removePeer(id);
    await this.#removeOffers((_name, other) => other === id);
  }

  #entries(): FileEntry[] {
    return parsePeers(this.#peers.read(), this.#peers.path);
  }

  #offers(): Map<string, Set<InstanceId>> {
    return parseServices(this.#services.read(), this.#services.path);
  }

  async #removePeer(id: InstanceId): Promise<void> {
    await this.#peers.update((text) => {
      const entries = parsePeers(text, this.#peers.path);
      const left = without(entries, id);
      return left.length === entries.length ? null : formatPeers(left);
    });
  }

  async #addOffers(keys: Iterable<string>): Promise<void> {
    await this.#services.update((text) => {
      const services = parseServices(text, this.#services.path);
      for (const key of keys) {
        const at = key.indexOf("/");
        const ids = services.get(key.slice(0, at)) ?? new Set();
        services.set(key.slice(0, at), ids.add(key.slice(at + 1) as InstanceId));
      }
      return formatServices(services);
    });
  }

  async #removeOffers(gone: (name: string, id: InstanceId) => boolean): Promise<void> {
    await this.#services.update((text) => {
      const services = parseServices(text, this.#services.path);
      let changed = false;
      for (const [name, ids] of services) {
        for (const id of [...ids]) if (gone(name, id)) changed = ids.delete(id) || changed;
      }
      return changed ? formatServices(services) : null;
    });
  }

  /** Watches the files while this process has entries in them: plain Velo reads before it locks and can drop them. */
  #watchOwn(): void {
    const wanted = this.#ownPeers.size > 0 || this.#ownOffers.size > 0;
    if (wanted === this.#guard.length > 0) return;
    for (const notices of this.#guard.splice(0)) notices[Symbol.dispose]();
    if (!wanted) return;
    this.#guard = [
      this.#notices(this.#peers, () => this.#restorePeers()),
      this.#notices(this.#services, () => this.#restoreOffers()),
    ];
  }

  async #restorePeers(): Promise<void> {
    const present = new Set(this.#entries().map((entry) => infoOf(entry)?.instanceId));
    if ([...this.#ownPeers.keys()].every((id) => present.has(id))) return;
    await this.#peers.update((text) => {
      let entries = parsePeers(text, this.#peers.path);
      for (const [id, entry] of this.#ownPeers) entries = [...without(entries, id), entry];
      return formatPeers(entries);
    });
  }

  async #restoreOffers(): Promise<void> {
    const present = this.#offers();
    const lost = [...this.#ownOffers].filter((key) => {
      const at = key.indexOf("/");
      return present.get(key.slice(0, at))?.has(key.slice(at + 1) as InstanceId) !== true;
    });
    if (lost.length > 0) await this.#addOffers(lost);
  }

  #notices(file: SharedFile, look: () => void | Promise<void>): DirectoryWatcher {
    const name = basename(file.path);
    return new DirectoryWatcher(dirname(file.path), {
      clock: this.#clock,
      pollMs: this.#pollMs,
      concerns: (changed) => changed === name,
      look: async () => {
        try {
          await look();
        } catch (error) {
          this.#logger.warn("cannot read a discovery file", { path: file.path, reason: errorText(error) });
        }
      },
    });
  }
}

function without(entries: readonly FileEntry[], id: InstanceId): FileEntry[] {
  return entries.filter((entry) => infoOf(entry)?.instanceId !== id);
}

function collides(entry: FileEntry, id: InstanceId): boolean {
  const other = infoOf(entry)?.instanceId;
  return other !== undefined && other !== id && workerIdOf(other) === workerIdOf(id);
}
