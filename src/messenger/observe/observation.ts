import {
  type Guard,
  type Histogram,
  isThenable,
  knownErrorCodes,
  LabelLimit,
  type Meter,
  type MetricInfo,
  otherLabel,
  readable,
  type Timed,
  TurnClock,
  ZeromeshError,
} from "../../core/mod.ts";
import { answeredLater } from "../handlers/answered_later.ts";
import type { InboundCall, Registered } from "../handlers/context.ts";
import { Durations } from "./durations.ts";
import type { TypedContext } from "../handlers/handler_context.ts";
import type { CallObserver, PendingCall } from "../calls/pending.ts";
import { patternOf, type Tracer } from "../calls/traced_call.ts";
import { ObservedCall } from "./observed_call.ts";
import { MessageTrace } from "./message_trace.ts";
import type { TraceOutcome, TracePattern, Tracing } from "./tracing.ts";

const callDuration: MetricInfo = {
  name: "zeromesh_calls_duration_seconds",
  help: "Time from a call to its answer, of calls that were sent and wait for one.",
  unit: "seconds",
  labels: ["handler", "outcome"],
};
const callsFailed: MetricInfo = {
  name: "zeromesh_calls_failed_total",
  help: "Calls of this instance that failed, by the error's code.",
  unit: "calls",
  labels: ["code"],
};
const handlerDuration: MetricInfo = {
  name: "zeromesh_handler_duration_seconds",
  help: "Time from the start of a handler to its end.",
  unit: "seconds",
  labels: ["handler", "outcome"],
};
const labelValues: MetricInfo = {
  name: "zeromesh_metrics_label_values",
  help: "Values that a label has whose values are limited (maxMetricLabels).",
  unit: "values",
  labels: ["label"],
};
const foldedValues: MetricInfo = {
  name: "zeromesh_metrics_folded_total",
  help: 'Observations put under "other" because a label had as many values as it may have.',
  unit: "observations",
  labels: ["label"],
};

/** Reports the fill level of a limited label. */
export function observeLabel(meter: Meter, label: string, limit: LabelLimit): Disposable[] {
  return [
    meter.gauge(labelValues, (observe) => observe(limit.size, label)),
    meter.counter(foldedValues, (observe) => observe(limit.folded, label)),
  ];
}

/** Times calls and counts their failures. */
export class CallTimer implements CallObserver {
  readonly #turn: TurnClock;
  readonly #histogram: Histogram;
  readonly #handlers: LabelLimit;
  readonly #durations = new Map<string, Durations>();
  readonly #failed = new Map<string, number>();
  // Callers often repeat a call.
  #lastHandler = "_";
  #lastDurations: Durations | null = null;

  /** @param meter The meter. */
  constructor(meter: Meter, turn: TurnClock, maxLabels: number) {
    this.#turn = turn;
    this.#handlers = new LabelLimit(maxLabels);
    this.#histogram = meter.histogram(callDuration);
  }

  /** Reports its counters to a meter. */
  observe(meter: Meter): Disposable[] {
    return [
      meter.counter(callsFailed, (observe) => this.#failed.forEach((count, code) => observe(count, code))),
      ...observeLabel(meter, "called_handler", this.#handlers),
    ];
  }

  opened(call: PendingCall): void {
    // Calls with a deadline already have their start time.
    if (call.timeoutMs === Infinity) call.startedAt = this.#turn.now();
  }

  ended(call: PendingCall, sent: boolean, failed: boolean, error: unknown): void {
    if (failed) this.#countFailure(error);
    if (!sent) return;
    const { handler } = call;
    if (handler !== this.#lastHandler) {
      this.#lastHandler = handler;
      this.#lastDurations = call.system ? null : this.#durationsOf(handler);
    }
    const start = call.timeoutMs === Infinity ? call.startedAt : call.dueAt - call.allottedMs;
    this.#lastDurations?.record(!failed, Math.max(0, this.#turn.now() - start) / 1000, this.#turn);
  }

  #countFailure(error: unknown): void {
    const code = codeLabel(error);
    this.#failed.set(code, (this.#failed.get(code) ?? 0) + 1);
  }

  #durationsOf(handler: string): Durations {
    const known = this.#durations.get(handler);
    if (known !== undefined) return known;
    const label = this.#handlers.of(handler);
    let durations = this.#durations.get(label);
    if (durations === undefined) {
      this.#durations.set(label, durations = new Durations(this.#histogram, label));
    }
    return durations;
  }
}

/** Times and traces messages to handlers. */
export class InboundObserver {
  readonly #turn: TurnClock;
  readonly #histogram: Histogram | null;
  readonly #handlers: LabelLimit;
  readonly #tracing: Tracing | null;
  readonly #guard: Guard;

  /** @param meter Meter of durations; null for none. */
  constructor(
    meter: Meter | null,
    tracing: Tracing | null,
    turn: TurnClock,
    maxLabels: number,
    guard: Guard,
  ) {
    this.#turn = turn;
    this.#tracing = tracing;
    this.#guard = guard;
    this.#handlers = new LabelLimit(maxLabels);
    this.#histogram = meter?.histogram(handlerDuration) ?? null;
  }

