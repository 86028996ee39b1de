import { type ErrorCode, knownErrorCodes, ZeromeshError } from "../core/mod.ts";

/** Failed calls in a row after which an instance is passed over. */
export const failuresBeforeRest = 5;
/** How long it is passed over, or left alone, until it is tried again, in milliseconds. */
export const restMs = 2_000;

const knownCodes: ReadonlySet<string> = new Set(knownErrorCodes);
// These say nothing about the instance: the caller's doing, this process's limits, or an answer as agreed.
const blameless: ReadonlySet<string> = new Set([
  "PAYLOAD_INVALID",
  "PAYLOAD_TOO_LARGE",
  "HEADERS_TOO_LARGE",
  "NAME_INVALID",
  "ENCODING_FAILED",
  "CANCELLED",
  "CLOSED",
]);

/** What this messenger has seen of an instance of a service. */
export class InstanceHealth {
  /** Calls under way. */
  inFlight = 0;
  /** Whether calls do not wait for it: it was lost, or did not connect in time. It is tried beside them. */
  late = false;
  /** Why it could not be reached the last time. */
  trouble: unknown = undefined;
  /** Whether it said that it is shutting down. It does not come back under the same id. */
  draining = false;
  #failures = 0;
  #restUntil = 0;
  #met = false;
  #tryAt = 0;

  /** Whether it may be called now. */
  ready(now: number): boolean {
    return !this.draining && now >= this.#restUntil;
  }

  /** It was chosen. One that failed gets one call at a time until it answers. */
  chosen(now: number): void {
    if (this.#failures >= failuresBeforeRest) this.#restUntil = now + restMs;
  }

  /** It is connected. */
  arrived(): void {
    this.#met = true;
    this.late = false;
    this.trouble = undefined;
  }

  /** It is not connected. One that was gets time to come back or to be taken off the list. */
  away(now: number): void {
    if (!this.#met) return;
    this.#met = false;
    this.late = true;
    this.#tryAt = now + restMs;
  }

  /** It could not be reached. */
  unreachable(error: unknown, now: number): void {
    this.trouble = error;
    this.late = true;
    this.#tryAt = now + restMs;
  }

  /** Whether one that is late is to be tried again. */
  due(now: number): boolean {
    return this.late && now >= this.#tryAt;
  }

  /** A call was answered. */
  answered(): void {
    this.#failures = 0;
    this.#restUntil = 0;
  }

  /** A call failed. */
  failed(error: unknown, now: number): void {
    // The caller's own abort rejects with whatever reason it gave.
    if (!(error instanceof ZeromeshError)) return;
    if (error.code === "PEER_DRAINING") this.draining = true;
    if (blameless.has(error.code)) return;
    if (isAnswer(error.code, error.ran)) return this.answered();
    if (++this.#failures >= failuresBeforeRest) this.#restUntil = now + restMs;
  }
}

/** Errors that a contract declares are answers, with codes of the contract's own. */
function isAnswer(code: ErrorCode, ran: string): boolean {
  return ran === "yes" && !knownCodes.has(code);
}
