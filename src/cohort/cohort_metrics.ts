import type { NumberMetric } from "../core/mod.ts";
import type { CohortStats } from "./options.ts";

type Value = (stats: CohortStats) => number;

function counter(name: string, unit: string, help: string, value: Value): NumberMetric<CohortStats> {
  return { type: "counter", name: `zeromesh_cohort_${name}_total`, unit, help, value };
}

function gauge(name: string, unit: string, help: string, value: Value): NumberMetric<CohortStats> {
  return { type: "gauge", name: `zeromesh_cohort_${name}`, unit, help, value };
}

/** The metrics of a cohort, at its leader. */
export const cohortMetrics: readonly NumberMetric<CohortStats>[] = [
  gauge("workers", "workers", "Workers that have a place in a cohort led here.", (s) => s.workers),
  gauge("workers_lost", "workers", "Of these, those that are lost and not replaced.", (s) => s.lost),
  counter("heartbeats", "heartbeats", "Heartbeats that were answered.", (s) => s.heartbeats),
  counter("heartbeats_missed", "heartbeats", "Heartbeats that were not answered.", (s) => s.missedHeartbeats),
  counter("workers_refused", "workers", "Workers that were refused a place.", (s) => s.refused),
];
