/**
 * Events with 128-bit handles: owned by one instance, awaited, triggered and poisoned from any.
 *
 * @module
 */
export { type AttachedEvents, attachEvents } from "./attach.ts";
export { type Barrier, type BarrierOptions } from "./barrier.ts";
export { type EventCallOptions } from "./distributed.ts";
export { Event } from "./event.ts";
export {
  type EventHandle,
  eventHandle,
  eventHandleFromBytes,
  eventHandleToBytes,
  isLocalHandle,
} from "./handle.ts";
export { Latch } from "./latch.ts";
export { EventManager, type EventStats } from "./manager.ts";
export {
  eventDefaults,
  type EventOptions,
  eventOptionTable,
  type ResolvedEventOptions,
  resolveEventOptions,
} from "./options.ts";
export { type EventStatus } from "./outcome.ts";
export { type RemoteStats } from "./remote_events.ts";
export { type SubscriberStats } from "./subscribers.ts";
export { type TableStats } from "./table.ts";
export { type AwaiterOptions } from "./waiting.ts";
