import type { HandlerTrace } from "../observe/message_trace.ts";
import type { Outcome } from "./outcome.ts";
import type { WaitOptions } from "./wait_options.ts";

/** How a feature calls a system handler by name. */
export interface FeatureCall<T> extends WaitOptions {
  /** The name of the call in errors and metrics. @default {the handler's} */
  readonly label?: string | undefined;
  /** Converts the answer, whose payload is borrowed. A promise is awaited within the deadline. */
  readonly accept?: ((answer: Outcome) => T | Promise<T>) | undefined;
  /** The trace that the call belongs to, null for none. Without this option the call is not traced. */
  readonly within?: HandlerTrace | null | undefined;
  /** Headers of the feature, whose names start with `_`, and those of a trace that the feature ends itself. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether the payload's memory is used again after the call; it is copied where it must wait. @default {false} */
  readonly borrowed?: boolean | undefined;
  /**
   * Called once when the call fails, with its error and its promise, which rejects with what this returns: for the price
   * of a function, where a `catch` costs every call a promise. A call that its caller takes back rejects with the
   * signal's reason all the same. One that fails before it is sent, at a limit or with a time that is over, keeps its
   * own error too, which is not given.
   */
  failed?(error: unknown, promise: Promise<unknown>): unknown;
}
