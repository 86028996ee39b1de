import { type InstanceId, option, type OptionTable, readOptions, type WorkerId } from "../core/mod.ts";
import type { PeerInfo } from "../messenger/mod.ts";

/** An entry of this instance in a back end. Disposing it removes the entry. */
export interface Registration extends AsyncDisposable {
  /** Removes the entry. A second call returns the first promise. Never rejects: an entry that remains is swept. */
  unregister(): Promise<void>;
}

/** Options of a lookup. */
export interface LookupOptions {
  /** Ends the lookup. */
  signal?: AbortSignal | undefined;
}

const lookupOptionTable: OptionTable<LookupOptions> = { signal: option.signal };

/**
 * The signal of a lookup.
 *
 * @throws {TypeError} If an option is unknown, or has the wrong type.
 * @throws {unknown} The signal's reason, when it has aborted.
 */
export function lookupSignal(options: LookupOptions | null | undefined): AbortSignal | undefined {
  const { signal } = readOptions(options, lookupOptionTable, "Cannot look an instance up");
  signal?.throwIfAborted();
  return signal;
}

/** Why an entry is stale: another instance answers at its address, or none has within the heartbeat bound. */
export type StaleReason = "replaced" | "unreachable";

/**
 * Finds addresses of instances.
 *
 * Implement it for a back end of your own; `discoveryChecks` of `zeromesh/discovery/conformance` tests it.
 */
export interface PeerDiscovery {
  /** The address of the instance with this id, or null when it is unknown. */
  discoverByInstanceId(id: InstanceId, options?: LookupOptions): Promise<PeerInfo | null>;
  /** The address of the instance with this worker id, or null when it is unknown. */
  discoverByWorkerId(id: WorkerId, options?: LookupOptions): Promise<PeerInfo | null>;
  /** Registers an instance of this process. Absent in a back end with entries from elsewhere. */
  registerPeer?(info: PeerInfo): Promise<Registration>;
  /** All instances, if the back end can list them. */
  listPeers?(): Promise<PeerInfo[]>;
  /** Reports a stale entry. A back end whose entries do not expire removes it. */
  reportStale?(id: InstanceId, reason: StaleReason): Promise<void>;
  /** Keeps connections open until the result is disposed; the last one closes them. */
  use?(): AsyncDisposable;
}

/** A change of a service's instances. Folding the events gives the current instances. */
export type ServiceEvent = ServiceInitial | ServiceAdded | ServiceRemoved;

/** The first event: the current instances. */
export interface ServiceInitial {
  /** Tag of the union. */
  readonly type: "initial";
  /** Their ids. */
  readonly instances: readonly InstanceId[];
}

/** An instance began to offer the service. */
export interface ServiceAdded {
  /** Tag of the union. */
  readonly type: "added";
  /** Its id. */
  readonly instance: InstanceId;
}

/** An instance ceased to offer the service. */
export interface ServiceRemoved {
  /** Tag of the union. */
  readonly type: "removed";
  /** Its id. */
  readonly instance: InstanceId;
}

/** Options of a watch. */
export interface WatchOptions {
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
  /**
   * Called with the error when the back end cannot be reached, and with null when it can again; the iteration continues
   * with the known instances. A back end that ends the iteration with an error need not call it.
   */
  onTrouble?: ((error: unknown) => void) | undefined;
}

/** The options of a watch. */
export const watchOptionTable: OptionTable<WatchOptions> = {
  signal: option.signal,
  onTrouble: option.function,
};

/** Finds the instances of services. */
export interface ServiceDiscovery {
  /** Registers an instance of this process as one of a service. */
  registerService(service: string, id: InstanceId): Promise<Registration>;
  /** The current instances of a service. */
  getInstances(service: string): Promise<InstanceId[]>;
  /** The services with at least one instance. */
  listServices(): Promise<string[]>;
  /**
   * Watches a service: one `initial`, then `added` and `removed`, alternating for each instance. A slow reader may miss
   * intermediate changes, but not the result.
   */
  watch(service: string, options?: WatchOptions): AsyncIterableIterator<ServiceEvent>;
  /** Reports a stale entry; see {@link PeerDiscovery.reportStale}. */
  reportStale?(id: InstanceId, reason: StaleReason): Promise<void>;
  /** See {@link PeerDiscovery.use}. */
  use?(): AsyncDisposable;
}

/** A back end: it finds peers, services, or both. */
export type Discovery = PeerDiscovery | ServiceDiscovery;

/** Whether a back end finds peers. */
export function findsPeers(discovery: Discovery): discovery is PeerDiscovery {
  return "discoverByInstanceId" in discovery;
}

/** Whether a back end finds services. */
export function findsServices(discovery: Discovery): discovery is ServiceDiscovery {
  return "getInstances" in discovery;
}
