import type { NumberMetric } from "../core/mod.ts";
import type { ExecutorStats } from "./options.ts";

type Value = (stats: ExecutorStats) => number;

function counter(name: string, unit: string, help: string, value: Value): NumberMetric<ExecutorStats> {
  return { type: "counter", name: `zeromesh_executor_${name}_total`, unit, help, value };
}

function gauge(name: string, unit: string, help: string, value: Value): NumberMetric<ExecutorStats> {
  return { type: "gauge", name: `zeromesh_executor_${name}`, unit, help, value };
}

/** The metrics of an executor. */
export const executorMetrics: readonly NumberMetric<ExecutorStats>[] = [
  counter("accepted", "messages", "Messages that an executor took.", (s) => s.accepted),
  counter("succeeded", "messages", "Of these, those whose handler finished.", (s) => s.succeeded),
  counter("failed", "messages", "Of these, those that failed.", (s) => s.failed),
  counter("dropped", "messages", "Of these, those still waiting when it was stopped.", (s) => s.dropped),
  gauge("queued", "messages", "Messages that wait.", (s) => s.queued),
  gauge("running", "messages", "Handlers that run.", (s) => s.running),
  gauge(
    "abandoned",
    "handlers",
    "Handlers given up at their deadline that have not ended.",
    (s) => s.abandoned,
  ),
  gauge("unread", "notifications", "Notifications that nobody has read.", (s) => s.unreadResponses),
];
