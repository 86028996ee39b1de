import {
  type AnySchema,
  type Contract,
  type ContractErrors,
  type Fail,
  type HandlerInput,
  type HandlerOutput,
  type InstanceId,
  isContract,
  option,
  type OptionTable,
  readOptions,
  schemaOption,
  type UnaryContract,
  type WorkerId,
} from "../../core/mod.ts";
import { validateHandlerName } from "../../wire/mod.ts";
import type { SendAckOptions } from "../builtins/ack_options.ts";
import type { Caller } from "../calls/caller.ts";
import type { Authorize } from "./authorize.ts";
import type { CloseOptions } from "../calls/wait_options.ts";
import type { ObjectHandler } from "./object_handler.ts";
import {
  type Dispatch,
  type ResolvedTasks,
  resolveTasks,
  type TaskOptions,
  taskOptionTable,
} from "./task_options.ts";

/** What a handler can do with the messenger that received its message. */
export interface MessengerFace extends Caller {
  /** The receiving instance's id. */
  readonly instanceId: InstanceId;
  /** Registers a handler; disposing the result unregisters it. */
  registerHandler(handler: Handler | ObjectHandler, options?: RegisterOptions): Disposable;
  /** Tells the sender of a message that asked for it under an id of its own, see `acknowledge`. */
  sendAck(to: InstanceId, id: string, options?: SendAckOptions): Promise<void>;
  /**
   * Closes the instance. Called by a handler through its `context.messenger`, it waits for all others and not for that
   * handler. The handler may answer while the others finish; after that its caller is told that the instance was closed.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * What every handler gets. Payload and headers belong to it for good.
 *
 * A handler that returns no promise reads them before it returns, if anybody wants them later.
 */
export interface HandlerContext<Messenger extends MessengerFace = MessengerFace> {
  /** The payload's bytes. */
  readonly payload: Uint8Array;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The handler's name. */
  readonly handlerName: string;
  /** What the sender gave as `metadata`; null when it gave none. */
  readonly metadata: unknown;
  /** The message's id, the same in the logs of both sides: 32 hexadecimal digits. */
  readonly messageId: string;
  /** The sender's worker id. */
  readonly senderWorkerId: WorkerId;
  /** The sender's instance id; null when it never introduced itself. */
  readonly senderInstanceId: InstanceId | null;
  /** The messenger that received the message. It knows this handler: its `close` does not wait for it. */
  readonly messenger: Messenger;
  /**
   * Aborts on the caller's cancel, its deadline, the loss of its connection, and when the instance closes before the
   * handler has finished: not when `close` is called, but when the time that it gives to handlers is over.
   */
  readonly signal: AbortSignal;
  /**
   * The payload read as JSON.
   *
   * @throws {ZeromeshError} `PAYLOAD_INVALID` when it is not JSON.
   */
  json(): unknown;
}

/** What a handler with a contract gets: the context, and the input its schema gave. */
export interface TypedContext<
  Input,
  Errors extends ContractErrors = ContractErrors,
  Messenger extends MessengerFace = MessengerFace,
> extends HandlerContext<Messenger> {
  /** The validated input. */
  readonly input: Input;
  /**
   * Makes an error that the contract declares, to be thrown: its caller gets it with code, details and message. Details
   * that do not fit their schema are a `RESULT_INVALID` for the caller.
   */
  readonly fail: Fail<Errors>;
}

/** A value now or later. */
export type MaybePromise<T> = T | Promise<T>;

/** Options of one handler. */
export interface HandlerOptions extends TaskOptions {
  /**
   * What the payload must be, for a handler without a contract: a Standard Schema, such as `jsonSchema(…)` of
   * `zeromesh/json-schema` makes of a JSON Schema. Anything else is refused with `PAYLOAD_INVALID`, and the handler
   * does not run. What the schema gives is `context.input`.
   */
  schema?: AnySchema | undefined;
  /** Says who may call it, as `authorize` of `Messenger.create` does for all handlers. @default {everybody} */
  authorize?: Authorize | undefined;
}

/** All that a handler knows. */
export const handlerOptionTable: OptionTable<HandlerOptions> = {
  ...taskOptionTable,
  schema: option.kind(
    "a Standard Schema v1; wrap a JSON Schema in jsonSchema() of zeromesh/json-schema",
    schemaOption.fits,
  ),
  authorize: option.function,
};

/** How to register a handler. */
export interface RegisterOptions {
  /**
   * Takes the place of a handler of the same name, which finishes what it has begun. Without it a taken name is
   * `HANDLER_EXISTS`.
   * @default {false}
   */
  replace?: boolean | undefined;
  /** Says who may call it. What the handler itself, or the messenger, has of it must say so as well. @default {everybody} */
  authorize?: Authorize | undefined;
}

/** All that registering a handler knows. */
export const registerOptionTable: OptionTable<RegisterOptions> = {
  replace: option.flag,
  authorize: option.function,
};

/** All that making and registering a handler in one go knows. */
export const handleOptionTable: OptionTable<HandlerOptions & RegisterOptions> = {
  ...handlerOptionTable,
  ...registerOptionTable,
};

/** A handler, made by {@link amHandler}, {@link unaryHandler} or {@link typedUnaryHandler}. */
export interface Handler {
  /** Its name. */
  readonly name: string;
  /** `am`: answers nothing. `unary`: bytes. `typed`: by a contract. */
  readonly kind: "am" | "unary" | "typed";
  /** Its contract, for handlers that have one. */
  readonly contract: Contract | null;
  /** How it runs. */
  readonly dispatch: Dispatch;
  /** What its payload must be: the contract's input, or the handler's own schema. */
  readonly schema?: AnySchema | null | undefined;
  /** Says who may call it. */
  readonly authorize?: Authorize | undefined;
  /** Its limits; a handler without them starts whatever comes. */
  readonly tasks?: ResolvedTasks | undefined;
  /** The function. `context` has `input` when there is a contract. */
  readonly run: (context: TypedContext<unknown>) => unknown;
}

/** A handler of active messages: it answers nothing. */
export function amHandler(
  target: string,
  run: (context: HandlerContext) => unknown,
  options?: HandlerOptions,
): Handler;
/** A handler of active messages for a contract: its input is validated before it runs. */
export function amHandler<C extends Contract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>, C["errors"]>) => unknown,
  options?: HandlerOptions,
): Handler;
export function amHandler(
  target: string | Contract,
  run: (context: TypedContext<never>) => unknown,
  options?: HandlerOptions,
): Handler {
  return makeHandler("am", target, run as (context: TypedContext<unknown>) => unknown, options);
}

