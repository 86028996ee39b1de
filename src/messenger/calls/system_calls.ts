import type { InstanceId } from "../../core/mod.ts";
import { type ResponseId, ResponseKind } from "../../wire/mod.ts";
import type { HandlerTrace } from "../observe/message_trace.ts";
import type { Session } from "../peers/peer.ts";
import type { SystemRequest } from "../shared_parts.ts";
import type { CallOptions } from "./caller.ts";
import type { EncodedNames } from "./encoded_names.ts";
import type { FeatureCall } from "./feature_call.ts";
import type { Accept, Outcome } from "./outcome.ts";
import { keepBytes, type Request } from "./request.ts";
import { beginTrace, type CallTrace, traceCall, type Tracer } from "./traced_call.ts";
import type { WaitOptions } from "./wait_options.ts";

/** Sends a request to a peer. */
export type SendRequest = (
  label: string,
  request: Request,
  to: InstanceId,
  options: WaitOptions,
  accept: Accept | null,
  via: Session | null,
) => Promise<unknown>;

const nothing = new Uint8Array(new ArrayBuffer(0));

/** Calls of system handlers by name. */
export class SystemCalls {
  readonly #encoded: EncodedNames;
  readonly #tracer: Tracer | null;
  readonly #send: SendRequest;

  /**
   * @param tracer Traces the calls of features that want it.
   * @param send Sends a request.
   */
  constructor(encoded: EncodedNames, tracer: Tracer | null, send: SendRequest) {
    this.#encoded = encoded;
    this.#tracer = tracer;
    this.#send = send;
  }

  /** Calls a handler of a peer; resolves to its answer as bytes. */
  call(name: string, to: InstanceId, given: SystemRequest): Promise<Uint8Array> {
    const { payload = nothing, kind = ResponseKind.unary, admitted = false, session = null } = given;
    const request = this.#request(kind, name, payload, true, admitted);
    return this.#send(name, request, to, given, keepBytes, session) as Promise<Uint8Array>;
  }

  /** Begins the trace of a call that a feature ends itself; null without a tracer. See `SystemPort.traceCall`. */
  trace(label: string, to: InstanceId, within: HandlerTrace | null): CallTrace | null {
    const tracer = this.#tracer;
    return tracer === null ? null : beginTrace(tracer, ResponseKind.unary, label, to, within?.trace ?? null);
  }

  /** Calls a handler for a feature. @param answered Whether it has an answer. */
  feature(
    name: string,
    to: InstanceId,
    payload: Uint8Array,
    call: FeatureCall<unknown>,
    answered: boolean,
  ): Promise<unknown> {
    const { within, label = name } = call;
    if (this.#tracer === null || within === undefined) {
      return this.#feature(name, to, payload, call, answered, undefined);
    }
    // Without an answer, the end of the handler is not awaited.
    const kind = answered ? ResponseKind.unary : ResponseKind.fire;
    const send = ({ headers }: CallOptions) => this.#feature(name, to, payload, call, answered, headers);
    return traceCall(this.#tracer, kind, label, { to }, send, within?.trace);
  }

  #feature(
    name: string,
    to: InstanceId,
    payload: Uint8Array,
    call: FeatureCall<unknown>,
    answered: boolean,
    headers: Request["headers"],
  ): Promise<unknown> {
    const kind = answered ? ResponseKind.unary : ResponseKind.ack;
    if (call.headers !== undefined) headers = { ...headers, ...call.headers };
    const request = this.#request(kind, name, payload, call.borrowed !== true, false, undefined, headers);
    const accept = answered ? call.accept ?? keepBytes : null;
    return this.#send(call.label ?? name, request, to, call, accept, null);
  }

  /** Sends a message that is confirmed with an ack under an id in its payload. */
  confirmed(
    name: string,
    to: InstanceId,
    confirm: (id: ResponseId) => Uint8Array,
    options: WaitOptions,
    accept: ((answer: Outcome) => void) | null = null,
  ): Promise<void> {
    const request = this.#request(ResponseKind.fire, name, nothing, true, false, confirm);
    return this.#send(name, request, to, options, accept, null) as Promise<void>;
  }

  #request(
    kind: ResponseKind,
    handler: string,
    payload: Uint8Array,
    owned: boolean,
    admitted: boolean,
    confirm?: Request["confirm"],
    headers?: Request["headers"],
  ): Request {
    const name = this.#encoded.system(handler);
    return {
      kind,
      name,
      system: true,
      admitted,
      payload,
      owned,
      headers,
      encoding: "json",
      confirm,
    };
  }
}
