import type { InstanceId } from "../core/mod.ts";
import type { Worker } from "./members.ts";

/** What `cohort.status()` yields: one entry for each change. */
export type CohortStatus =
  /** A worker has joined. */
  | { readonly type: "joined"; readonly worker: Worker }
  /** A worker that had its place already has come back. */
  | { readonly type: "rejoined"; readonly worker: Worker }
  /** A worker has taken the place of a lost one. */
  | { readonly type: "replaced"; readonly worker: Worker; readonly predecessor: InstanceId }
  /** A worker has left by itself, or was removed. */
  | { readonly type: "left"; readonly worker: Worker }
  /** A worker was silent for too long. */
  | { readonly type: "lost"; readonly worker: Worker }
  /** Everybody who belongs to it is there. */
  | { readonly type: "complete"; readonly workers: number }
  /** Workers are told to end. */
  | { readonly type: "ending"; readonly reason: string }
  /** It is over; the last entry. */
  | { readonly type: "ended"; readonly reason: string };
