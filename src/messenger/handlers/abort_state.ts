import { ZeromeshError } from "../../core/mod.ts";

/**
 * The end of a message before its handler has answered: its caller cancels, or the instance closes. A separate object,
 * because most messages need none and each field of a message costs a nanosecond.
 */
export class AbortState {
  /** Whether the caller has cancelled. */
  aborted = false;
  /** The reason. */
  reason: unknown = undefined;
  /** The controller of the handler's signal; null until it is used. */
  controller: AbortController | null = null;
  /** Called besides the signal; null for none. */
  onAbort: ((reason: unknown) => void) | null = null;
}

/**
 * The reason with which the signal of a handler aborts when this instance closes.
 *
 * Calls of the handler with that signal end with this error, and may have been sent: so `ran` is "maybe".
 */
export function shuttingDown(): ZeromeshError {
  return new ZeromeshError("CLOSED", "This instance is shutting down", { ran: "maybe" });
}
