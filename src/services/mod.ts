/**
 * Calls to services: the destination of a call is a service, and one of its instances is chosen.
 *
 * @module
 */
export { askDescription, type PeerDescription, serveDescription } from "./description.ts";
export { ServiceAnnouncement } from "./service_announcement.ts";
export { ServiceCalls } from "./service_calls.ts";
export { ServiceDirectory, type ServiceStats } from "./service_directory.ts";
export { type Balance, service, type ServiceOptions, type ServiceTarget } from "./service_target.ts";
