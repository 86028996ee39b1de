import { numbersOf, type StatMetric } from "../core/mod.ts";
import type { EventStats } from "./manager.ts";
import type { RemoteStats } from "./remote_events.ts";

type Counters = EventStats | null;

/** Awaited events of other instances, by where they were found. */
function foundOf({ cacheHits, activeHits, networkLookups }: RemoteStats): Record<string, number> {
  return { remembered: cacheHits, awaited: activeHits, owner: networkLookups };
}

/** The metrics of a messenger's events. */
export const eventMetrics: readonly StatMetric<Counters>[] = [
  ...numbersOf((stats: Counters) => stats?.own, "events_", {
    created: ["counter", "events", "Events made here."],
    triggered: ["counter", "events", "Of these, triggered."],
    poisoned: ["counter", "events", "Of these, poisoned."],
    pending: ["gauge", "events", "Of these, pending."],
    history: ["gauge", "events", "Reasons and values kept for late awaiters."],
    forgotten: ["counter", "events", "Reasons and values forgotten for want of room."],
  }),
  ...numbersOf((stats: Counters) => stats, "events_", {
    barriers: ["gauge", "rounds", "Rounds of barriers that are open here."],
  }),
  ...numbersOf((stats: Counters) => stats?.subscribers, "events_", {
    subscribers: ["gauge", "subscriptions", "Subscriptions of other instances."],
    refused: ["counter", "subscriptions", "Subscriptions refused for want of room.", "subscribers_refused"],
    foreign: ["counter", "messages", "Messages about events from instances that may not send them."],
    malformed: ["counter", "messages", "Malformed messages about events."],
  }),
  ...numbersOf((stats: Counters) => stats?.remote, "events_remote_", {
    subscriptions: ["gauge", "events", "Events of other instances that are awaited.", "awaited"],
    completed: ["gauge", "events", "Completed events of other instances that are remembered.", "remembered"],
    renewed: ["counter", "subscriptions", "Subscriptions repeated after a loss."],
    ownerLost: ["counter", "events", "Awaited events that ended with EVENT_OWNER_LOST."],
  }),
  ...numbersOf(
    (stats: Counters) => stats?.remote && { found: foundOf(stats.remote) },
    "events_remote_lookups",
    {
      found: [
        "counter",
        "lookups",
        "Events of other instances that were awaited, by where they were found.",
        "",
        "found",
      ],
    },
  ),
];
