/**
 * Events with 128-bit handles. One instance makes an event; every holder of its handle can await, trigger and poison
 * it.
 *
 * `messenger.events` of `zeromesh` is an {@link EventManager}; `EventManager.local()` makes one for a single process
 * without a messenger.
 *
 * @example In one process
 * ```ts
 * import { EventManager } from "zeromesh/events";
 * import assert from "node:assert/strict";
 *
 * const events = EventManager.local();
 * const loaded = events.newEvent();
 * loaded.trigger({ rows: 17 });
 * assert.deepEqual(await events.awaiter(loaded.handle), { rows: 17 });
 * ```
 *
 * @module
 */
export type { Ending, InstanceId } from "../core/mod.ts";
export { type Barrier, type BarrierOptions } from "./barrier.ts";
export { type EventCallOptions } from "./event_messages.ts";
export { type Event } from "./event.ts";
export { type EventHandle, eventHandle, eventHandleFromBytes, eventHandleToBytes } from "./handle.ts";
export { type Latch } from "./latch.ts";
export { EventManager, type EventStats } from "./manager.ts";
export { type EventOptions } from "./options.ts";
export { type EventStatus } from "./outcome.ts";
export { type RemoteStats } from "./remote_events.ts";
export { type SubscriberStats } from "./subscribers.ts";
export { type TableStats } from "./table.ts";
export { type AwaiterOptions } from "./waiting.ts";
// Used by the messenger.
export { type EventsFeature, eventsFeature } from "./attach.ts";
export { type ResolvedEventOptions } from "./options.ts";
