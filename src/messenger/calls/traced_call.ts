import { type Contract, type Guard, type InstanceId, isContract } from "../../core/mod.ts";
import { ResponseKind } from "../../wire/mod.ts";
import type { CallOptions } from "./caller.ts";
import { companionIn } from "./companion.ts";
import { checkHeaders } from "./request.ts";
import type { IncomingTrace, TracePattern, Tracing } from "../observe/tracing.ts";

/** Tracing of calls. */
export interface Tracer {
  /** The user's tracing. */
  readonly tracing: Tracing;
  /** Calls it: a tracer that throws costs no call. */
  readonly guard: Guard;
}

/** The pattern of a call, in the terms of {@link Tracing}. */
export function patternOf(kind: ResponseKind): TracePattern {
  return kind === ResponseKind.fire ? "fire" : kind === ResponseKind.ack ? "ack" : "unary";
}

/** Makes a call with the headers of its trace, and ends the trace with it. A tracer that throws costs no call. */
export function traceCall<T>(
  { tracing, guard }: Tracer,
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
  const trace = guard.run("tracing", () => {
    return tracing.send({ handlerName, pattern: patternOf(kind), peer: options.to as InstanceId, parent });
  });
  if (trace === undefined) return call(options);
  const traced = guard.run("tracing", () => {
    const headers = { ...options.headers, ...trace.headers };
    checkHeaders(handlerName, headers);
    return { ...options, headers };
  });
  const promise = call(traced ?? options);
  const companion = companionIn(options);
  const end = (error?: unknown): void =>
    void guard.run("tracing", () => {
      if (companion !== undefined) trace.items?.(companion.items.sent, companion.items.received);
      trace.end(error);
    });
  promise.then(() => end(), end);
  return promise;
}
