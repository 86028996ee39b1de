import { numbersOf } from "../core/mod.ts";
import type { ExecutorStats } from "./options.ts";

/** The metrics of an executor. */
export const executorMetrics = numbersOf((stats: ExecutorStats) => stats, "executor_", {
  accepted: ["counter", "messages", "Messages that an executor took."],
  succeeded: ["counter", "messages", "Of these, the ones whose handler finished."],
  failed: ["counter", "messages", "Of these, the ones that failed."],
  dropped: ["counter", "messages", "Of these, the ones that waited when it was closed."],
  queued: ["gauge", "messages", "Messages that wait."],
  running: ["gauge", "messages", "Handlers that run."],
  abandoned: ["gauge", "handlers", "Handlers given up at their deadline that have not ended."],
  unreadResponses: ["gauge", "notifications", "Unread notifications.", "unread"],
});
