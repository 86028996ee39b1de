/**
 * Discovery: instances find each other by id, and by the services they offer.
 *
 * Give `Messenger.create` a back end as `discovery`: it announces the instance, and finds peers that were not
 * registered. {@link LocalDiscovery} needs no server and no configuration; {@link FileDiscovery} shares a file with
 * Rust Velo processes; etcd and NATS are in `zeromesh/discovery/etcd` and `zeromesh/discovery/nats`. The tests for a back
 * end of your own are in `zeromesh/discovery/conformance`.
 *
 * @example Usage
 * ```ts ignore
 * import { Messenger, service } from "zeromesh";
 * import { LocalDiscovery } from "zeromesh/discovery";
 *
 * // one process
 * const server = await Messenger.create({ discovery: new LocalDiscovery(), services: ["resize"] });
 * // another one
 * const client = await Messenger.create({ discovery: new LocalDiscovery() });
 * await client.unary("resize", { to: service("resize"), rawPayload: image });
 * ```
 *
 * @module
 */
export type { CancelTimer, Clock, InstanceId, LogFields, Logger, WorkerId } from "../core/mod.ts";
export type { PeerInfo, PeerInfoJson } from "../messenger/mod.ts";
export {
  type Discovery,
  findsPeers,
  findsServices,
  type LookupOptions,
  type PeerDiscovery,
  type Registration,
  type ServiceAdded,
  type ServiceDiscovery,
  type ServiceEvent,
  type ServiceInitial,
  type ServiceRemoved,
  type StaleReason,
  type WatchOptions,
} from "./discovery.ts";
export { FileDiscovery, type FileDiscoveryOptions } from "./file_discovery.ts";
export { LocalDiscovery, type LocalDiscoveryOptions } from "./local_discovery.ts";
export { StaticDiscovery, type StaticDiscoveryOptions } from "./static_discovery.ts";
export { checkServiceName } from "./registration.ts";
