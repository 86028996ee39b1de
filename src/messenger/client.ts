import {
  type AmContract,
  type CallInput,
  type CallOutput,
  type Clock,
  type Contract,
  describeIssues,
  type InstanceId,
  isContract,
  isInstanceId,
  issuePath,
  type SchemaIssue,
  type UnaryContract,
  validate,
  ZeromeshError,
} from "../core/mod.ts";
import { copyBytes, SendOutcome, type Transport } from "../transport/mod.ts";
import {
  decodePayload,
  encodeHeaders,
  encodePayload,
  encodeRequest,
  encodeTtl,
  encodeTtlHeaders,
  encodingHeader,
  isSystemHeader,
  MessageType,
  type PayloadEncoding,
  ResponseKind,
  ttlHeader,
  validateHandlerName,
} from "../wire/mod.ts";
import { type Connections, tableFull } from "./connections.ts";
import { checkTimeout, type SendOverflow } from "./options.ts";
import type { CallTable, Outcome, PendingCall } from "./pending.ts";
import type { Session } from "./session.ts";

/** What every call takes. */
export interface BaseCallOptions {
  /** The peer: what `connect` or `registerPeer` returned, or the own id. */
  to: InstanceId;
  /** Text by name, sent beside the payload: values up to 1 024 bytes, 16 384 in all, no name with a leading `_`. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Deadline in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** Gives the call up. It rejects with `signal.reason`; the remote handler's signal aborts. */
  signal?: AbortSignal | undefined;
}

/** Options of a call by handler name. Without either payload an empty one is sent. */
export interface CallOptions extends BaseCallOptions {
  /** A value to send as JSON. */
  payload?: unknown;
  /** Bytes to send as they are. */
  rawPayload?: Uint8Array | undefined;
}

/** Options of a call by contract. */
export interface TypedCallOptions<C extends Contract> extends BaseCallOptions {
  /** The contract's input. */
  payload: CallInput<C>;
}

/** What a method of a typed client takes besides the input. */
export type ClientCallOptions = Omit<BaseCallOptions, "to">;

/** A client's method for a contract with an answer. */
export type UnaryMethod<C extends Contract> = (
  payload: CallInput<C>,
  options?: ClientCallOptions,
) => Promise<CallOutput<C>>;

/** A client's method for a contract without an answer: resolves when the remote handler has finished. */
export interface AmMethod<C extends Contract> {
  (payload: CallInput<C>, options?: ClientCallOptions): Promise<void>;
  /** Fire and forget: resolves when the peer's queue holds the message. */
  send(payload: CallInput<C>, options?: ClientCallOptions): Promise<void>;
}

/** A typed client: a method for each contract. */
export type Client<Contracts extends Readonly<Record<string, Contract>>> = {
  readonly [Name in keyof Contracts]: Contracts[Name] extends AmContract ? AmMethod<Contracts[Name]>
    : UnaryMethod<Contracts[Name]>;
};

/** The four patterns, and clients made of them. */
export interface Caller {
  /** Fire and forget. Resolves when the peer's bounded queue holds the message; nothing more is promised. */
  amSend<C extends Contract>(contract: C, options: TypedCallOptions<C>): Promise<void>;
  /** Fire and forget, by handler name. */
  amSend(name: string, options: CallOptions): Promise<void>;
  /** Resolves when the remote handler has finished, rejects when it failed. */
  amSync<C extends Contract>(contract: C, options: TypedCallOptions<C>): Promise<void>;
  /** The same, by handler name. */
  amSync(name: string, options: CallOptions): Promise<void>;
  /** Resolves to the bytes that the remote handler answers. */
  unary(name: string, options: CallOptions): Promise<Uint8Array>;
  /** Resolves to the validated answer. */
  typedUnary<C extends UnaryContract>(contract: C, options: TypedCallOptions<C>): Promise<CallOutput<C>>;
  /** A client whose methods are the contracts. */
  client<Contracts extends Readonly<Record<string, Contract>>>(
    contracts: Contracts,
    options: { to: InstanceId } & ClientCallOptions,
  ): Client<Contracts>;
}

/** What the client side is made of. */
export interface ClientParts {
  /** The network. */
  readonly transport: Transport<Session>;
  /** Who is connected. */
  readonly connections: Connections;
  /** Who waits for what. */
  readonly calls: CallTable;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Deadline of a call that names none. */
  readonly timeoutMs: number;
  /** How long a known peer is dialled. */
  readonly connectTimeoutMs: number;
  /** Larger payloads are refused. */
  readonly maxPayloadBytes: number;
  /** What a send does when the peer's queue is full. */
  readonly overflow: SendOverflow;
  /** Whether the instance is closed. */
  closed(): boolean;
}

