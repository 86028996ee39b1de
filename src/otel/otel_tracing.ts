import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { errorText, option, type OptionTable, readOptions, ZeromeshError } from "../core/mod.ts";
import type { IncomingMessage, IncomingTrace, TraceOutcome, Tracing } from "../messenger/mod.ts";
import type { OtelPropagator, OtelTracerProvider } from "./providers.ts";
import { scopeName } from "./scope.ts";

/** Options of {@link otelTracing}. */
export interface OtelTracingOptions {
  /** Provider of the tracer. @default {the global provider} */
  tracerProvider?: OtelTracerProvider | undefined;
  /** Writes and reads the trace in message headers. @default {the global propagator, normally W3C `traceparent`} */
  propagator?: OtelPropagator | undefined;
}

const optionTable: OptionTable<OtelTracingOptions> = {
  tracerProvider: option.methods("a TracerProvider", "getTracer"),
  propagator: option.methods("a TextMapPropagator", "inject", "extract"),
};

type Tracer = ReturnType<TracerProvider["getTracer"]>;

// Plain accessors, because the carrier is a header map.
const setter = {
  set(carrier: Record<string, string>, key: string, value: string): void {
    carrier[key] = value;
  },
};
const getter = {
  keys: (carrier: Readonly<Record<string, string>>): string[] => Object.keys(carrier),
  get: (carrier: Readonly<Record<string, string>>, key: string): string | undefined => carrier[key],
};

/**
 * Spans of calls and messages, as in Velo: `send NAME` at the caller, `receive NAME` at the receiver from arrival to
 * end, and within it `handle NAME` while the handler runs. The header map carries the trace.
 *
 * A handler's own calls belong to its span if the program has registered a context manager, as OpenTelemetry's SDKs do.
 */
export function otelTracing(given?: OtelTracingOptions): Tracing {
  const options = readOptions(given, optionTable, "Cannot make a tracing");
  const tracer = ((options.tracerProvider as TracerProvider | undefined) ?? trace.getTracerProvider())
    .getTracer(scopeName);
  // Looked up at each call, because programs may register theirs later.
  const propagator = (): Pick<TextMapPropagator, "inject" | "extract"> =>
    (options.propagator as TextMapPropagator | undefined) ?? propagation;
  return {
    send({ handlerName, pattern, peer, parent: message }) {
      const parent = message instanceof MessageTrace ? message.contextOf(context.active()) : context.active();
      const kind = pattern === "fire" ? SpanKind.PRODUCER : SpanKind.CLIENT;
      const span = tracer.startSpan(`send ${handlerName}`, { kind }, parent);
      if (span.isRecording()) {
        describe(span, handlerName, pattern).setAttribute("zeromesh.peer", String(peer));
      }
      const headers: Record<string, string> = Object.create(null);
      propagator().inject(trace.setSpan(parent, span), headers, setter);
      return {
        headers,
        items: (sent, received) => countItems(span, sent, received),
        end: (error) => endSpan(span, error === undefined ? undefined : { error }),
      };
    },
    receive(message) {
      const parent = propagator().extract(ROOT_CONTEXT, message.headers, getter);
      return new MessageTrace(tracer, parent, message);
    },
  };
}

/** The two spans of one message. */
class MessageTrace implements IncomingTrace {
  readonly #tracer: Tracer;
  readonly #message: IncomingMessage;
  readonly #context: Context;
  readonly #receive: Span;
  #handle: Span | null = null;
  #handling: Context | null = null;

  constructor(tracer: Tracer, parent: Context, message: IncomingMessage) {
    this.#tracer = tracer;
    this.#message = message;
    const { handlerName, pattern, payloadBytes } = message;
    const kind = pattern === "fire" ? SpanKind.CONSUMER : SpanKind.SERVER;
    const span = this.#receive = tracer.startSpan(`receive ${handlerName}`, { kind }, parent);
    if (span.isRecording()) {
      describe(span, handlerName, pattern).setAttributes({
        "zeromesh.request_bytes": payloadBytes,
        "zeromesh.message_id": message.messageId,
      });
      if (message.sender !== null) span.setAttribute("zeromesh.peer", message.sender);
    }
    this.#context = trace.setSpan(parent, this.#receive);
  }

  /** The context of a call that its handler makes: the active one if that belongs to this trace. */
  contextOf(active: Context): Context {
    const own = this.#handling ?? this.#context;
    const traceId = trace.getSpanContext(active)?.traceId;
    return traceId === trace.getSpanContext(own)?.traceId ? active : own;
  }

  run(handler: () => unknown): unknown {
    const { handlerName, pattern } = this.#message;
    const span = this.#handle = this.#tracer.startSpan(`handle ${handlerName}`, undefined, this.#context);
    if (span.isRecording()) describe(span, handlerName, pattern);
    return context.with(this.#handling = trace.setSpan(this.#context, span), handler);
  }

  items(sent: number, received: number): void {
    countItems(this.#receive, sent, received);
  }

  end(outcome: TraceOutcome, error: unknown): void {
    const failure = outcome === "succeeded" ? undefined : { error: error ?? outcome };
    if (this.#handle !== null) endSpan(this.#handle, failure);
    endSpan(this.#receive, failure);
  }
}

/** Sets attributes of recorded spans only, since sampling records few. */
function describe(span: Span, handlerName: string, pattern: string): Span {
  return span.setAttributes({
    "rpc.system": "zeromesh",
    "rpc.method": handlerName,
    "zeromesh.pattern": pattern,
  });
}

function countItems(span: Span, sent: number, received: number): void {
  span.setAttributes({ "zeromesh.items_sent": sent, "zeromesh.items_received": received });
}

function endSpan(span: Span, failure: { readonly error: unknown } | undefined): void {
  if (failure !== undefined) {
    const { error } = failure;
    if (error instanceof Error) span.recordException(error);
    span.setAttribute("error.type", error instanceof ZeromeshError ? error.code : typeOf(error));
    span.setStatus({ code: SpanStatusCode.ERROR, message: errorText(error) });
  }
  span.end();
}

function typeOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error === "string" ? error : "_OTHER";
}
