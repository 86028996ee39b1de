import {
  type Clock,
  type Contract,
  describeIssues,
  errorText,
  type InstanceId,
  issuePath,
  type Logger,
  type SchemaIssue,
  validate,
  ZeromeshError,
} from "../core/mod.ts";
import type { Deadlines } from "../core/mod.ts";
import type { DropCounters, InboundMessage } from "../transport/mod.ts";
import { decodePayload, encodePayload, RequestHeader, ResponseKind, veloText } from "../wire/mod.ts";
import { type CallHost, InboundCall, shuttingDown } from "./context.ts";
import type { HandlerRegistry, MessengerFace, Registered, TypedContext } from "./handler.ts";
import type { Failure, Replies } from "./replies.ts";
import { runningKey, type Session } from "./session.ts";

/** What the dispatcher is made of. */
export interface DispatcherParts {
  /** What handlers see as `context.messenger`. */
  readonly face: MessengerFace;
  /** The handlers. */
  readonly registry: HandlerRegistry;
  /** Where answers go. */
  readonly replies: Replies;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Deadlines of calls whose handlers ask for their signal. */
  readonly deadlines: Deadlines;
  /** Counts what is dropped. */
  readonly drops: DropCounters;
  /** Where trouble is reported. */
  readonly logger: Logger;
  /** Results above this are refused. */
  readonly maxPayloadBytes: number;
  /** Whether only instances that have introduced themselves are served. */
  readonly secure: boolean;
  /** Learns from a `_hello` that is refused how its sender takes answers. */
  meet(call: InboundCall): void;
  /** The peer with this worker id. */
  instanceOf(word0: number, word1: number): InstanceId | null;
}

/** Counters of a {@link Dispatcher}. */
export interface DispatchStats {
  /** Messages that handlers are working on. */
  readonly running: number;
  /** Messages given to handlers since the start. */
  readonly started: number;
  /** Of these, those whose handler failed. */
  readonly failed: number;
  /** Requests refused: unknown handler, invalid payload, draining. */
  readonly refused: number;
}

const nothing = new Uint8Array(new ArrayBuffer(0));
// System handlers that finish work accepted earlier, and therefore run while draining.
const servedWhileDraining: ReadonlySet<string> = new Set(["_cancel", "_goodbye"]);

/**
 * Brings requests to their handlers and the results back.
 *
 * Everything up to a handler's first `await` runs inside the receive loop: answers of a drain then leave
 * together, and a payload is decoded where it lies.
 */
export class Dispatcher implements CallHost {
  readonly #parts: DispatcherParts;
  readonly #idle: (() => void)[] = [];
  readonly #busy = new Set<Session>();
  #draining = false;
  #running = 0;
  #started = 0;
  #failed = 0;
  #refused = 0;
  #fireKey = 0;

  /** @param parts What it works with. */
  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  get face(): MessengerFace {
    return this.#parts.face;
  }

  get draining(): boolean {
    return this.#draining;
  }

  now(): number {
    return this.#parts.clock.now();
  }

  addDeadline(call: InboundCall, ms: number): void {
    this.#parts.deadlines.add(call, ms);
  }

  instanceOf(word0: number, word1: number): InstanceId | null {
    return this.#parts.instanceOf(word0, word1);
  }

  /** Counters. */
  stats(): DispatchStats {
    return { running: this.#running, started: this.#started, failed: this.#failed, refused: this.#refused };
  }

  /** Refuses new requests from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** Resolves when no handler is working. */
  async idle(): Promise<void> {
    // A handler that closes its own instance counts as working once it has returned its promise.
    await Promise.resolve();
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Aborts the signals of a session's running messages. */
  abortSession(session: Session, reason: unknown): void {
    for (const call of [...session.running.values()]) call.abort(reason);
  }

  /** Handles one request. */
  request(session: Session, message: InboundMessage, header: RequestHeader): void {
    if (header.kind !== ResponseKind.fire && session.link.state === "closed") {
      return this.#parts.drops.count("senderGone");
    }
    const peer = session.peer;
    const bound = session.zeromesh || this.#parts.secure;
    if (bound && peer !== null && (header.id0 !== peer.worker0 || header.id1 !== peer.worker1)) {
      return this.#parts.drops.count("identityMismatch");
    }
    // With CURVE the key is known, and until its _hello nobody has said whose it is.
    if (this.#parts.secure && peer === null && session.link.kind === "accepted" && header.name !== "_hello") {
      return this.#parts.drops.count("identityMismatch");
    }
    const call = new InboundCall(
      this,
      session,
      message,
      header.kind,
      header.name,
      header,
      header.headersStart,
      header.headersEnd,
    );
    if (this.#draining && !servedWhileDraining.has(header.name)) {
      this.#refused++;
      if (header.name === "_hello") this.#parts.meet(call);
      return this.#parts.replies.giveBack(call, message.header.slice(message.headerStart, message.headerEnd));
    }
    const registered = this.#parts.registry.get(header.name);
    if (registered === undefined) {
      this.#refused++;
      return this.#parts.replies.fail(call, {
        code: "HANDLER_NOT_FOUND",
        message: `There is no handler "${header.name}"`,
        plainText: veloText.handlerNotFound(header.name),
        plainNack: true,
      });
    }
    this.#started++;
    let result: unknown;
    let later: boolean;
    try {
      const contract = registered.handler.contract;
      result = contract === null
        ? registered.handler.run(call as unknown as TypedContext<unknown>)
        : this.#runTyped(call, registered, contract);
      later = isThenable(result);
    } catch (error) {
      this.#fail(call, registered, error);
      return call.retire();
    }
    if (later) return this.#await(call, registered, result, (value) => this.#finish(call, registered, value));
    this.#finish(call, registered, result);
    call.retire();
  }

