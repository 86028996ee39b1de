import {
  type CallOutput,
  type Clock,
  type Contract,
  type InstanceId,
  isContract,
  type UnaryContract,
  validate,
  ZeromeshError,
} from "../core/mod.ts";
import { SendOutcome, type Transport } from "../transport/mod.ts";
import {
  encodeHeaders,
  encodeRequest,
  encodeTtl,
  encodeTtlHeaders,
  encodingHeader,
  MessageType,
  ResponseKind,
  ttlHeader,
  validateHandlerName,
} from "../wire/mod.ts";
import type {
  BaseCallOptions,
  Caller,
  CallOptions,
  Client,
  ClientCallOptions,
  TypedCallOptions,
} from "./caller.ts";
import type { Connections } from "./connections.ts";
import { tableFull } from "./link_errors.ts";
import { checkTimeout, type SendOverflow } from "./options.ts";
import {
  checkHeaders,
  checkPeerLimit,
  encodeInput,
  keepBytes,
  lostBeforeSending,
  ownPayload,
  payloadInvalid,
  payloadTooLarge,
  queueFull,
  rawPayload,
  readResult,
  remaining,
  type Request,
  unknownPeer,
} from "./outbound.ts";
import type { CallTable, Outcome, PendingCall } from "./pending.ts";
import type { Session } from "./session.ts";

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

const nothing = new Uint8Array(new ArrayBuffer(0));
const done = Promise.resolve();
// As many as an instance may have handlers: a service that calls each of 10 000 by name pays no more than for one.
const maxCachedNames = 65_536;
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
      const merged = (payload: unknown, own: ClientCallOptions | undefined) => ({
        ...options,
        ...own,
        payload,
      });
      if (contract.output === undefined) {
        const method = (payload: unknown, own?: ClientCallOptions) =>
          this.amSync(contract, merged(payload, own));
        methods[name] = Object.assign(method, {
          send: (payload: unknown, own?: ClientCallOptions) => this.amSend(contract, merged(payload, own)),
        });
      } else {
        const typed = contract as UnaryContract;
        methods[name] = (payload: unknown, own?: ClientCallOptions) =>
          this.typedUnary(typed, merged(payload, own));
      }
    }
    return Object.freeze(methods) as Client<Contracts>;
  }

  /** Calls a system handler of a peer; its answer as bytes. */
  system(
    name: string,
    to: InstanceId,
    options: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<Uint8Array> {
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
      if (typeof handler !== "string") {
        throw new TypeError("Cannot call: the first argument must be a handler's name or a contract");
      }
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
    if (this.#parts.closed()) {
      throw new ZeromeshError("CLOSED", `Cannot call "${handler}": this instance is closed`);
    }
    const timeoutMs = checkTimeout("timeoutMs", options.timeoutMs ?? this.#parts.timeoutMs);
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`Cannot call "${handler}": signal must be an AbortSignal`);
    }
    if (request.payload.length > maxPayloadBytes) {
      throw payloadTooLarge(handler, to, request, maxPayloadBytes);
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
    checkPeerLimit(handler, request, session);
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

  /** Sends a call that has a connection. False when it is first `inLine` for room and still has to wait. */
  #transmit(call: PendingCall, request: Request, session: Session, inLine = false): boolean {
    if (call.settled) return true;
    try {
      checkPeerLimit(call.handler, request, session);
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
      if (outcome === SendOutcome.full) {
        if (inLine) return false;
        this.#waitForRoom(call, request, session);
        return true;
      }
      call.number = session.link.accepted;
      if (request.kind === ResponseKind.fire) call.succeed(undefined);
    } catch (error) {
      call.fail(error);
    }
    return true;
  }

  #waitForRoom(call: PendingCall, request: Request, session: Session): void {
    if (this.#parts.overflow === "fail") return call.fail(queueFull(call.handler, session));
    ownPayload(request);
    // Not on its way yet: whatever ends the call now ends it with ran "no".
    call.number = Infinity;
    call.waited = true;
    session.link.queueUp(() => this.#transmit(call, request, session, true));
  }

  #connectFirst(call: PendingCall, request: Request, to: InstanceId): void {
    const { connections, connectTimeoutMs } = this.#parts;
    const peer = connections.peers.get(to)!;
    ownPayload(request);
    call.waited = true;
    const send = (session: Session) => {
      if (call.session === null) this.#transmit(call, request, session);
    };
    peer.waiting.push(send);
    connections.ensure(peer, connectTimeoutMs).then(send, (error) => call.fail(error));
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