interface Request {
  readonly kind: ResponseKind;
  readonly name: Uint8Array;
  payload: Uint8Array;
  owned: boolean;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly encoding: PayloadEncoding;
}

const nothing = new Uint8Array(new ArrayBuffer(0));
const done = Promise.resolve();
const maxCachedNames = 4_096;
const maxCachedTtls = 64;

/** Sends requests and makes promises of their answers. */
export class CallClient implements Caller {
  readonly #parts: ClientParts;
  readonly #names = new Map<string, Uint8Array>();
  readonly #ttls = new Map<number, Uint8Array>();

  /** @param parts What it works with. */
  constructor(parts: ClientParts) {
    this.#parts = parts;
  }

  amSend(target: string | Contract, options: CallOptions | TypedCallOptions<Contract>): Promise<void> {
    return this.#start(ResponseKind.fire, target, options, null) as Promise<void>;
  }

  amSync(target: string | Contract, options: CallOptions | TypedCallOptions<Contract>): Promise<void> {
    return this.#start(ResponseKind.ack, target, options, null) as Promise<void>;
  }

  unary(target: string, options: CallOptions): Promise<Uint8Array> {
    return this.#start(ResponseKind.unary, target, options, keepBytes) as Promise<Uint8Array>;
  }

  typedUnary<C extends UnaryContract>(
    contract: C,
    options: TypedCallOptions<C>,
  ): Promise<CallOutput<C>> {
    const output = contract?.output;
    if (output === undefined) {
      return Promise.reject(
        new TypeError(`Cannot call typedUnary with "${contract?.name}": it is no contract with an output`),
      );
    }
    return this.#start(
      ResponseKind.unary,
      contract,
      options,
      (outcome) => readResult(contract, options.to, outcome),
    ) as Promise<CallOutput<C>>;
  }

  client<Contracts extends Readonly<Record<string, Contract>>>(
    contracts: Contracts,
    options: { to: InstanceId } & ClientCallOptions,
  ): Client<Contracts> {
    const methods: Record<string, unknown> = Object.create(null);
    for (const [name, contract] of Object.entries(contracts)) {
      if (!isContract(contract)) throw new TypeError(`Cannot make a client: "${name}" is no contract`);
      const merged = (payload: unknown, own: ClientCallOptions | undefined) => ({ ...options, ...own, payload });
      if (contract.output === undefined) {
        const method = (payload: unknown, own?: ClientCallOptions) => this.amSync(contract, merged(payload, own));
        methods[name] = Object.assign(method, {
          send: (payload: unknown, own?: ClientCallOptions) => this.amSend(contract, merged(payload, own)),
        });
      } else {
        const typed = contract as UnaryContract;
        methods[name] = (payload: unknown, own?: ClientCallOptions) => this.typedUnary(typed, merged(payload, own));
      }
    }
    return Object.freeze(methods) as Client<Contracts>;
  }

  /** Calls a system handler of a peer; its answer as bytes. */
  system(name: string, to: InstanceId, options: { timeoutMs?: number; signal?: AbortSignal }): Promise<Uint8Array> {
    const target = { kind: ResponseKind.unary, name: validateHandlerName(name, { system: true }) };
    return this.#dispatch(
      name,
      { ...target, payload: nothing, owned: true, headers: undefined, encoding: "json" },
      { to, ...options },
      keepBytes,
    ) as Promise<Uint8Array>;
  }

  /** Everything that cannot be right whoever the peer is ends here, before anything is sent. */
  #start(
    kind: ResponseKind,
    target: string | Contract,
    options: CallOptions,
    accept: ((outcome: Outcome) => unknown) | null,
  ): Promise<unknown> {
    try {
      const contract = isContract(target) ? target : null;
      const handler = contract === null ? target as string : contract.name;
      if (typeof options !== "object" || options === null) {
        throw new TypeError(`Cannot call "${handler}": the second argument must be an object with "to"`);
      }
      const name = this.#nameBytes(handler);
      checkHeaders(handler, options.headers);
      if (contract === null) {
        const owned = options.rawPayload === undefined;
        const payload = rawPayload(handler, options);
        const request: Request = { kind, name, payload, owned, headers: options.headers, encoding: "json" };
        return this.#dispatch(handler, request, options, accept);
      }
      const send = () => {
        const payload = encodeInput(contract, options.payload);
        const { encoding } = contract;
        return this.#dispatch(
          handler,
          { kind, name, payload, owned: true, headers: options.headers, encoding },
          options,
          accept,
        );
      };
      const checked = validate(
        contract.input,
        options.payload,
        (issues) => payloadInvalid(contract, options.to, issues),
      );
      return checked instanceof Promise ? checked.then(send) : send();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #dispatch(
    handler: string,
    request: Request,
    options: BaseCallOptions,
    accept: ((outcome: Outcome) => unknown) | null,
  ): Promise<unknown> {
    const { connections, calls, maxPayloadBytes } = this.#parts;
    const { to, signal } = options;
    if (this.#parts.closed()) throw new ZeromeshError("CLOSED", `Cannot call "${handler}": this instance is closed`);
    const timeoutMs = checkTimeout("timeoutMs", options.timeoutMs ?? this.#parts.timeoutMs);
    if (request.payload.length > maxPayloadBytes) {
      throw new ZeromeshError(
        "PAYLOAD_TOO_LARGE",
        `Cannot call "${handler}": the payload has ${request.payload.length} bytes, more than maxPayloadBytes ` +
          `(${maxPayloadBytes})`,
        { peer: to, handler },
      );
    }
    const session = connections.sessionOf(to);
    if (session === null && connections.peers.get(to) === undefined) throw unknownPeer(handler, to);
    if (request.kind === ResponseKind.fire && session !== null && !signal?.aborted && timeoutMs > 0) {
      const outcome = this.#fire(handler, request, session, timeoutMs);
      if (outcome) return done;
    }
    const call = calls.open(to, handler, timeoutMs, signal, accept);
    if (call.settled) return call.promise;
    if (session !== null) this.#transmit(call, request, session);
    else this.#connectFirst(call, request, to);
    return call.promise;
  }

  /** The short way of a message without an answer. False when it has to wait for room. */
  #fire(handler: string, request: Request, session: Session, timeoutMs: number): boolean {
    const headers = this.#encodeHeaders(handler, request, session, Infinity);
    const { headerBytes, headerView } = this.#parts.transport;
    const length = encodeRequest(
      headerBytes,
      headerView,
      0,
      ResponseKind.fire,
      this.#parts.calls.fireId,
      request.name,
      headers,
    );
    const outcome = session.link.send(MessageType.message, length, request.payload, request.owned);
    if (outcome === SendOutcome.sent || outcome === SendOutcome.queued) return true;
    if (outcome === SendOutcome.closed) throw lostBeforeSending(handler, session);
    if (this.#parts.overflow === "fail" || timeoutMs <= 0) throw queueFull(handler, session);
    return false;
  }

  #transmit(call: PendingCall, request: Request, session: Session): void {
    if (call.settled) return;
    try {
      call.session = session;
      const { calls, clock } = this.#parts;
      if (request.kind !== ResponseKind.fire && call.tableSlot < 0 && !calls.enlist(call)) throw tableFull();
      const ttlMs = request.kind === ResponseKind.fire ? Infinity : remaining(call, clock);
      const headers = this.#encodeHeaders(call.handler, request, session, ttlMs);
      const { headerBytes, headerView } = this.#parts.transport;
      const id = request.kind === ResponseKind.fire ? calls.fireId : call;
      const length = encodeRequest(headerBytes, headerView, 0, request.kind, id, request.name, headers);
      const outcome = session.link.send(MessageType.message, length, request.payload, request.owned);
      if (outcome === SendOutcome.closed) throw lostBeforeSending(call.handler, session);
      if (outcome === SendOutcome.full) return this.#waitForRoom(call, request, session);
      call.number = session.link.accepted;
      if (request.kind === ResponseKind.fire) call.succeed(undefined);
    } catch (error) {
      call.fail(error);
    }
  }

  #waitForRoom(call: PendingCall, request: Request, session: Session): void {
    if (this.#parts.overflow === "fail") return call.fail(queueFull(call.handler, session));
    ownPayload(request);
    // Not on its way yet: whatever ends the call now ends it with ran "no".
    call.number = Infinity;
    call.waited = true;
    session.link.room().then(() => this.#transmit(call, request, session));
  }

  #connectFirst(call: PendingCall, request: Request, to: InstanceId): void {
    const { connections, connectTimeoutMs } = this.#parts;
    const peer = connections.peers.get(to)!;
    ownPayload(request);
    call.waited = true;
    connections.ensure(peer, connectTimeoutMs).then(
      (session) => this.#transmit(call, request, session),
      (error) => call.fail(error),
    );
  }

  #encodeHeaders(handler: string, request: Request, session: Session, ttlMs: number): Uint8Array | null {
    const msgpack = request.encoding === "msgpack";
    if (msgpack && !session.msgpack) {
      throw new ZeromeshError(
        "PEER_LACKS_FEATURE",
        `Cannot call "${handler}": its contract uses MessagePack, which ${session.peer?.instanceId} does not speak`,
        { peer: session.peer?.instanceId, handler },
      );
    }
    const ttl = session.deadline && ttlMs !== Infinity;
    if (request.headers === undefined && !msgpack) return ttl ? this.#ttlBytes(ttlMs) : null;
    const all: Record<string, string> = { ...request.headers };
    if (msgpack) all[encodingHeader] = "msgpack";
    if (ttl) all[ttlHeader] = encodeTtl(ttlMs);
    return encodeHeaders(all);
  }

  #ttlBytes(ttlMs: number): Uint8Array {
    const whole = Math.ceil(ttlMs);
    let bytes = this.#ttls.get(whole);
    if (bytes === undefined) {
      bytes = encodeTtlHeaders(whole);
      if (this.#ttls.size >= maxCachedTtls) this.#ttls.clear();
      this.#ttls.set(whole, bytes);
    }
    return bytes;
  }

  #nameBytes(name: string): Uint8Array {
    let bytes = this.#names.get(name);
    if (bytes === undefined) {
      bytes = validateHandlerName(name);
      if (this.#names.size >= maxCachedNames) this.#names.clear();
      this.#names.set(name, bytes);
    }
    return bytes;
  }
}