  #runTyped(call: InboundCall, registered: Registered, contract: Contract): unknown {
    const decoded = decodePayload(call.lentPayload, call.encoding);
    if (decoded.error !== undefined) throw new Refusal(payloadUnreadable(contract.name, decoded.error));
    const input = validate(
      contract.input,
      decoded.value,
      (issues) => new Refusal(payloadInvalid(contract, issues)),
    );
    if (input instanceof Promise) {
      return input.then((value) => {
        call.input = value;
        return registered.handler.run(call as unknown as TypedContext<unknown>);
      });
    }
    call.input = input;
    return registered.handler.run(call as unknown as TypedContext<unknown>);
  }

  #await<T>(call: InboundCall, registered: Registered, result: T, finish: (value: Awaited<T>) => void): void {
    call.detach();
    registered.running++;
    this.#running++;
    call.runningKey = call.kind === ResponseKind.fire ? -(++this.#fireKey) : runningKey(call);
    call.session.running.set(call.runningKey, call);
    this.#busy.add(call.session);
    // A thenable of somebody else's may throw, or return nothing from its then().
    Promise.resolve(result).then((value) => {
      this.#leave(call, registered);
      finish(value);
    }, (error) => {
      this.#leave(call, registered);
      this.#fail(call, registered, error);
    }).then(undefined, (error) => this.#parts.logger.error("a reply failed", { error: errorText(error) }));
  }

  #leave(call: InboundCall, registered: Registered): void {
    this.#parts.deadlines.remove(call);
    const { running } = call.session;
    if (running.get(call.runningKey) === call) running.delete(call.runningKey);
    if (running.size === 0) this.#busy.delete(call.session);
    registered.running--;
    if (--this.#running > 0 || this.#idle.length === 0) return;
    // The answer is sent right after this; whoever waits for idleness comes a microtask later.
    for (const resolve of this.#idle.splice(0)) queueMicrotask(resolve);
  }

  #finish(call: InboundCall, registered: Registered, result: unknown): void {
    const { handler } = registered;
    this.#parts.deadlines.remove(call);
    if (call.kind === ResponseKind.fire || call.expired) return;
    if (handler.kind === "am") {
      if (call.kind === ResponseKind.ack) return this.#parts.replies.succeed(call, nothing, true);
      return this.#parts.replies.fail(call, {
        code: "HANDLER_FAILED",
        message: `"${handler.name}" is an am handler and has no answer; call it with amSend or amSync`,
        plainText: veloText.unaryToAm(handler.name),
      });
    }
    if (handler.contract !== null) return this.#finishTyped(call, registered, handler.contract, result);
    if (result === undefined || result === null) return this.#answer(call, registered, nothing, true);
    if (result instanceof Uint8Array) {
      // Bytes that the handler returned synchronously are copied by libzmq before anybody can change them.
      return this.#answer(call, registered, result, false);
    }
    this.#fail(
      call,
      registered,
      new Refusal({
        code: "ENCODING_FAILED",
        message:
          `Handler "${handler.name}" must return a Uint8Array or nothing, and returned ${typeof result}`,
        plainText: veloText.outputInvalid(`a ${typeof result} is not bytes`),
      }),
    );
  }

  #finishTyped(call: InboundCall, registered: Registered, contract: Contract, result: unknown): void {
    const send = () => {
      try {
        this.#answer(call, registered, encodeResult(contract, result, call.encoding), true);
      } catch (error) {
        this.#fail(call, registered, error);
      }
    };
    try {
      if (contract.output === undefined) return send();
      const checked = validate(
        contract.output,
        result,
        (issues) => new Refusal(resultInvalid(contract, issues)),
      );
      if (!(checked instanceof Promise)) return send();
      this.#await(call, registered, checked, send);
    } catch (error) {
      this.#fail(call, registered, error);
    }
  }

  #answer(call: InboundCall, registered: Registered, bytes: Uint8Array, owned: boolean): void {
    if (call.abandoned && !call.session.link.established) return;
    const limit = Math.min(this.#parts.maxPayloadBytes, call.session.maxPayloadBytes);
    if (bytes.length > limit) {
      return this.#fail(
        call,
        registered,
        new Refusal({
          code: "PAYLOAD_TOO_LARGE",
          message: `The answer of "${registered.handler.name}" has ${bytes.length} bytes, more than ` +
            `maxPayloadBytes (${limit})`,
        }),
      );
    }
    this.#parts.replies.succeed(call, bytes, owned);
  }

  #fail(call: InboundCall, registered: Registered, error: unknown): void {
    this.#parts.deadlines.remove(call);
    const { handler } = registered;
    if (error instanceof Refusal) {
      this.#refused++;
      if (call.kind === ResponseKind.fire) {
        this.#parts.logger.warn("a message was refused", { handler: handler.name, why: error.message });
      }
      return this.#parts.replies.fail(call, error.failure);
    }
    this.#failed++;
    if (call.kind === ResponseKind.fire) {
      this.#parts.logger.warn("a handler failed", { handler: handler.name, error: errorText(error) });
      return;
    }
    if (call.expired) return;
    const message = errorText(error);
    const code = codeOf(error, handler.name, handler.contract);
    // Details are for whoever declared the code; those of a failure inside the handler stay here.
    const data = error instanceof ZeromeshError && code === error.code ? error.details : undefined;
    const failure: Failure = { code, message, data };
    if (call.kind === ResponseKind.unary && handler.kind === "am") {
      return this.#parts.replies.fail(call, {
        ...failure,
        plainText: veloText.unaryToAm(handler.name, message),
      });
    }
    this.#parts.replies.fail(call, failure);
  }

  /** Aborts everything that runs: this instance is closing. */
  abortAll(): void {
    for (const session of this.#busy) this.abortSession(session, shuttingDown());
  }
}

