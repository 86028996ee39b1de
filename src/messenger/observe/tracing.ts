import type { InstanceId } from "../../core/mod.ts";

/** The awaited reply of a caller: none, the end of the handler, or its result. */
export type TracePattern = "fire" | "ack" | "unary";

/** Items that a stream has carried each way. */
export interface ItemCounts {
  /** Items that this side has sent. */
  readonly sent: number;
  /** Items that it has received. */
  readonly received: number;
}

/** A call before it is sent. */
export interface OutgoingCall {
  /** The called handler. */
  readonly handlerName: string;
  /** The awaited reply. */
  readonly pattern: TracePattern;
  /** The called peer. */
  readonly peer: InstanceId;
  /**
   * The message whose handler makes the call, where the library knows it: for messages that an actor sends with its
   * context. Null for others, which belong to the tracer's own context.
   */
  readonly parent: IncomingTrace | null;
}

/** A received message. */
export interface IncomingMessage {
  /** The handler. */
  readonly handlerName: string;
  /** The awaited reply. */
  readonly pattern: TracePattern;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The message's id, the same in the logs of both sides. */
  readonly messageId: string;
  /** Bytes of the payload. */
  readonly payloadBytes: number;
  /** The sender's instance id; null if it has not introduced itself. */
  readonly sender: InstanceId | null;
}

/** The trace of one call. */
export interface OutgoingTrace {
  /** Headers to add to the call's; they override its own of the same name, as in Velo. */
  readonly headers: Readonly<Record<string, string>>;
  /** Called before the end of a call with a stream: the items that it sent, and those that it received. */
  items?(sent: number, received: number): void;
  /** The call has ended; `error` is its failure. */
  end(error?: unknown): void;
}

/** Outcome of a message. */
export type TraceOutcome = "succeeded" | "failed" | "cancelled" | "rejected";

/** The trace of one message. */
export interface IncomingTrace {
  /** Runs the handler, so that its own calls belong to the trace. */
  run(handler: () => unknown): unknown;
  /** Called before the end of a message with a stream: the items that the handler sent, and those that it received. */
  items?(sent: number, received: number): void;
  /** The message has ended; `error` is the handler's, or why it did not run. */
  end(outcome: TraceOutcome, error: unknown): void;
}

/** Traces calls from instance to instance; `zeromesh/otel` has an implementation. Messages of the system are not traced. */
export interface Tracing {
  /** A call is about to be sent; called before its payload is encoded. */
  send(call: OutgoingCall): OutgoingTrace;
  /** A message has arrived for a handler. It may still be refused, or wait. */
  receive(message: IncomingMessage): IncomingTrace;
}
