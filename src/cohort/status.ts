import type { InstanceId } from "../core/mod.ts";
import type { Worker } from "./members.ts";

/** An entry of `cohort.status()`. */
export type CohortStatus =
  /** A worker has joined. */
  | { readonly type: "joined"; readonly worker: Worker }
  /** A member has joined again. */
  | { readonly type: "rejoined"; readonly worker: Worker }
  /** A worker has taken the place of a lost one. */
  | { readonly type: "replaced"; readonly worker: Worker; readonly predecessor: InstanceId }
  /** A worker has left by itself, or was removed. */
  | { readonly type: "left"; readonly worker: Worker }
  /** A worker was silent for too long. */
  | { readonly type: "lost"; readonly worker: Worker }
  /** All members are there. */
  | { readonly type: "complete"; readonly workers: number }
  /** The workers are told to end. */
  | { readonly type: "ending"; readonly reason: string }
  /** The cohort has ended; the last entry. */
  | { readonly type: "ended"; readonly reason: string };
