import {
  type Clock,
  errorText,
  hold,
  type InstanceId,
  type Logger,
  type WorkerId,
  ZeromeshError,
} from "./core/mod.ts";
import type { DestinationRouter, PeerInfo, PeerLookup, RouterHost } from "./messenger/mod.ts";
import {
  checkServiceName,
  type Discovery,
  findsPeers,
  findsServices,
  type PeerDiscovery,
  type Registration,
  type ServiceDiscovery,
  type StaleReason,
} from "./discovery/mod.ts";
import { ServiceAnnouncement, ServiceCalls, ServiceDirectory, type ServiceStats } from "./services/mod.ts";

/** The part of a messenger's options that concerns discovery. */
export interface DiscoveryOptions {
  /** The back end that finds peers and services and announces this instance; several are asked in order. */
  discovery?: Discovery | readonly Discovery[] | undefined;
  /**
   * The services that this instance offers: others call them with `to: service(name)`. They are announced when the
   * first handler is registered, or by `messenger.announce()`. Needs `discovery`.
   */
  services?: readonly string[] | undefined;
  /** The most services whose instances are followed at a time. @default {1_024} */
  maxServices?: number | undefined;
}

interface HubParts {
  readonly maxServices: number;
  readonly connectTimeoutMs: number;
  readonly listens: boolean;
  readonly logger: Logger;
  readonly clock: Clock;
}

// A back end that does not answer does not delay closing longer; its entry is swept, or its lease expires.
const withdrawMs = 1_000;

/** One messenger's use of its back ends. */
export class DiscoveryHub implements PeerLookup {
  readonly #peers: readonly PeerDiscovery[];
  readonly #offers: readonly ServiceDiscovery[];
  readonly #announcement: ServiceAnnouncement;
  readonly #parts: HubParts;
  readonly #registrations: Registration[] = [];
  readonly #uses: AsyncDisposable[];
  #directory: ServiceDirectory | null = null;
  #registering: Promise<void> | null = null;
  #withdrawn = false;
  #leftBehind: ZeromeshError | null = null;

  /** Use {@link DiscoveryHub.of}. */
  private constructor(sources: readonly Discovery[], services: readonly string[], parts: HubParts) {
    this.#peers = sources.filter(findsPeers);
    this.#offers = sources.filter(findsServices);
    this.#announcement = new ServiceAnnouncement({ ...parts, sources: this.#offers, services });
    this.#parts = parts;
    this.#uses = sources.map((source) => source.use?.()).filter((use) => use !== undefined);
  }

  /**
   * Makes the hub for options that their table has checked; null without `discovery`.
   *
   * @throws {TypeError} If there are services and no back end.
   */
  static of(
    options: DiscoveryOptions,
    resolved: { connectTimeoutMs: number; logger: Logger; clock: Clock; endpoints: readonly string[] },
  ): DiscoveryHub | null {
    const { discovery = [], maxServices = 1_024 } = options;
    const services = [...options.services ?? []];
    for (const name of services) checkServiceName(name);
    const sources = Array.isArray(discovery) ? discovery as readonly Discovery[] : [discovery as Discovery];
    if (services.length > 0 && !sources.some(findsServices)) {
      throw new TypeError(
        "Cannot create a messenger with services: none of its discovery back ends can register services",
      );
    }
    const listens = resolved.endpoints.length > 0;
    if (services.length > 0 && !listens) {
      throw new TypeError(
        "Cannot create a messenger with services and listen: false: callers could not connect to it",
      );
    }
    return sources.length === 0
      ? null
      : new DiscoveryHub(sources, services, { ...resolved, listens, maxServices });
  }

  lookup(id: InstanceId): Promise<PeerInfo | null> {
    return this.#ask((source) => source.discoverByInstanceId(id));
  }

  lookupWorker(id: WorkerId): Promise<PeerInfo | null> {
    return this.#ask((source) => source.discoverByWorkerId(id));
  }

  /** Asks one back end after the other. A failure counts only when none of them knows. */
  async #ask(question: (source: PeerDiscovery) => Promise<PeerInfo | null>): Promise<PeerInfo | null> {
    let failure: { readonly error: unknown } | null = null;
    for (const source of this.#peers) {
      try {
        const info = await question(source);
        if (info !== null) return info;
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
    return null;
  }

  stale(id: InstanceId, reason: StaleReason): void {
    for (const source of new Set<Discovery>([...this.#peers, ...this.#offers])) {
      source.reportStale?.(id, reason).catch((error) => {
        this.#parts.logger.warn("cannot remove a dead entry", { peer: id, reason: errorText(error) });
      });
    }
  }

  /** Makes the router of calls to services. */
  router({ peers, ...host }: RouterHost): DestinationRouter {
    const directory = this.#directory = new ServiceDirectory({
      sources: this.#offers,
      peers,
      connectTimeoutMs: this.#parts.connectTimeoutMs,
      maxServices: this.#parts.maxServices,
      logger: this.#parts.logger,
    });
    return new ServiceCalls({ ...host, directory });
  }

  /** Counters of calls to services. */
  stats(): ServiceStats | null {
    return this.#directory?.stats() ?? null;
  }

  /**
   * Registers this instance under its id.
   *
   * @throws The first back end's error, or the signal's reason. An abort does not wait for a back end; a registration
   * still under way is then taken back when the instance closes.
   */
  async register(info: PeerInfo, signal?: AbortSignal): Promise<void> {
    if (!this.#parts.listens) return;
    this.#registering = this.#register(info);
    await hold(this.#registering, { clock: this.#parts.clock, signal });
  }

  async #register(info: PeerInfo): Promise<void> {
    for (const source of this.#peers) {
      if (this.#withdrawn) return;
      const registered = await source.registerPeer?.(info);
      if (registered !== undefined) this.#registrations.push(registered);
    }
  }

  /** Announces the services; see {@link ServiceAnnouncement.announce}. */
  announce(id: InstanceId): Promise<void> {
    return this.#announcement.announce(id);
  }

  /** The services that have been announced. */
  get announced(): readonly string[] {
    return this.#announcement.announced;
  }

  /** Why closing left entries behind; null when it left none or has not run. */
  get leftBehind(): ZeromeshError | null {
    return this.#leftBehind;
  }

  /** Closes a messenger: withdraws its entries first, so that no new calls arrive, and closes the back ends last. */
  async around(close: () => Promise<void>): Promise<void> {
    const late = () => new Error(`there was no answer within ${withdrawMs} ms`);
    const wait = { clock: this.#parts.clock, timeoutMs: withdrawMs, late };
    await hold(this.#withdraw(), wait).catch((error) => {
      this.#leftBehind = new ZeromeshError(
        "PEER_UNREACHABLE",
        `Discovery still has the entries of this instance: ${errorText(error)}`,
        { cause: error },
      );
    });
    try {
      // Handlers that finish meanwhile still call services.
      await close();
    } finally {
      this.#directory?.close();
      await Promise.allSettled(this.#uses.splice(0).map((use) => use[Symbol.asyncDispose]()));
    }
  }

  async #withdraw(): Promise<void> {
    this.#withdrawn = true;
    const unregister = async (): Promise<void> => {
      await this.#registering?.catch(() => {});
      await Promise.all(this.#registrations.splice(0).reverse().map((one) => one.unregister()));
    };
    await Promise.all([this.#announcement.withdraw(), unregister()]);
  }
}
