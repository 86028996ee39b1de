import type { InstanceId } from "../../core/mod.ts";

/** What a caller waits for: nothing, the end of the handler, or its result. */
export type TracePattern = "fire" | "ack" | "unary";

/** A call that is about to leave. */
export interface OutgoingCall {
  /** The handler called. */
  readonly handlerName: string;
  /** What the caller waits for. */
  readonly pattern: TracePattern;
  /** The peer called. */
  readonly peer: InstanceId;
}

/** A message that has come for a handler. */
export interface IncomingMessage {
  /** The handler. */
  readonly handlerName: string;
  /** What the caller waits for. */
  readonly pattern: TracePattern;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The message's id, the same in the logs of both sides. */
  readonly messageId: string;
  /** Bytes of the payload. */
  readonly payloadBytes: number;
  /** The sender's instance id; null when it never introduced itself. */
  readonly sender: InstanceId | null;
}

/** The trace of one call. */
export interface OutgoingTrace {
  /** What the call carries on top of its own headers; the same names in these give way, as in Velo. */
  readonly headers: Readonly<Record<string, string>>;
  /** The call has ended; `error` is why it failed. */
  end(error?: unknown): void;
}

/** How a message ended. */
export type TraceOutcome = "succeeded" | "failed" | "cancelled" | "rejected";

/** The trace of one message. */
export interface IncomingTrace {
  /** Runs the handler, whose own calls then belong to the same trace. */
  run(handler: () => unknown): unknown;
  /** The message is done; `error` is what the handler threw, or why it did not run. */
  end(outcome: TraceOutcome, error: unknown): void;
}

/**
 * Follows calls from instance to instance; `zeromesh/otel` has one. Messages of the system are not traced.
 *
 * Without one nothing is spent on tracing but the look whether there is one.
 */
export interface Tracing {
  /** A call is about to leave; called before its payload is encoded. */
  send(call: OutgoingCall): OutgoingTrace;
  /** A message has come for a handler. It may yet be refused, or wait. */
  receive(message: IncomingMessage): IncomingTrace;
}