function remaining(call: PendingCall, clock: Clock): number {
  if (call.timeoutMs === Infinity) return Infinity;
  // A call that goes out at once has all its time, and asking the clock costs as much as an FFI call.
  return call.waited ? Math.max(0, call.dueAt - clock.now()) : call.timeoutMs;
}

function ownPayload(request: Request): void {
  if (request.owned) return;
  request.payload = copyBytes(request.payload);
  request.owned = true;
}

function keepBytes(outcome: Outcome): Uint8Array {
  return outcome.keep();
}

function readResult(contract: UnaryContract, to: InstanceId, outcome: Outcome): unknown {
  const decoded = decodePayload(outcome.payload, contract.encoding);
  const fail = (why: string) =>
    new ZeromeshError("RESULT_INVALID", `Result of "${contract.name}" from ${to} is invalid: ${why}`, {
      peer: to,
      handler: contract.name,
      ran: "yes",
    });
  if (decoded.error !== undefined) throw fail(decoded.error);
  return validate(contract.output, decoded.value, (issues) => fail(describeIssues(issues)));
}

function rawPayload(handler: string, options: CallOptions): Uint8Array {
  const { payload, rawPayload } = options;
  if (rawPayload !== undefined) {
    if (payload !== undefined) throw new TypeError(`Cannot call "${handler}" with both payload and rawPayload`);
    if (rawPayload instanceof Uint8Array) return rawPayload;
    throw new TypeError(`Cannot call "${handler}": rawPayload must be a Uint8Array, got ${typeof rawPayload}`);
  }
  if (payload === undefined) return nothing;
  return encodePayload(payload, "json");
}