/** A handler that answers bytes with bytes. */
export function unaryHandler(
  name: string,
  run: (context: HandlerContext) => MaybePromise<Uint8Array | null | undefined | void>,
  options?: HandlerOptions,
): Handler {
  return makeHandler("unary", name, run, options);
}

/** A handler for a contract: its input is validated before it runs, its answer before it is sent. */
export function typedUnaryHandler<C extends UnaryContract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>, C["errors"]>) => MaybePromise<HandlerOutput<C>>,
  options?: HandlerOptions,
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

const unlimitedHandlers = new WeakSet<Handler>();

/**
 * Marks a handler of the library's that has an ordinary name: the messenger's own limits (`concurrency`,
 * `maxInFlightMessages`, `maxInFlightBytes`) do not hold it up. Behind a worker's only place its cohort's heartbeats
 * would wait for the job that has it, and the worker would be taken for lost.
 */
export function unlimited(handler: Handler): Handler {
  unlimitedHandlers.add(handler);
  return handler;
}

/** Whether a handler was marked by {@link unlimited}. */
export function isUnlimited(handler: Handler): boolean {
  return unlimitedHandlers.has(handler);
}

function makeHandler(
  kind: Handler["kind"],
  target: string | Contract,
  run: (context: TypedContext<unknown>) => unknown,
  given: HandlerOptions | null | undefined,
): Handler {
  const contract = isContract(target) ? target : null;
  const name = contract === null ? target as string : contract.name;
  if (typeof name !== "string") throw new TypeError("Cannot make a handler: it needs a name or a contract");
  if (typeof run !== "function") throw new TypeError(`Cannot make handler "${name}": it needs a function`);
  validateHandlerName(name);
  const options = readOptions(given, handlerOptionTable, "Cannot make handler", name);
  if (options.schema !== undefined && contract !== null) {
    throw new TypeError(`Cannot make handler "${name}" with a schema: its contract has one`);
  }
  const schema = contract?.input ?? options.schema ?? null;
  const tasks = resolveTasks(name, options);
  const { dispatch = "spawn", authorize } = options;
  return Object.freeze({ name, kind, contract, dispatch, schema, authorize, tasks, run });
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
  const { authorize } = handler;
  if (authorize === undefined || typeof authorize === "function") return;
  throw new TypeError(`Cannot register handler "${handler.name}": its authorize must be a function`);
}
