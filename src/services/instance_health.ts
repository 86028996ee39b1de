import { codesOfCallers, type ErrorCode, knownErrorCodes, ZeromeshError } from "../core/mod.ts";

/** Consecutive failed calls after which an instance is skipped. */
export const failuresBeforeRest = 5;
/** How long a failed or unreachable instance is skipped before it is tried again, in milliseconds. */
export const restMs = 2_000;

const knownCodes: ReadonlySet<string> = new Set(knownErrorCodes);
// Errors that say nothing about the instance: the caller's mistake, a limit of this process, or a declared error.
const blameless: ReadonlySet<string> = new Set([...codesOfCallers, "CLOSED"]);

/** This messenger's experience with an instance of a service. */
export class InstanceHealth {
  /** Calls under way. */
  inFlight = 0;
  /** Whether it was lost or did not connect in time. Calls do not wait for it; it is dialled beside them. */
  late = false;
  /** The last error of connecting to it. */
  trouble: unknown = undefined;
  /** Whether it has said that it shuts down. It does not return under the same id. */
  draining = false;
  #failures = 0;
  #restUntil = 0;
  #met = false;
  #tryAt = 0;

  /** Whether it may be called now. */
  ready(now: number): boolean {
    return !this.draining && now >= this.#restUntil;
  }

  /** Notes a call to it. After failures it gets one call at a time until one is answered. */
  chosen(now: number): void {
    if (this.#failures >= failuresBeforeRest) this.#restUntil = now + restMs;
  }

  /** Notes that it is connected. */
  arrived(): void {
    this.#met = true;
    this.late = false;
    this.trouble = undefined;
  }

  /** Notes that it is not connected. After a lost connection it has time to return, or to be deregistered. */
  away(now: number): void {
    if (!this.#met) return;
    this.#met = false;
    this.late = true;
    this.#tryAt = now + restMs;
  }

  /** Notes that it could not be reached. */
  unreachable(error: unknown, now: number): void {
    this.trouble = error;
    this.late = true;
    this.#tryAt = now + restMs;
  }

  /** Whether it is late and due for another attempt. */
  due(now: number): boolean {
    return this.late && now >= this.#tryAt;
  }

  /** Notes an answered call. */
  answered(): void {
    this.#failures = 0;
    this.#restUntil = 0;
  }

  /** Notes a failed call. */
  failed(error: unknown, now: number): void {
    // The caller's own abort rejects with the signal's reason.
    if (!(error instanceof ZeromeshError)) return;
    if (error.code === "PEER_DRAINING") this.draining = true;
    if (blameless.has(error.code)) return;
    if (isAnswer(error.code, error.ran)) return this.answered();
    if (++this.#failures >= failuresBeforeRest) this.#restUntil = now + restMs;
  }
}

/** Whether an error is declared by a contract, which makes it an answer. */
function isAnswer(code: ErrorCode, ran: string): boolean {
  return ran === "yes" && !knownCodes.has(code);
}