/** A failure that the dispatcher itself found, with its words for either kind of peer. */
class Refusal extends ZeromeshError {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.code, failure.message);
    this.failure = failure;
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** What a handler throws is `HANDLER_FAILED`, unless its contract declares the code. */
function codeOf(error: unknown, handler: string, contract: Contract | null): string {
  if (!(error instanceof ZeromeshError)) return "HANDLER_FAILED";
  if (handler.startsWith("_")) return error.code;
  if (contract !== null && Object.hasOwn(contract.errors, error.code)) return error.code;
  // What context.json() found is about this very payload; what a call found names its peer.
  const own = error.handler === handler && error.peer === undefined;
  return own && error.code === "PAYLOAD_INVALID" ? error.code : "HANDLER_FAILED";
}

function payloadUnreadable(name: string, why: string): Failure {
  return {
    code: "PAYLOAD_INVALID",
    message: `Payload of "${name}" is invalid: ${why}`,
    plainText: veloText.inputInvalid(why),
  };
}

function payloadInvalid(contract: Contract, issues: readonly SchemaIssue[]): Failure {
  return {
    code: "PAYLOAD_INVALID",
    message: `Payload of "${contract.name}" is invalid: ${describeIssues(issues)}`,
    data: issues.slice(0, 5).map((issue) => ({ path: issuePath(issue), message: issue.message })),
    plainText: veloText.inputInvalid(describeIssues(issues)),
  };
}

function resultInvalid(contract: Contract, issues: readonly SchemaIssue[]): Failure {
  return {
    code: "RESULT_INVALID",
    message: `Result of "${contract.name}" is invalid: ${describeIssues(issues)}`,
    plainText: veloText.outputInvalid(describeIssues(issues)),
  };
}

function encodeResult(contract: Contract, result: unknown, encoding: "json" | "msgpack"): Uint8Array {
  try {
    return encodePayload(result, encoding);
  } catch (error) {
    throw new Refusal({
      code: "ENCODING_FAILED",
      message: `Result of "${contract.name}" cannot be encoded: ${errorText(error)}`,
      plainText: veloText.outputInvalid(errorText(error)),
    });
  }
}