function encodeInput(contract: Contract, value: unknown): Uint8Array {
  return encodePayload(value, contract.encoding);
}

function checkHeaders(handler: string, headers: Readonly<Record<string, string>> | undefined): void {
  if (headers === undefined) return;
  for (const key of Object.keys(headers)) {
    if (!isSystemHeader(key)) continue;
    throw new ZeromeshError(
      "NAME_INVALID",
      `Cannot call "${handler}" with header "${key}": names that start with "_" are the system's`,
      { handler },
    );
  }
  encodeHeaders(headers); // throws what is wrong with them before anything else happens
}

function unknownPeer(handler: string, to: unknown): Error {
  if (typeof to !== "string") return new TypeError(`Cannot call "${handler}": "to" must be an instance id`);
  const hint = isInstanceId(to) ? "connect to it or register it first" : "it is not an instance id";
  return new ZeromeshError("PEER_UNKNOWN", `Cannot call "${handler}": nobody is known as ${to}; ${hint}`, {
    peer: to,
    handler,
  });
}

function payloadInvalid(contract: Contract, to: InstanceId, issues: readonly SchemaIssue[]): ZeromeshError {
  return new ZeromeshError(
    "PAYLOAD_INVALID",
    `Payload of "${contract.name}" is invalid: ${describeIssues(issues)}`,
    {
      peer: to,
      handler: contract.name,
      details: issues.map((issue) => ({ path: issuePath(issue), message: issue.message })),
    },
  );
}

function lostBeforeSending(handler: string, session: Session): ZeromeshError {
  return new ZeromeshError(
    "PEER_DISCONNECTED",
    `Cannot call "${handler}": the connection to ${session.peer?.instanceId} was lost before it was sent`,
    { peer: session.peer?.instanceId, handler },
  );
}

function queueFull(handler: string, session: Session): ZeromeshError {
  return new ZeromeshError(
    "QUEUE_FULL",
    `Cannot call "${handler}": the queue of ${session.peer?.instanceId} is full (${session.link.queuedMessages} ` +
      `messages, ${session.link.queuedBytes} bytes); it reads too slowly`,
    { peer: session.peer?.instanceId, handler },
  );
}
