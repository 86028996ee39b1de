import {
  type CallOutput,
  type Contract,
  type InstanceId,
  isContract,
  type UnaryContract,
  validate,
  ZeromeshError,
} from "../../core/mod.ts";
import { ResponseKind } from "../../wire/mod.ts";
import type { ContractKinds } from "../contract_kinds.ts";
import type {
  BaseCallOptions,
  Caller,
  CallOptions,
  Client,
  ClientCallOptions,
  TypedCallOptions,
} from "./caller.ts";
import { companionIn } from "./companion.ts";
import type { Connections } from "../peers/connections.ts";
import type { FeatureCall } from "./feature_call.ts";
import { EncodedNames } from "./encoded_names.ts";
import { readCallOptions, wrongTarget } from "./call_options.ts";
import { RequestSender } from "./request_sender.ts";
import {
  addMetadata,
  checkPayload,
  declaresErrors,
  encodeInput,
  encodeMetadata,
  type Envelope,
  headersOf,
  keepBytes,
  ownPayload,
  payloadInvalid,
  rawPayload,
  readerOf,
  readFailure,
  type Request,
  unknownPeer,
} from "./request.ts";
import type { Retries } from "./retry.ts";
import { type Destination, isDestination } from "./destination.ts";
import type { DestinationRouter, ToDestination } from "./destination_router.ts";
import { elapsedMs, elapsedOf, type PartOfCall } from "./elapsed.ts";
import type { Accept } from "./outcome.ts";
import type { PendingCall } from "./pending.ts";
import type { Session } from "../peers/peer.ts";
import { traceCall, type Tracer } from "./traced_call.ts";
import type { WaitOptions } from "./wait_options.ts";
import { SystemCalls } from "./system_calls.ts";
import { typedClient } from "./typed_client.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of a {@link CallClient}. */
export interface ClientParts extends SharedParts {
  /** The connections. */
  readonly connections: Connections;
  /** Traces calls; null without tracing. */
  readonly tracer: Tracer | null;
  /** Router of calls to several instances. */
  readonly router: DestinationRouter;
  /** Retries of calls. */
  readonly retries: Retries;
  /** How contracts are called. */
  readonly kinds: ContractKinds;
  /** Whether the instance is closed. */
  closed(): boolean;
}

type ToPeer<O extends BaseCallOptions> = O & { to: InstanceId };

const done = Promise.resolve();

/** Sends requests and returns promises of their answers. */
export class CallClient implements Caller {
  readonly #parts: ClientParts;
  readonly #encoded = new EncodedNames();
  readonly #outgoing: RequestSender;
  /** Calls of system handlers by name. */
  readonly system: SystemCalls;
  /** Called before each call is sent. */
  before: (() => void) | null = null;

