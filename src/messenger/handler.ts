import {
  type Contract,
  type HandlerInput,
  type HandlerOutput,
  type InstanceId,
  isContract,
  type UnaryContract,
  type WorkerId,
  ZeromeshError,
} from "../core/mod.ts";
import { validateHandlerName } from "../wire/mod.ts";
import type { Caller } from "./caller.ts";

/** What a handler can do with the messenger that received its message. */
export interface MessengerFace extends Caller {
  /** The receiving instance's id. */
  readonly instanceId: InstanceId;
  /** Registers a handler; disposing the result unregisters it. */
  registerHandler(handler: Handler): Disposable;
}

/**
 * What every handler gets. Payload and headers belong to it for good.
 *
 * A handler that returns no promise reads them before it returns, if anybody wants them later.
 */
export interface HandlerContext {
  /** The payload's bytes. */
  readonly payload: Uint8Array;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The handler's name. */
  readonly handlerName: string;
  /** The message's id, the same in the logs of both sides: 32 hexadecimal digits. */
  readonly messageId: string;
  /** The sender's worker id. */
  readonly senderWorkerId: WorkerId;
  /** The sender's instance id; null when it never introduced itself. */
  readonly senderInstanceId: InstanceId | null;
  /** The messenger that received the message. */
  readonly messenger: MessengerFace;
  /** Aborts on the caller's cancel, its deadline, the loss of its connection, and shutdown. */
  readonly signal: AbortSignal;
  /**
   * The payload read as JSON.
   *
   * @throws {ZeromeshError} `PAYLOAD_INVALID` when it is not JSON.
   */
  json(): unknown;
}

/** What a handler with a contract gets: the context, and the input its schema gave. */
export interface TypedContext<Input> extends HandlerContext {
  /** The validated input. */
  readonly input: Input;
}

/** A value now or later. */
export type MaybePromise<T> = T | Promise<T>;

/** Options of one handler. */
export interface HandlerOptions {
  /**
   * `"spawn"` runs each message as a task of its own that shutdown waits for; `"inline"` runs it inside the
   * receive loop with the least overhead, for short synchronous work.
   * @default {"spawn"}
   */
  dispatch?: "spawn" | "inline" | undefined;
}

/** A handler, made by {@link amHandler}, {@link unaryHandler} or {@link typedUnaryHandler}. */
export interface Handler {
  /** Its name. */
  readonly name: string;
  /** `am`: answers nothing. `unary`: bytes. `typed`: by a contract. */
  readonly kind: "am" | "unary" | "typed";
  /** Its contract, for handlers that have one. */
  readonly contract: Contract | null;
  /** How it runs. */
  readonly dispatch: "spawn" | "inline";
  /** The function. `context` has `input` when there is a contract. */
  readonly run: (context: TypedContext<unknown>) => unknown;
}

/**
 * A handler of active messages: it answers nothing.
 *
 * Reached by `amSend` and `amSync`; `amSync` waits until it has finished.
 *
 * @param target The handler's name, or a contract without `output`.
 * @param run The function. What it returns is ignored; a promise is waited for.
 * @param options How it runs.
 * @throws {ZeromeshError} `NAME_INVALID` for an empty name, one over 65 535 bytes, or one that starts with `_`.
 *
 * @example Usage
 * ```ts ignore
 * messenger.registerHandler(amHandler("notify", ({ payload }) => void console.log(payload.length)));
 * ```
 */
export function amHandler(
  target: string,
  run: (context: HandlerContext) => unknown,
  options?: HandlerOptions,
): Handler;
/** A handler of active messages for a contract: its input is validated before it runs. */
export function amHandler<C extends Contract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>>) => unknown,
  options?: HandlerOptions,
): Handler;
export function amHandler(
  target: string | Contract,
  run: (context: TypedContext<never>) => unknown,
  options: HandlerOptions = {},
): Handler {
  return makeHandler("am", target, run as (context: TypedContext<unknown>) => unknown, options);
}

/**
 * A handler that answers bytes with bytes.
 *
 * @param name The handler's name.
 * @param run The function. It returns a `Uint8Array`, or nothing for an empty answer, or a promise of either.
 * @param options How it runs.
 * @throws {ZeromeshError} `NAME_INVALID`.
 *
 * @example Usage
 * ```ts ignore
 * messenger.registerHandler(unaryHandler("ping", ({ payload }) => payload));
 * ```
 */
