import type { IncomingTrace } from "./tracing.ts";

/** What an observer keeps of a message. */
export class ObservedCall {
  /** Its trace, when it is traced. */
  trace: IncomingTrace | null = null;
  /** When its handler was started, in milliseconds of the clock, when that is measured. */
  startedAt = 0;
  /** Whether its handler is timed, and does not count as one like others. */
  timed = false;
}
