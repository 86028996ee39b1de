/**
 * Transport of frames between instances: listening, dialling, bounded queues, loss of connections.
 *
 * @module
 */
export { Batcher } from "./batcher.ts";
export { type Drop, DropCounters } from "./drops.ts";
export { dialableEndpoints, formatEndpoint, isLoopback, parseEndpoint } from "./endpoint.ts";
export { type HostResolver, systemAddresses } from "./host_names.ts";
export { copyBytes, InboundMessage, smallFrameBytes } from "./inbound.ts";
export { closedByUs, Link, type LinkShared, SendOutcome } from "./link.ts";
export { keepBytes } from "./payload_memory.ts";
export { RefusalLog } from "./refusal_log.ts";
export type { CurveIdentity } from "./security.ts";
export type { LinkLoss, Transport, TransportHandler, TransportStats } from "./transport.ts";
export { ZmqTransport } from "./zmq_transport.ts";
export { isCurveKey, type KeyCheck } from "../libzmq/mod.ts";
