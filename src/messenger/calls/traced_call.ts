import { type Contract, type Guard, type InstanceId, isContract } from "../../core/mod.ts";
import { ResponseKind } from "../../wire/mod.ts";
import type { CallOptions } from "./caller.ts";
import { companionIn } from "./companion.ts";
import { checkHeaders } from "./request.ts";
import type { IncomingTrace, ItemCounts, OutgoingTrace, TracePattern, Tracing } from "../observe/tracing.ts";

/** Tracing of calls. */
export interface Tracer {
  /** The user's tracing. */
  readonly tracing: Tracing;
  /** Calls it: a tracer that throws costs no call. */
  readonly guard: Guard;
}

/** The trace of one call. Whatever its tracer does, the call goes on. */
export interface CallTrace {
  /** The headers of the call with those of its trace; undefined without headers of its trace. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /**
   * The call has ended. Later calls do nothing.
   *
   * @param error Its failure; undefined without one.
   * @param items The items of the call's streams; null without a stream.
   */
  end(error?: unknown, items?: ItemCounts | null): void;
}

/** The pattern of a call, in the terms of {@link Tracing}. */
export function patternOf(kind: ResponseKind): TracePattern {
  return kind === ResponseKind.fire ? "fire" : kind === ResponseKind.ack ? "ack" : "unary";
}

/**
 * Begins the trace of a call; null if the tracer throws.
 *
 * @param own The call's own headers.
 */
export function beginTrace(
  { tracing, guard }: Tracer,
  kind: ResponseKind,
  handlerName: string,
  to: InstanceId,
  parent: IncomingTrace | null,
  own?: Readonly<Record<string, string>>,
): CallTrace | null {
  const trace = guard.run("tracing", () => {
    return tracing.send({ handlerName, pattern: patternOf(kind), peer: to, parent });
  });
  if (trace === undefined) return null;
  const headers = guard.run("tracing", () => {
    const all = { ...own, ...trace.headers };
    checkHeaders(handlerName, all);
    return all;
  });
  return new BegunTrace(trace, guard, headers);
}

class BegunTrace implements CallTrace {
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly #trace: OutgoingTrace;
  readonly #guard: Guard;
  #ended = false;

  constructor(trace: OutgoingTrace, guard: Guard, headers: CallTrace["headers"]) {
    this.#trace = trace;
    this.#guard = guard;
    this.headers = headers;
  }

  end(error?: unknown, items: ItemCounts | null = null): void {
    if (this.#ended) return;
    this.#ended = true;
    const trace = this.#trace;
    this.#guard.run("tracing", () => {
      if (items !== null) trace.items?.(items.sent, items.received);
      trace.end(error);
    });
  }
}

/** Makes a call with the headers of its trace, and ends the trace with it. */
export function traceCall<T>(
  tracer: Tracer,
  kind: ResponseKind,
  target: string | Contract,
  options: CallOptions,
  call: (options: CallOptions) => Promise<T>,
  parent: IncomingTrace | null = null,
): Promise<T> {
  const handlerName = isContract(target) ? target.name : target;
  // The call itself reports invalid arguments.
  if (
    typeof handlerName !== "string" || typeof options !== "object" || options === null ||
    typeof (options.headers ?? {}) !== "object"
  ) {
    return call(options);
  }
  const trace = beginTrace(tracer, kind, handlerName, options.to as InstanceId, parent, options.headers);
  if (trace === null) return call(options);
  const { headers } = trace;
  const promise = call(headers === undefined ? options : { ...options, headers });
  const companion = companionIn(options);
  const end = (error?: unknown): void => trace.end(error, companion?.items ?? null);
  promise.then(() => end(), end);
  return promise;
}
