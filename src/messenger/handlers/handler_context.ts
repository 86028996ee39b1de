import {
  type AnySchema,
  type Contract,
  type ContractErrors,
  type Fail,
  type InstanceId,
  option,
  type OptionTable,
  schemaOption,
  type WorkerId,
} from "../../core/mod.ts";
import type { SendAckOptions } from "../builtins/ack_options.ts";
import type { Caller } from "../calls/caller.ts";
import type { CloseOptions } from "../calls/wait_options.ts";
import type { Authorize } from "./authorize.ts";
import { type Dispatch, type ResolvedTasks, type TaskOptions, taskOptionTable } from "./task_options.ts";

/** What a handler can do with the messenger that received its message. */
export interface MessengerHandle extends Caller {
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
export interface HandlerContext<Messenger extends MessengerHandle = MessengerHandle> {
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
  Messenger extends MessengerHandle = MessengerHandle,
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

/**
 * A handler as an object: a literal, or an instance of a class of yours, whose `handle` is called as its method.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 *
 * class Counter {
 *   readonly name = "count";
 *   total = 0;
 *   handle(): void {
 *     this.total++;
 *   }
 * }
 *
 * await using messenger = await Messenger.create();
 * messenger.registerHandler(new Counter());
 * ```
 */
export interface ObjectHandler<Messenger extends MessengerHandle = MessengerHandle> {
  /** Its name. */
  readonly name: string;
  /** `am` answers nothing; what `unary` returns are the bytes of the answer. @default {"am"} */
  readonly kind?: "am" | "unary" | undefined;
  /** What its payload must be: a Standard Schema. Anything else is refused, and what it gives is `context.input`. */
  readonly schema?: AnySchema | undefined;
  /** Its limits, its order, and who may call it. */
  readonly options?: Omit<HandlerOptions, "schema"> | undefined;
  /** Called for each message. */
  handle(context: TypedContext<unknown, ContractErrors, Messenger>): unknown;
}
