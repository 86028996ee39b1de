import { numbersOf } from "../core/mod.ts";
import type { CohortStats } from "./options.ts";

/** The metrics of a cohort, reported by its leader. */
export const cohortMetrics = numbersOf((stats: CohortStats) => stats, "cohort_", {
  workers: ["gauge", "workers", "Workers that have a place in a cohort led here."],
  lost: ["gauge", "workers", "Of these, the lost ones without a replacement.", "workers_lost"],
  heartbeats: ["counter", "heartbeats", "Heartbeats that were answered."],
  missedHeartbeats: ["counter", "heartbeats", "Heartbeats that were not answered.", "heartbeats_missed"],
  refused: ["counter", "workers", "Workers that were refused a place.", "workers_refused"],
});
