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

/** The messenger in a handler's context. */
export interface MessengerHandle extends Caller {
  /** The receiving instance's id. */
  readonly instanceId: InstanceId;
  /** Registers a handler; disposing the result unregisters it. */
  registerHandler(handler: Handler | ObjectHandler, options?: RegisterOptions): Disposable;
  /** Sends an ACK to the sender of a message that requested it, see `acknowledge`. */
  sendAck(to: InstanceId, id: string, options?: SendAckOptions): Promise<void>;
  /**
   * Closes the instance. Called by a handler through its `context.messenger`, it waits for all handlers but that one,
   * which may answer while the others finish; after that its caller gets the error of a closed instance.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * The context of every handler. A handler that returns a promise owns payload and headers for good; one that returns
 * none reads them before it returns, if they are needed later.
 */
export interface HandlerContext<Messenger extends MessengerHandle = MessengerHandle> {
  /**
   * The payload's bytes. The library never writes them again. A small payload may share its `ArrayBuffer` with other
   * messages, and keeps at most 16 KiB alive: use `payload.slice()` before its buffer is transferred, and for few that are
   * kept of many.
   */
  readonly payload: Uint8Array;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The handler's name. */
  readonly handlerName: string;
  /** The sender's `metadata`; null without. */
  readonly metadata: unknown;
  /** The message's id, the same in the logs of both sides: 32 hexadecimal digits. */
  readonly messageId: string;
  /** The sender's worker id. */
  readonly senderWorkerId: WorkerId;
  /** The sender's instance id; null if it has not introduced itself. */
  readonly senderInstanceId: InstanceId | null;
  /** The receiving messenger. Its `close` does not wait for this handler. */
  readonly messenger: Messenger;
  /**
   * Aborts when the caller cancels, its deadline passes, its connection is lost, or the instance closes and the time
   * for handlers is over; the call of `close` alone does not abort it.
   */
  readonly signal: AbortSignal;
  /**
   * Parses the payload as JSON.
   *
   * @throws {ZeromeshError} `PAYLOAD_INVALID` when it is not JSON.
   */
  json(): unknown;
}

/** The context of a contract's handler: also the validated input. */
export interface TypedContext<
  Input,
  Errors extends ContractErrors = ContractErrors,
  Messenger extends MessengerHandle = MessengerHandle,
> extends HandlerContext<Messenger> {
  /** The validated input. */
  readonly input: Input;
  /**
   * Makes an error that the contract declares, to be thrown: the caller gets its code, details and message. Details
   * that do not fit their schema become `RESULT_INVALID`.
   */
  readonly fail: Fail<Errors>;
}

/** A value or its promise. */
export type MaybePromise<T> = T | Promise<T>;

/** Options of one handler. */
export interface HandlerOptions extends TaskOptions {
  /**
   * Schema of the payload, for a handler without a contract: a Standard Schema, such as `jsonSchema(…)` of
   * `zeromesh/json-schema`. Other payloads are refused with `PAYLOAD_INVALID` before the handler runs; `context.input`
   * is the schema's output.
   */
  schema?: AnySchema | undefined;
  /** Decides who may call it, as `authorize` of `Messenger.create` does for all handlers. @default {all may} */
  authorize?: Authorize | undefined;
}

/** The options of a handler. */
export const handlerOptionTable: OptionTable<HandlerOptions> = {
  ...taskOptionTable,
  schema: option.kind(
    "a Standard Schema v1; wrap a JSON Schema in jsonSchema() of zeromesh/json-schema",
    schemaOption.fits,
  ),
  authorize: option.function,
};

/** Options of registering a handler. */
export interface RegisterOptions {
  /**
   * Replaces a handler of the same name, whose running calls finish. Without it a registered name is `HANDLER_EXISTS`.
   * @default {false}
   */
  replace?: boolean | undefined;
  /** Decides who may call it, in addition to the handler's and the messenger's `authorize`. @default {all may} */
  authorize?: Authorize | undefined;
}

/** The options of registering a handler. */
export const registerOptionTable: OptionTable<RegisterOptions> = {
  replace: option.flag,
  authorize: option.function,
};

/** The options of making and registering a handler at once. */
export const handleOptionTable: OptionTable<HandlerOptions & RegisterOptions> = {
  ...handlerOptionTable,
  ...registerOptionTable,
};

/** A handler, made by {@link amHandler}, {@link unaryHandler} or {@link typedUnaryHandler}. */
export interface Handler {
  /** Its name. */
  readonly name: string;
  /** `am`: no answer. `unary`: bytes. `typed`: by a contract. */
  readonly kind: "am" | "unary" | "typed";
  /** Its contract, if it has one. */
  readonly contract: Contract | null;
  /** Its dispatch mode. */
  readonly dispatch: Dispatch;
  /** Schema of its payload: the contract's input, or the handler's own. */
  readonly schema?: AnySchema | null | undefined;
  /** Decides who may call it. */
  readonly authorize?: Authorize | undefined;
  /** Its limits; without them every message starts at once. */
  readonly tasks?: ResolvedTasks | undefined;
  /** Called when it is unregistered, which running calls of a feature's kind of contract may end with. */
  readonly removed?: (() => void) | undefined;
  /** The function. `context` has `input` when there is a contract. */
  readonly run: (context: TypedContext<unknown>) => unknown;
}

/**
 * A handler as an object, literal or instance of a class, whose `handle` is called as its method.
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
  /** `am`: no answer. `unary`: the returned bytes are the answer. @default {"am"} */
  readonly kind?: "am" | "unary" | undefined;
  /** Schema of its payload: a Standard Schema. Other payloads are refused; `context.input` is the schema's output. */
  readonly schema?: AnySchema | undefined;
  /** Limits, order, and authorization. */
  readonly options?: Omit<HandlerOptions, "schema"> | undefined;
  /** Called for each message. */
  handle(context: TypedContext<unknown, ContractErrors, Messenger>): unknown;
}
