import { numbersOf, type StatMetric } from "../../core/mod.ts";
import type { ActorSystemStats } from "./status.ts";

/** The metrics of an actor system. */
export const actorMetrics: readonly StatMetric<ActorSystemStats>[] = [
  ...numbersOf((stats: ActorSystemStats) => stats, "actors_", {
    actors: ["gauge", "actors", "Actors that live.", "alive"],
    started: ["counter", "actors", "Actors that were started."],
    ended: ["counter", "actors", "Actors that have ended."],
    refused: ["counter", "actors", "Actors refused at `maxActors`."],
    handled: ["counter", "turns", "Messages, items and callbacks whose handler finished."],
    failed: ["counter", "turns", "Messages, items and callbacks whose handler failed."],
    restarts: ["counter", "restarts", "Restarts of actors."],
    escalations: ["counter", "failures", "Failures that went on to a parent because of too many restarts."],
    watches: ["counter", "watches", "Watches of actors that were begun here."],
    updatesRefused: [
      "counter",
      "updates",
      "Updates and rollbacks refused at `maxUpdates`.",
      "updates_refused",
    ],
    asksRefused: ["counter", "asks", "Asks and opens refused at `maxAskChain`.", "asks_refused"],
    deadLetters: [
      "counter",
      "messages",
      "Messages that reached no handler, and answers that reached nobody.",
      "dead_letters",
      "reason",
    ],
  }),
  ...numbersOf((stats: ActorSystemStats) => stats.channels, "actors_channels_", {
    open: ["gauge", "channels", "Open channels."],
    accepted: ["counter", "channels", "Channels that were accepted."],
    rejected: ["counter", "channels", "Channels that were rejected."],
    opening: ["gauge", "channels", "Channels that wait to be accepted."],
    abandoned: ["counter", "channels", "Channels whose opener gave up before they were accepted."],
    refused: [
      "counter",
      "channels",
      "Channels refused at `maxChannels`, `maxPeerChannels` or `maxPendingOpens`.",
    ],
    lost: ["counter", "channels", "Sides of channels that ended because the other one was lost."],
    itemsRefused: [
      "counter",
      "items",
      "Items of channels refused at `maxUnsent` or `maxUnsentBytes`.",
      "items_refused",
    ],
    cut: [
      "counter",
      "channels",
      "Closings of channels that waited no longer, at `channelCloseMs`, for room or for the other side.",
    ],
  }),
  ...numbersOf((stats: ActorSystemStats) => stats.remote, "actors_remote_", {
    sent: ["counter", "messages", "Tells, asks and opens of channels that were sent to other instances."],
    received: ["counter", "messages", "Tells, asks and opens of channels that came from other instances."],
    probes: ["counter", "messages", "Probes that were sent to find asks that wait for each other."],
  }),
];
