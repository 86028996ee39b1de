import type { MessageTrace } from "./message_trace.ts";
import type { ItemCounts } from "./tracing.ts";

/** The observer's part of a message. */
export class ObservedCall {
  /** Its trace, if it is traced. */
  trace: MessageTrace | null = null;
  /** Start time of its handler on the clock, in milliseconds, if it is timed. */
  startedAt = 0;
  /** Whether its handler is timed itself. */
  timed = false;
  /** Items that its handler sends and receives; null without a stream. */
  items: ItemCounts | null = null;
}
