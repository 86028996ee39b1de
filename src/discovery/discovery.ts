import { type InstanceId, option, type OptionTable, readOptions, type WorkerId } from "../core/mod.ts";
import type { PeerInfo } from "../messenger/mod.ts";

/** An entry of this instance in a back end; disposing of it takes the entry back. */
export interface Registration extends AsyncDisposable {
  /** Takes the entry back. A second call returns the first promise. Never rejects: what is left is swept. */
  unregister(): Promise<void>;
}

/** What a lookup takes. */
export interface LookupOptions {
  /** Gives the lookup up. */
  signal?: AbortSignal | undefined;
}

const lookupOptionTable: OptionTable<LookupOptions> = { signal: option.signal };

/**
 * The signal of a lookup.
 *
 * @throws {TypeError} If an option is not known, or has the wrong type.
 * @throws {unknown} The signal's reason, when it has aborted.
 */
export function lookupSignal(options: LookupOptions | null | undefined): AbortSignal | undefined {
  const { signal } = readOptions(options, lookupOptionTable, "Cannot look an instance up");
  signal?.throwIfAborted();
  return signal;
}

/** Why an entry is of no use: another instance answers at its address, or nobody has for the heartbeat bound. */
export type StaleReason = "replaced" | "unreachable";

/**
 * Finds out where an instance is.
 *
 * Implement it to bring a back end of your own; {@link discoveryChecks} is the test that it has to pass.
 */
export interface PeerDiscovery {
  /** Address of the instance with this id, or null when nobody knows it. */
  discoverByInstanceId(id: InstanceId, options?: LookupOptions): Promise<PeerInfo | null>;
  /** Address of the instance with this worker id, or null when nobody knows it. */
  discoverByWorkerId(id: WorkerId, options?: LookupOptions): Promise<PeerInfo | null>;
  /** Makes an instance of this process known. Absent where somebody else keeps the entries. */
  registerPeer?(info: PeerInfo): Promise<Registration>;
  /** All instances, where the back end can tell. */
  listPeers?(): Promise<PeerInfo[]>;
  /** Hears that an entry led nowhere; back ends in which dead entries stay remove it. */
  reportStale?(id: InstanceId, reason: StaleReason): Promise<void>;
  /** Somebody uses this object until the result is disposed of; with the last one connections are let go. */
  use?(): AsyncDisposable;
}

/** A change of the instances that offer a service. Folding the events gives the instances of the moment. */
export type ServiceEvent = ServiceInitial | ServiceAdded | ServiceRemoved;

/** The first event: who offers the service now. */
export interface ServiceInitial {
  /** Tag of the union. */
  readonly type: "initial";
  /** Who. */
  readonly instances: readonly InstanceId[];
}

/** An instance began to offer the service. */
export interface ServiceAdded {
  /** Tag of the union. */
  readonly type: "added";
  /** Who. */
  readonly instance: InstanceId;
}

/** An instance ceased to offer the service. */
export interface ServiceRemoved {
  /** Tag of the union. */
  readonly type: "removed";
  /** Who. */
  readonly instance: InstanceId;
}

/** How to watch a service. */
export interface WatchOptions {
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
  /**
   * Hears why the back end cannot be asked now, and null when it can be again. The iteration goes on meanwhile with
   * what is known. Back ends that end the iteration with an error instead need not call it.
   */
  onTrouble?: ((error: unknown) => void) | undefined;
}

/** All that watching a service knows. */
export const watchOptionTable: OptionTable<WatchOptions> = {
  signal: option.signal,
  onTrouble: option.function,
};

/** Finds out who offers a service. */
export interface ServiceDiscovery {
  /** Says that an instance of this process offers a service. */
  registerService(service: string, id: InstanceId): Promise<Registration>;
  /** Who offers a service now. */
  getInstances(service: string): Promise<InstanceId[]>;
  /** The services that anybody offers now. */
  listServices(): Promise<string[]>;
  /**
   * Who offers a service, and every change of that: one `initial`, then `added` and `removed`, none of them twice
   * in a row for one instance. A reader that is slow sees less of the coming and going, and the right end.
   */
  watch(service: string, options?: WatchOptions): AsyncIterableIterator<ServiceEvent>;
  /** Hears that an entry led nowhere, see {@link PeerDiscovery.reportStale}. */
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