  /** Reports its counters to a meter. */
  observe(meter: Meter): Disposable[] {
    return observeLabel(meter, "handler", this.#handlers);
  }

  /** Notes a message to a user's handler. */
  received(call: InboundCall): void {
    if (this.#tracing === null) return;
    const observed = call.observed = new ObservedCall();
    observed.trace = this.traceOf(call, call.handlerName, patternOf(call.kind));
  }

  /** Begins the trace of a message; null without tracing. */
  traceOf(call: InboundCall, handlerName: string, pattern: TracePattern): MessageTrace | null {
    const tracing = this.#tracing;
    if (tracing === null) return null;
    const trace = this.#guard.run("tracing", () =>
      tracing.receive({
        handlerName,
        pattern,
        headers: call.headers,
        payloadBytes: call.bytes,
        get messageId() {
          return call.messageId;
        },
        get sender() {
          return call.senderInstanceId;
        },
      }));
    return trace === undefined ? null : new MessageTrace(trace, this.#guard);
  }

  /** Runs the handler. */
  run(call: InboundCall, registered: Registered, context: TypedContext<unknown>): unknown {
    const observed = call.observed ??= new ObservedCall();
    if (this.#histogram !== null) {
      const durations = registered.durations ??= new Durations(
        this.#histogram,
        this.#handlers.of(call.handlerName),
      );
      observed.timed = call.detached || durations.isTimed(this.#turn);
      if (observed.timed) observed.startedAt = this.#turn.read();
    }
    const { trace } = observed;
    const result = trace === null
      ? begin(call, registered, context)
      : trace.run(() => begin(call, registered, context));
    if (this.#histogram !== null && !observed.timed && (result === answeredLater || isThenable(result))) {
      // It may take long, whatever the others took, so it is timed from here.
      observed.timed = true;
      observed.startedAt = this.#turn.now();
    }
    return result;
  }

  /** Notes the end of a message to a user's handler. */
  ended(call: InboundCall, registered: Registered, outcome: TraceOutcome, error: unknown): void {
    const { durations } = registered;
    const { observed } = call;
    if (observed === null) return;
    if (durations !== null && call.ran) {
      const ok = outcome === "succeeded";
      if (observed.timed) {
        durations.record(ok, (this.#turn.read() - observed.startedAt) / 1000, this.#turn);
      } else durations.recordLike(ok, this.#turn);
    }
    observed.trace?.end(outcome, error, observed.items);
  }
}

/** Calls a handler's function. */
export function runHandler(
  observer: InboundObserver | null,
  call: InboundCall,
  registered: Registered,
): unknown {
  const context = call as unknown as TypedContext<unknown>;
  if (observer === null || registered.system) return begin(call, registered, context);
  return observer.run(call, registered, context);
}

/** Marks a call as run, and calls the function. */
function begin(call: InboundCall, registered: Registered, context: TypedContext<unknown>): unknown {
  registered.counts.started++;
  call.ran = true;
  return registered.handler.run(context);
}

/** Options of an {@link Observation}. */
export interface ObservationOptions extends Timed {
  /** Meter. */
  readonly meter: Meter | null;
  /** Tracing. */
  readonly tracing: Tracing | null;
  /** Calls meter and tracer. */
  readonly guard: Guard;
  /** Values of a label with an open set of values. */
  readonly maxMetricLabels: number;
}

/** The observers of an instance; null without meter and tracing. */
export class Observation {
  /** Observes calls of this instance. */
  readonly calls: CallTimer | null;
  /** Observes messages to its handlers. */
  readonly inbound: InboundObserver | null;
  /** Traces its calls. */
  readonly tracer: Tracer | null;
  readonly #meter: Meter | null;

  /** @param options Meter and tracing. */
  constructor(options: ObservationOptions) {
    const { meter, tracing, guard, maxMetricLabels } = options;
    const turn = new TurnClock(options.clock);
    this.calls = meter === null ? null : new CallTimer(meter, turn, maxMetricLabels);
    this.inbound = meter === null && tracing === null
      ? null
      : new InboundObserver(meter, tracing, turn, maxMetricLabels, guard);
    this.tracer = tracing === null ? null : { tracing, guard };
    this.#meter = meter;
  }

  /** Reports the counters to the meter, once the instance runs. */
  open(): Disposable[] {
    const meter = this.#meter;
    if (meter === null) return [];
    return [...this.calls?.observe(meter) ?? [], ...this.inbound?.observe(meter) ?? []];
  }
}

const codes: ReadonlySet<string> = new Set(knownErrorCodes);

/** The label of a code. Codes of contracts and unknown ones share one value, since the set must be closed. */
function codeLabel(reason: unknown): string {
  const error = readable(reason);
  if (!(error instanceof ZeromeshError)) return "aborted";
  return codes.has(error.code) ? error.code : otherLabel;
}
