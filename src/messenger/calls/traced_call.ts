import { errorText, type InstanceId, isContract, type Logger } from "../../core/mod.ts";
import type { Contract } from "../../core/mod.ts";
import { ResponseKind } from "../../wire/mod.ts";
import type { CallOptions } from "./caller.ts";
import type { OutgoingTrace, TracePattern, Tracing } from "../observe/tracing.ts";

/** A tracer, and where its failures are reported. */
export interface Tracer {
  /** Where traces go. */
  readonly tracing: Tracing;
  /** Where trouble is reported. */
  readonly logger: Logger;
}

/** What a caller of this kind waits for, in the words of {@link Tracing}. */
export function patternOf(kind: ResponseKind): TracePattern {
  return kind === ResponseKind.fire ? "fire" : kind === ResponseKind.ack ? "ack" : "unary";
}

/** Makes a call with the headers of its trace, and ends the trace with it. A tracer that throws costs no call. */
export function traceCall<T>(
  tracer: Tracer,
  kind: ResponseKind,
  target: string | Contract,
  options: CallOptions,
  call: (options: CallOptions) => Promise<T>,
): Promise<T> {
  const handlerName = isContract(target) ? target.name : target;
  // Whatever is wrong with the arguments is for the call itself to say.
  if (typeof handlerName !== "string" || typeof options !== "object" || options === null) {
    return call(options);
  }
  let trace: OutgoingTrace;
  let traced = options;
  try {
    trace = tracer.tracing.send({ handlerName, pattern: patternOf(kind), peer: options.to as InstanceId });
    traced = { ...options, headers: { ...options.headers, ...trace.headers } };
  } catch (error) {
    traceFailed(tracer.logger, error);
    return call(options);
  }
  const end = (error?: unknown): void => {
    try {
      trace.end(error);
    } catch (thrown) {
      traceFailed(tracer.logger, thrown);
    }
  };
  const promise = call(traced);
  promise.then(() => end(), end);
  return promise;
}

/** Reports a tracer that throws. */
export function traceFailed(logger: Logger, error: unknown): void {
  logger.error("the tracer threw", { error: errorText(error) });
}
