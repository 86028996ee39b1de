import { type LabelLimit, numbersOf, type Observe, type StatMetric } from "./core/mod.ts";
import type { ServiceStats } from "./services/mod.ts";
import type { FeatureStats } from "./features.ts";
import type { AnyFeature, BuiltinStats, MessengerStats } from "./messenger/mod.ts";

/** All counters of a messenger. */
export interface FullStats extends MessengerStats, BuiltinStats, FeatureStats {
  /** Counters of services; null without discovery. */
  readonly services: ServiceStats | null;
}

type Handler = MessengerStats["handlers"]["byHandler"][string];

const endings = ["succeeded", "failed", "cancelled", "rejected"] as const;

/** A metric whose values have a label. */
function labelled(
  type: "counter" | "gauge",
  name: string,
  unit: string,
  help: string,
  labels: readonly string[],
  read: (stats: FullStats, observe: Observe) => void,
): StatMetric<FullStats> {
  return { type, name: `zeromesh_${name}${type === "counter" ? "_total" : ""}`, unit, help, labels, read };
}

/**
 * The metrics that are read from `messenger.stats()` at each reading of the meter.
 *
 * @param limit Limits the names of handlers, a label whose set of values is open.
 */
export function statMetrics(
  limit: LabelLimit,
  features: readonly AnyFeature[],
): readonly StatMetric<FullStats>[] {
  const byHandler = (
    type: "counter" | "gauge",
    name: string,
    help: string,
    key: "started" | "dropped" | "inFlight" | "queued",
  ) =>
    labelled(type, `handler_${name}`, "messages", help, ["handler"], ({ handlers }, observe) => {
      for (const [name, counts] of Object.entries(handlers.byHandler)) observe(counts[key], limit.of(name));
    });
  const outcomes = (handler: Handler, label: string, observe: Observe): void => {
    for (const ending of endings) observe(handler[ending], label, ending);
  };
  const ofFeatures = features.flatMap(({ name, metrics }) =>
    metrics.map((metric): StatMetric<FullStats> => ({
      ...metric,
      read: (stats, observe) => metric.read(stats[name as keyof FeatureStats], observe),
    }))
  );
  return [
    ...ofFeatures,
    ...numbersOf((s: FullStats) => s, "", {
      peers: ["gauge", "peers", "Peers known.", "peers_known"],
      faults: ["counter", "faults", "Failures of code that the instance was given.", "faults", "hook"],
    }),
    ...numbersOf((s: FullStats) => s.strangerDials, "stranger_dials_", {
      open: ["gauge", "connections", "Connections dialled to answer strangers of plain Velo."],
      replaced: ["counter", "connections", "Of these, closed to make room for another (maxStrangerDials)."],
    }),
    ...numbersOf((s: FullStats) => s.calls, "calls_", {
      started: ["counter", "calls", "Calls of this instance that wait for something."],
      pending: ["gauge", "calls", "Calls of this instance that wait for an answer."],
      refused: ["counter", "calls", "Calls refused because maxPendingCalls waited."],
      repeated: ["counter", "calls", "Times that a call was sent again."],
    }),
    labelled(
      "counter",
      "handler_messages",
      "messages",
      "Messages for a handler that are done, by outcome.",
      ["handler", "outcome"],
      ({ handlers }, observe) => {
        for (const [name, counts] of Object.entries(handlers.byHandler)) {
          outcomes(counts, limit.of(name), observe);
        }
      },
    ),
    byHandler("counter", "started", "Messages for which a handler's function was called.", "started"),
    byHandler("counter", "dropped", "Rejected messages without an answer.", "dropped"),
    byHandler("gauge", "in_flight", "Messages that a handler is working on.", "inFlight"),
    byHandler("gauge", "queued", "Messages that wait for their turn at a handler.", "queued"),
    ...numbersOf((s: FullStats) => s.handlers, "dispatch_", {
      started: ["counter", "messages", "Messages given to handlers."],
      failed: ["counter", "messages", "Messages whose handler failed."],
      refused: ["counter", "messages", "Messages refused."],
      overloaded: ["counter", "messages", "Messages refused for want of room."],
      running: ["gauge", "messages", "Messages whose handler has returned a promise."],
      queued: ["gauge", "messages", "Messages that wait for their turn."],
      heldMessages: ["gauge", "messages", "Messages held for handlers (maxInFlightMessages).", "held"],
      heldBytes: ["gauge", "bytes", "Bytes of their payloads (maxInFlightBytes)."],
    }),
    ...numbersOf((s: FullStats) => s.staged, "staged_", {
      fetching: ["gauge", "requests", "Requests of plain Velo peers whose payload is fetched."],
      bytes: ["gauge", "bytes", "Memory taken for these payloads.", "held_bytes"],
      fetched: ["counter", "requests", "Requests whose payload was fetched."],
      failed: ["counter", "requests", "Requests whose payload could not be fetched."],
    }),
    ...numbersOf((s: FullStats) => s.credit, "credit_", {
      waiting: ["gauge", "sends", "Sends that wait for their receiver's handlers."],
      waited: ["counter", "sends", "Sends that had to wait for them."],
      refused: ["counter", "sends", "Sends refused for want of credit."],
      ignored: ["counter", "messages", "Credit messages that could not be true."],
    }),
    ...numbersOf((s: FullStats) => s.acks, "acks_", {
      waiting: ["gauge", "acks", "Open waits for ACKs by id."],
    }),
    ...numbersOf(({ acks: { waiting: _, ...arrived } }: FullStats) => ({ arrived }), "acks", {
      arrived: ["counter", "acks", "ACKs by id that arrived, by outcome.", "", "outcome"],
    }),
    ...numbersOf((s: FullStats) => s.handlerWaits, "handler_waits", {
      waiting: ["gauge", "waits", "Peers' waits for a handler of this instance.", ""],
      refused: ["counter", "waits", "Such waits refused (maxHandlerWaits).", "_refused"],
    }),
    ...numbersOf(
      ({ transport: { dialled, accepted } }: FullStats) => ({ sides: { dialled, accepted } }),
      "",
      {
        sides: [
          "gauge",
          "connections",
          "Connections, by the side that dialled.",
          "transport_connections",
          "direction",
        ],
      },
    ),
    ...numbersOf((s: FullStats) => s.transport, "transport_", {
      silent: [
        "gauge",
        "connections",
        "Accepted connections that never sent anything.",
        "connections_silent",
      ],
      sentMessages: ["counter", "messages", "Messages handed to libzmq."],
      receivedMessages: ["counter", "messages", "Messages received."],
      queuedMessages: ["gauge", "messages", "Messages in the bounded queues of peers.", "queued"],
      queuedBytes: ["gauge", "bytes", "Their bytes."],
      waitingSends: ["gauge", "sends", "Sends that wait for room in such a queue."],
      heldBytes: [
        "gauge",
        "bytes",
        "Bytes that peers have not taken: in libzmq, and answers that wait before it.",
      ],
      backlogMessages: [
        "gauge",
        "messages",
        "Messages that wait behind slow ones of their sender.",
        "backlog",
      ],
      blocked: ["counter", "times", "Times that a high-water mark made a message wait."],
      drops: ["counter", "messages", "Inbound messages and replies dropped, by reason.", "dropped", "reason"],
    }),
    ...numbersOf((s: FullStats) => s.services, "services_", {
      followed: ["gauge", "services", "Services followed."],
      waited: ["counter", "calls", "Calls that waited until an instance could be called."],
      letGo: ["counter", "services", "Services let go because too many were in use."],
      reaching: ["gauge", "instances", "Instances of services that are being connected to."],
    }),
  ];
}