  /** @param parts Its parts. */
  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.#outgoing = new RequestSender(parts, this.#encoded);
    this.system = new SystemCalls(
      this.#encoded,
      parts.tracer,
      (label, request, to, options, accept, via) => this.#dispatch(label, request, to, options, accept, via),
    );
  }

  amSend(target: string | Contract, options: CallOptions | TypedCallOptions<Contract>): Promise<void> {
    return this.#call(ResponseKind.fire, target, options, null) as Promise<void>;
  }

  amSync(target: string | Contract, options: CallOptions | TypedCallOptions<Contract>): Promise<void> {
    const started = this.#call(ResponseKind.ack, target, options, null) as Promise<void>;
    return started;
  }

  unary(target: string, options: CallOptions): Promise<Uint8Array> {
    if (typeof target !== "string") return Promise.reject(wrongTarget("unary", target, "a handler's name"));
    const started = this.#call(ResponseKind.unary, target, options, keepBytes) as Promise<Uint8Array>;
    return started;
  }

  typedUnary<C extends UnaryContract>(
    contract: C,
    options: TypedCallOptions<C>,
  ): Promise<CallOutput<C>> {
    if (contract?.kind !== "unary") {
      const wants = isContract(contract) && contract.kind !== "am"
        ? `none of kind "${contract.kind}"; a method of client() calls it`
        : "a contract with an output";
      return Promise.reject(wrongTarget("typedUnary", contract, wants));
    }
    const started = this.#isDirect(options)
      ? this.#typed(contract, options)
      : this.#send(contract, options, (direct) => this.#typed(contract, direct));
    return started as Promise<CallOutput<C>>;
  }

  #call(
    kind: ResponseKind,
    target: string | Contract,
    options: CallOptions,
    accept: Accept | null,
  ): Promise<unknown> {
    if (this.#isDirect(options)) return this.#start(kind, target, options, accept);
    return this.#sendTo(kind, target, options, accept);
  }

  #sendTo(
    kind: ResponseKind,
    target: string | Contract,
    options: CallOptions,
    accept: Accept | null,
  ): Promise<unknown> {
    return this.#send(target, options, (direct) => this.#start(kind, target, direct, accept));
  }

  /** Whether a call goes to one peer, once: the common case, which pays for nothing else. */
  #isDirect(options: BaseCallOptions): boolean {
    return typeof options?.to === "string" && !this.#parts.retries.concern(options);
  }

  /** Sends a call to its peer or to an instance of its destination, with its retries. */
  #send(
    target: string | Contract,
    given: CallOptions | TypedCallOptions<Contract>,
    call: (direct: CallOptions) => Promise<unknown>,
  ): Promise<unknown> {
    const { retries, router } = this.#parts;
    const once = (one: BaseCallOptions): Promise<unknown> =>
      isDestination(one.to) ? router.start(one as ToDestination<BaseCallOptions>, call) : call(one);
    try {
      const options = readCallOptions(target, given);
      const retry = retries.of(options);
      return retry === null ? once(options) : retries.run(retry, options, once);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #typed(contract: UnaryContract, options: CallOptions): Promise<unknown> {
    return this.#start(ResponseKind.unary, contract, options, readerOf(contract, options.to as InstanceId));
  }

  client<Contracts extends object>(
    contracts: Contracts,
    given: { to: InstanceId | Destination } & ClientCallOptions,
  ): Client<Contracts> {
    return typedClient(this.#parts.kinds, this, contracts, given);
  }

  /** The instances of a destination; see {@link DestinationRouter.instances}. */
  readonly instancesOf: DestinationRouter["instances"] = (options) => this.#parts.router.instances(options);

  /** Calls the handler of a system contract, or sends to it if the contract has no answer. */
  contracted(contract: Contract, to: InstanceId, input: unknown, wait: WaitOptions): Promise<unknown> {
    const accept = contract.output === undefined ? null : readerOf(contract as UnaryContract, to);
    const kind = accept === null ? ResponseKind.fire : ResponseKind.unary;
    try {
      const name = this.#encoded.system(contract.name);
      const envelope = { name, headers: undefined, metadata: null, system: true };
      return this.#byContract(kind, contract, { ...wait, to, payload: input }, accept, envelope);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #start(
    kind: ResponseKind,
    target: string | Contract,
    options: CallOptions,
    accept: Accept | null,
  ): Promise<unknown> {
    const { tracer } = this.#parts;
    if (tracer === null) return this.#check(kind, target, options, accept);
    return this.#traced(tracer, kind, target, options, accept);
  }

  #traced(
    tracer: Tracer,
    kind: ResponseKind,
    target: string | Contract,
    options: CallOptions,
    accept: Accept | null,
  ): Promise<unknown> {
    return traceCall(tracer, kind, target, options, (traced) => this.#check(kind, target, traced, accept));
  }

  /** Checks everything that does not depend on the peer, before sending. */
  #check(
    kind: ResponseKind,
    target: string | Contract,
    given: CallOptions,
    accept: Accept | null,
  ): Promise<unknown> {
    try {
      const contract = isContract(target) ? target : null;
      const handler = contract === null ? target as string : contract.name;
      if (typeof handler !== "string") {
        throw new TypeError("Cannot call: the first argument must be a handler's name or a contract");
      }
      if (typeof given !== "object" || given === null) {
        throw new TypeError(`Cannot call "${handler}": the second argument must be an object with "to"`);
      }
      const options = readCallOptions(target, given);
      const name = this.#encoded.user(handler);
      const metadata = options.metadata === undefined ? null : encodeMetadata(handler, options.metadata);
      const headers = headersOf(handler, options.headers, metadata);
      if (contract === null) {
        const owned = options.rawPayload === undefined;
        const payload = rawPayload(handler, options);
        const request: Request = { kind, name, system: false, payload, owned, headers, encoding: "json" };
        if (metadata !== null) addMetadata(request, metadata);
        return this.#dispatch(handler, request, options.to as InstanceId, options, accept);
      }
      return this.#byContract(kind, contract, options, accept, { name, headers, metadata });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A call by contract, after the common checks. */
  #byContract(
    kind: ResponseKind,
    contract: Contract,
    options: CallOptions,
    accept: Accept | null,
    { name, headers, metadata, system = false }: Envelope,
  ): Promise<unknown> {
    const handler = contract.name;
    const send = (timely: CallOptions) => {
      const { encoding } = contract;
      const payload = encodeInput(handler, options.to, options.payload, encoding);
      const am = contract.output === undefined && !system;
      const companion = companionIn(options);
      const request: Request = { kind, name, system, payload, owned: true, headers, encoding, am, companion };
      if (metadata !== null) addMetadata(request, metadata);
      const declares = kind !== ResponseKind.fire && declaresErrors(contract);
      // A call with a companion may last longer than its deadline, and leaves all of it to the check.
      const startedAt = declares && companion === undefined ? this.#parts.clock.now() : Infinity;
      const sent = this.#dispatch(handler, request, timely.to as InstanceId, timely, accept);
      return declares ? sent.catch((error) => this.#readFailure(contract, error, timely, startedAt)) : sent;
    };
    const checked = validate(
      contract.input,
      options.payload,
      (issues, cause) => payloadInvalid(contract, options.to as InstanceId, issues, cause),
    );
    if (!(checked instanceof Promise)) return send(options);
    return this.#checkLater(handler, checked, options as ToPeer<CallOptions>, send);
  }

  /** Reads the details of a declared error within the call's deadline; after it, they stay as received. */
  #readFailure(
    contract: Contract,
    failure: unknown,
    options: CallOptions,
    startedAt: number,
  ): Promise<never> {
    const { to, timeoutMs, signal } = options;
    const { calls, clock, timeoutMs: preset } = this.#parts;
    const spent = Math.max(0, elapsedOf(options) + clock.now() - startedAt);
    const left = (timeoutMs ?? preset) - spent;
    const check = calls.open(to as InstanceId, contract.name, Math.max(1, left), signal, null);
    const textOf = (peer: InstanceId) => this.#parts.connections.peers.textOf(peer);
    readFailure(contract, failure, textOf).catch((read) => check.fail(read));
    return check.promise.then(() => Promise.reject(failure), (end) => {
      throw end instanceof ZeromeshError && end.code === "TIMEOUT" && end.ran !== "yes" ? failure : end;
    });
  }

  /** Waits for an input's validator, and sends, within the call's deadline. */
  #checkLater(
    handler: string,
    checked: Promise<unknown>,
    options: ToPeer<CallOptions>,
    send: (timely: CallOptions) => Promise<unknown>,
  ): Promise<unknown> {
    const { calls, clock } = this.#parts;
    this.#requireOpen(handler);
    const { signal, timeoutMs = this.#parts.timeoutMs } = options;
    const startedAt = clock.now() - elapsedOf(options);
    const check = calls.open(options.to, handler, timeoutMs, signal, null, elapsedOf(options));
    companionIn(options)?.opened(check);
    checked.then((value) => check.succeed(value), (error) => check.fail(error));
    return check.promise.then(() => {
      const part: PartOfCall = { [elapsedMs]: clock.now() - startedAt };
      return send({ ...options, ...part });
    });
  }

  #requireOpen(handler: string): void {
    if (!this.#parts.closed()) return;
    throw new ZeromeshError("CLOSED", `Cannot call "${handler}": this instance is closed`, { handler });
  }

  #dispatch(
    handler: string,
    request: Request,
    to: InstanceId,
    options: WaitOptions,
    accept: Accept | null,
    via: Session | null = null,
  ): Promise<unknown> {
    this.before?.();
    const { connections, calls, maxPayloadBytes } = this.#parts;
    this.#requireOpen(handler);
    const { signal, timeoutMs = this.#parts.timeoutMs } = options;
    const spent = elapsedOf(options);
    checkPayload(handler, request, maxPayloadBytes, to);
    const session = via ?? connections.sessionOf(to);
    if (session === null && !connections.canReach(to)) throw unknownPeer(handler, to);
    const unanswered = request.kind === ResponseKind.fire && request.confirm === undefined;
    if (unanswered && session !== null && !signal?.aborted && timeoutMs > spent) {
      const outcome = this.#outgoing.fire(handler, request, session);
      if (outcome) return done;
    }
    const call = calls.open(to, handler, timeoutMs, signal, accept, spent);
    request.companion?.opened(call);
    const feature = options as FeatureCall<unknown>;
    if (call.settled) {
      feature.failed?.(undefined, call.promise);
      return call.promise;
    }
    if (feature.failed !== undefined) call.failing = feature;
    if (session !== null) this.#outgoing.transmit(call, request, session);
    else this.#connectFirst(call, request, to);
    return call.promise;
  }

  /** Connects to a peer as a call of that name does: in the same time, and with the same errors. */
  async reach(label: string, to: InstanceId, options: WaitOptions): Promise<void> {
    const { connections, calls } = this.#parts;
    this.#requireOpen(label);
    if (connections.sessionOf(to) !== null) return;
    if (!connections.canReach(to)) throw unknownPeer(label, to);
    const { signal, timeoutMs = this.#parts.timeoutMs } = options;
    const call = calls.open(to, label, timeoutMs, signal, null, elapsedOf(options));
    if (!call.settled) this.#connect(call, to, () => call.succeed(undefined));
    await call.promise;
  }

  #connectFirst(call: PendingCall, request: Request, to: InstanceId): void {
    ownPayload(request);
    this.#connect(call, to, (session) => {
      if (call.session === null) this.#outgoing.transmit(call, request, session);
    });
  }

  /** @param send Called with the connection, perhaps twice. */
  #connect(call: PendingCall, to: InstanceId, send: (session: Session) => void): void {
    const { connections, connectTimeoutMs } = this.#parts;
    call.waited = true;
    const peer = connections.peers.get(to);
    if (peer === undefined) {
      connections.finder.find(to).then(
        () => this.#connect(call, to, send),
        (error) => call.fail(error),
      );
      return;
    }
    peer.waiting.push(send);
    connections.ensure(peer, connectTimeoutMs, "connectTimeoutMs").then(send, (error) => call.fail(error));
  }
}
