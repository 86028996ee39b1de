import { hooks, type LabelLimit, type MetricInfo, type Observe } from "./core/mod.ts";
import type { ServiceStats } from "./services/mod.ts";
import type { EventStats } from "./events/mod.ts";
import type { BuiltinStats, MessengerStats } from "./messenger/mod.ts";

/** Everything a messenger counts. */
export interface FullStats extends MessengerStats, BuiltinStats {
  /** Counters of its events; null until there was one. */
  readonly events: EventStats | null;
  /** Counters of services; null without discovery. */
  readonly services: ServiceStats | null;
}

/** The limits of labels whose set of values is open. */
export interface StatLimits {
  /** Names of handlers. */
  readonly handlers: LabelLimit;
}

/** A metric that is a view of the counters. */
export interface StatMetric extends MetricInfo {
  /** Whether it only grows. */
  readonly type: "counter" | "gauge";
  /** Hands out its values. */
  read(stats: FullStats, observe: Observe, limits: StatLimits): void;
}

type One = (stats: FullStats) => number | undefined;
type Handlers = MessengerStats["handlers"]["byHandler"][string];

function one(type: "counter" | "gauge", name: string, unit: string, help: string, value: One): StatMetric {
  const read = (stats: FullStats, observe: Observe): void => {
    const number = value(stats);
    if (number !== undefined) observe(number);
  };
  return { type, name: `zeromesh_${name}`, unit, help, labels: [], read };
}

function counter(name: string, unit: string, help: string, value: One): StatMetric {
  return one("counter", `${name}_total`, unit, help, value);
}

function gauge(name: string, unit: string, help: string, value: One): StatMetric {
  return one("gauge", name, unit, help, value);
}

function byHandler(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (stats: Handlers) => number,
): StatMetric {
  return {
    type,
    name: `zeromesh_handler_${name}`,
    unit: "messages",
    help,
    labels: ["handler"],
    read(stats, observe, { handlers }) {
      for (const [handler, counts] of Object.entries(stats.handlers.byHandler)) {
        observe(value(counts), handlers.of(handler));
      }
    },
  };
}

const ackOutcomes = ["received", "late", "duplicate", "foreign", "unknown", "malformed"] as const;
const endings = ["succeeded", "failed", "cancelled", "rejected"] as const;