export function unaryHandler(
  name: string,
  run: (context: HandlerContext) => MaybePromise<Uint8Array | null | undefined | void>,
  options: HandlerOptions = {},
): Handler {
  return makeHandler("unary", name, run, options);
}

/**
 * A handler for a contract: its input is validated before it runs, its answer before it is sent.
 *
 * @param target The contract.
 * @param run The function; `context.input` has the type of the contract.
 * @param options How it runs.
 * @throws {ZeromeshError} `NAME_INVALID`.
 *
 * @example Usage
 * ```ts ignore
 * messenger.registerHandler(typedUnaryHandler(add, ({ input }) => ({ sum: input.a + input.b })));
 * ```
 */
export function typedUnaryHandler<C extends UnaryContract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>>) => MaybePromise<HandlerOutput<C>>,
  options: HandlerOptions = {},
): Handler {
  return makeHandler("typed", target, run as (context: TypedContext<unknown>) => unknown, options);
}

/** Makes a handler for a system name, which the public makers refuse. */
export function systemHandler(
  name: string,
  kind: "am" | "unary",
  run: (context: HandlerContext) => unknown,
): Handler {
  validateHandlerName(name, { system: true });
  return Object.freeze({ name, kind, contract: null, dispatch: "inline" as const, run });
}

function makeHandler(
  kind: Handler["kind"],
  target: string | Contract,
  run: (context: TypedContext<unknown>) => unknown,
  options: HandlerOptions,
): Handler {
  const contract = isContract(target) ? target : null;
  const name = contract === null ? target as string : contract.name;
  if (typeof name !== "string") throw new TypeError("Cannot make a handler: it needs a name or a contract");
  if (typeof run !== "function") throw new TypeError(`Cannot make handler "${name}": it needs a function`);
  validateHandlerName(name);
  const dispatch = options.dispatch ?? "spawn";
  if (dispatch !== "spawn" && dispatch !== "inline") {
    throw new TypeError(`Cannot make handler "${name}": dispatch must be "spawn" or "inline"`);
  }
  return Object.freeze({ name, kind, contract, dispatch, run });
}

/**
 * Checks a handler that may have been made by hand.
 *
 * @throws {TypeError} If it is no handler.
 * @throws {ZeromeshError} `NAME_INVALID`.
 */
export function checkHandler(handler: Handler): void {
  if (typeof handler?.run !== "function" || typeof handler.name !== "string") {
    throw new TypeError(
      "Cannot register a handler that was not made by amHandler, unaryHandler or typedUnaryHandler",
    );
  }
  validateHandlerName(handler.name);
}

/** A handler while it is registered. */
export interface Registered {
  /** The handler. */
  readonly handler: Handler;
  /** Messages that it is working on. */
  running: number;
}

/** Handlers by name, bounded. */
export class HandlerRegistry {
  readonly #byName = new Map<string, Registered>();
  readonly #maxHandlers: number;

  /** @param maxHandlers The most handlers at a time. */
  constructor(maxHandlers: number) {
    this.#maxHandlers = maxHandlers;
  }

  /** The handler with this name. */
  get(name: string): Registered | undefined {
    return this.#byName.get(name);
  }

  /** All names, the system's included. */
  names(): string[] {
    return [...this.#byName.keys()];
  }

  /**
   * Adds a handler.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS` when the name is taken, `QUEUE_FULL` at the limit.
   */
  add(handler: Handler): Registered {
    if (this.#byName.has(handler.name)) {
      throw new ZeromeshError(
        "HANDLER_EXISTS",
        `Cannot register handler "${handler.name}": the name is taken; unregister the other one first`,
        { handler: handler.name },
      );
    }
    if (this.#byName.size >= this.#maxHandlers) {
      throw new ZeromeshError(
        "QUEUE_FULL",
        `Cannot register handler "${handler.name}": ${this.#maxHandlers} are registered, which is the limit ` +
          "(maxHandlers)",
        { handler: handler.name },
      );
    }
    const registered: Registered = { handler, running: 0 };
    this.#byName.set(handler.name, registered);
    return registered;
  }

  /** Takes a handler out; a successor of the same name stays. */
  remove(registered: Registered): boolean {
    const name = registered.handler.name;
    if (this.#byName.get(name) !== registered) return false;
    return this.#byName.delete(name);
  }
}