/** Metrics that are read from `messenger.stats()` when somebody asks for them. */
export const statMetrics: readonly StatMetric[] = [
  gauge("peers_known", "peers", "Peers known.", (s) => s.peers),
  gauge(
    "stranger_dials_open",
    "connections",
    "Connections dialled to answer strangers of plain Velo.",
    (s) => s.strangerDials.open,
  ),
  counter(
    "stranger_dials_replaced",
    "connections",
    "Of these, closed to make room for another (maxStrangerDials).",
    (s) => s.strangerDials.replaced,
  ),
  counter(
    "calls_started",
    "calls",
    "Calls of this instance that wait for something.",
    (s) => s.calls.started,
  ),
  gauge("calls_pending", "calls", "Calls of this instance that wait for an answer.", (s) => s.calls.pending),
  counter("calls_refused", "calls", "Calls refused because maxPendingCalls waited.", (s) => s.calls.refused),
  counter("calls_repeated", "calls", "Times that a call was sent again.", (s) => s.calls.repeated),

  {
    type: "counter",
    name: "zeromesh_handler_messages_total",
    unit: "messages",
    help: "Messages for a handler that are done, by how they ended.",
    labels: ["handler", "outcome"],
    read(stats, observe, { handlers }) {
      for (const [handler, counts] of Object.entries(stats.handlers.byHandler)) {
        const label = handlers.of(handler);
        for (const ending of endings) observe(counts[ending], label, ending);
      }
    },
  },
  byHandler(
    "counter",
    "started_total",
    "Messages for which a handler's function was called.",
    (h) => h.started,
  ),
  byHandler("counter", "dropped_total", "Messages rejected that nobody waits for.", (h) => h.dropped),
  byHandler("gauge", "in_flight", "Messages that a handler is working on.", (h) => h.inFlight),
  byHandler("gauge", "queued", "Messages that wait for their turn at a handler.", (h) => h.queued),

  counter("dispatch_started", "messages", "Messages given to handlers.", (s) => s.handlers.started),
  counter("dispatch_failed", "messages", "Messages whose handler failed.", (s) => s.handlers.failed),
  counter("dispatch_refused", "messages", "Messages refused.", (s) => s.handlers.refused),
  counter(
    "dispatch_overloaded",
    "messages",
    "Messages refused for want of room.",
    (s) => s.handlers.overloaded,
  ),
  gauge(
    "dispatch_running",
    "messages",
    "Messages whose handler has returned a promise.",
    (s) => s.handlers.running,
  ),
  gauge("dispatch_queued", "messages", "Messages that wait for their turn.", (s) => s.handlers.queued),
  gauge(
    "dispatch_held",
    "messages",
    "Messages held for handlers (maxInFlightMessages).",
    (s) => s.handlers.heldMessages,
  ),
  gauge(
    "dispatch_held_bytes",
    "bytes",
    "Bytes of their payloads (maxInFlightBytes).",
    (s) => s.handlers.heldBytes,
  ),

  gauge(
    "staged_fetching",
    "requests",
    "Requests of plain Velo peers whose payload is fetched.",
    (s) => s.staged.fetching,
  ),
  gauge("staged_held_bytes", "bytes", "Memory taken for these payloads.", (s) => s.staged.bytes),
  counter("staged_fetched", "requests", "Requests whose payload was fetched.", (s) => s.staged.fetched),
  counter(
    "staged_failed",
    "requests",
    "Requests whose payload could not be fetched.",
    (s) => s.staged.failed,
  ),

  gauge("credit_waiting", "sends", "Sends that wait for their receiver's handlers.", (s) => s.credit.waiting),
  counter("credit_waited", "sends", "Sends that had to wait for them.", (s) => s.credit.waited),
  counter("credit_refused", "sends", "Sends refused for want of credit.", (s) => s.credit.refused),
  counter("credit_ignored", "messages", "Credit messages that could not be true.", (s) => s.credit.ignored),

  gauge("acks_waiting", "acks", "ACKs by id that are waited for.", (s) => s.acks.waiting),
  {
    type: "counter",
    name: "zeromesh_acks_total",
    unit: "acks",
    help: "ACKs by id that came, by what became of them.",
    labels: ["outcome"],
    read(stats, observe) {
      for (const outcome of ackOutcomes) observe(stats.acks[outcome], outcome);
    },
  },
  gauge(
    "handler_waits",
    "waits",
    "Peers' waits for a handler of this instance.",
    (s) => s.handlerWaits.waiting,
  ),
  counter(
    "handler_waits_refused",
    "waits",
    "Such waits refused (maxHandlerWaits).",
    (s) => s.handlerWaits.refused,
  ),

  {
    type: "gauge",
    name: "zeromesh_transport_connections",
    unit: "connections",
    help: "Connections, by who dialled.",
    labels: ["direction"],
    read(stats, observe) {
      observe(stats.transport.dialled, "dialled");
      observe(stats.transport.accepted, "accepted");
    },
  },
  gauge(
    "transport_connections_silent",
    "connections",
    "Accepted connections that never sent anything.",
    (s) => s.transport.silent,
  ),
  counter(
    "transport_sent_messages",
    "messages",
    "Messages handed to libzmq.",
    (s) => s.transport.sentMessages,
  ),
  counter(
    "transport_received_messages",
    "messages",
    "Messages received.",
    (s) => s.transport.receivedMessages,
  ),
  gauge(
    "transport_queued",
    "messages",
    "Messages in the bounded queues of peers.",
    (s) => s.transport.queuedMessages,
  ),
  gauge("transport_queued_bytes", "bytes", "Their bytes.", (s) => s.transport.queuedBytes),
  gauge(
    "transport_waiting_sends",
    "sends",
    "Sends that wait for room in such a queue.",
    (s) => s.transport.waitingSends,
  ),
  gauge(
    "transport_held_bytes",
    "bytes",
    "Bytes that peers have not taken: in libzmq, and answers that wait before it.",
    (s) => s.transport.heldBytes,
  ),
  gauge(
    "transport_backlog",
    "messages",
    "Messages that have come and wait for their turn behind others that take long.",
    (s) => s.transport.backlogMessages,
  ),
  counter(
    "transport_blocked",
    "times",
    "Times that a high-water mark made a message wait.",
    (s) => s.transport.blocked,
  ),
  {
    type: "counter",
    name: "zeromesh_transport_dropped_total",
    unit: "messages",
    help: "Inbound messages and replies dropped, by reason.",
    labels: ["reason"],
    read(stats, observe) {
      for (const [reason, count] of Object.entries(stats.transport.drops)) observe(count ?? 0, reason);
    },
  },
  {
    type: "counter",
    name: "zeromesh_faults_total",
    unit: "faults",
    help: "Failures of code that the instance was given.",
    labels: ["hook"],
    read(stats, observe) {
      for (const hook of hooks) observe(stats.faults[hook], hook);
    },
  },

  counter("events_created", "events", "Events made here.", (s) => s.events?.own.created),
  counter("events_triggered", "events", "Of these, triggered.", (s) => s.events?.own.triggered),
  counter("events_poisoned", "events", "Of these, poisoned.", (s) => s.events?.own.poisoned),
  gauge("events_pending", "events", "Of these, pending.", (s) => s.events?.own.pending),
  gauge(
    "events_history",
    "events",
    "Reasons and values kept for those who ask late.",
    (s) => s.events?.own.history,
  ),
  counter(
    "events_forgotten",
    "events",
    "Reasons and values forgotten for want of room.",
    (s) => s.events?.own.forgotten,
  ),
  gauge("events_barriers", "rounds", "Rounds of barriers that are open here.", (s) => s.events?.barriers),
  gauge(
    "events_subscribers",
    "subscriptions",
    "Subscriptions of other instances.",
    (s) => s.events?.subscribers?.subscribers,
  ),
  counter(
    "events_subscribers_refused",
    "subscriptions",
    "Subscriptions refused for want of room.",
    (s) => s.events?.subscribers?.refused,
  ),
  counter(
    "events_foreign",
    "messages",
    "Messages about events from those who may not send them.",
    (s) => s.events?.subscribers?.foreign,
  ),
  counter(
    "events_malformed",
    "messages",
    "Messages about events that are none.",
    (s) => s.events?.subscribers?.malformed,
  ),
  gauge(
    "events_remote_awaited",
    "events",
    "Events of other instances that are awaited.",
    (s) => s.events?.remote?.subscriptions,
  ),
  gauge(
    "events_remote_remembered",
    "events",
    "Completed events of other instances that are remembered.",
    (s) => s.events?.remote?.completed,
  ),
  {
    type: "counter",
    name: "zeromesh_events_remote_lookups_total",
    unit: "lookups",
    help: "Events of other instances that were awaited, by where they were found.",
    labels: ["found"],
    read({ events }, observe) {
      if (!events?.remote) return;
      observe(events.remote.cacheHits, "remembered");
      observe(events.remote.activeHits, "awaited");
      observe(events.remote.networkLookups, "owner");
    },
  },
  counter(
    "events_remote_renewed",
    "subscriptions",
    "Subscriptions repeated after a loss.",
    (s) => s.events?.remote?.renewed,
  ),
  counter(
    "events_remote_owner_lost",
    "events",
    "Awaited events that ended with EVENT_OWNER_LOST.",
    (s) => s.events?.remote?.ownerLost,
  ),

  gauge("services_followed", "services", "Services followed.", (s) => s.services?.followed),
  counter(
    "services_waited",
    "calls",
    "Calls that waited until an instance could be called.",
    (s) => s.services?.waited,
  ),
  counter(
    "services_let_go",
    "services",
    "Services let go because too many were in use.",
    (s) => s.services?.letGo,
  ),
  gauge(
    "services_reaching",
    "instances",
    "Instances of services that are being connected to.",
    (s) => s.services?.reaching,
  ),
];
