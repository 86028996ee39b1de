import type {
  AmContract,
  CallInput,
  CallOutput,
  Contract,
  ContractOfKind,
  InstanceId,
  UnaryContract,
} from "../../core/mod.ts";
import type { RetryOptions } from "./retry_options.ts";
import type { Destination } from "./destination.ts";

/** Options of every call. */
export interface BaseCallOptions {
  /**
   * The peer: a result of `connect` or `registerPeer`, or this instance's id; or a destination such as `service(name)`.
   */
  to: InstanceId | Destination;
  /** Headers: values up to 1 024 bytes, 16 384 bytes in all, no name with a leading `_`. */
  headers?: Readonly<Record<string, string>> | undefined;
  /**
   * A value that travels as JSON beside the payload, up to 64 KiB of text: the handler's `context.metadata`. Plain Velo
   * takes 1 024 bytes; more is `HEADERS_TOO_LARGE`. Text above 1 024 bytes counts with the payload.
   */
  metadata?: unknown;
  /** Deadline in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /**
   * Retries of a call that certainly did not run, within its deadline, at another instance of its destination if
   * possible. @default {the messenger's retry: none}
   */
  retry?: RetryOptions | undefined;
  /** Cancels the call. It rejects with `signal.reason`, and the remote handler's signal aborts. */
  signal?: AbortSignal | undefined;
}

/** Options of a call by handler name. Without a payload an empty one is sent. */
export interface CallOptions extends BaseCallOptions {
  /** A value to send as JSON. */
  payload?: unknown;
  /** Bytes to send unchanged. */
  rawPayload?: Uint8Array | undefined;
}

/** The payload of a call by contract; optional if the contract's input accepts `undefined`. */
export type TypedPayload<C extends Contract> = undefined extends CallInput<C> ? {
    /** The contract's input. */
    payload?: CallInput<C> | undefined;
  }
  : {
    /** The contract's input. */
    payload: CallInput<C>;
  };

/** Options of a call by contract. */
export type TypedCallOptions<C extends Contract> = BaseCallOptions & TypedPayload<C>;

/** Options of a typed client's method. */
export type ClientCallOptions = Omit<BaseCallOptions, "to">;

/** Arguments of a typed client's method: the input, which is optional if it may be `undefined`, and options. */
export type MethodArguments<C extends Contract> = undefined extends CallInput<C>
  ? [payload?: CallInput<C> | undefined, options?: ClientCallOptions]
  : [payload: CallInput<C>, options?: ClientCallOptions];

/** A client's method for a contract with an answer. */
export type UnaryMethod<C extends Contract> = (...args: MethodArguments<C>) => Promise<CallOutput<C>>;

/** A client's method for a contract without an answer: resolves when the remote handler has finished. */
export interface AmMethod<C extends Contract> {
  (...args: MethodArguments<C>): Promise<void>;
  /** Fire and forget: resolves when the peer's queue holds the message. */
  send(...args: MethodArguments<C>): Promise<void>;
}

/** A typed client: a method for each contract of an object; other values are skipped. */
export type Client<Contracts extends object> = {
  readonly [Name in keyof Contracts as Contracts[Name] extends Contract ? Name : never]:
    Contracts[Name] extends Contract ? ClientMethod<Contracts[Name]> : never;
};

/** A client's method for a contract, by its kind. */
export type ClientMethod<C extends Contract> = C extends ContractOfKind<infer Types>
  ? (Types & { readonly contract: C; readonly options: ClientCallOptions })["method"]
  : C extends AmContract ? AmMethod<C>
  : UnaryMethod<C>;

/** The four patterns, and typed clients. */
export interface Caller {
  /** Fire and forget. Resolves when the peer's bounded queue holds the message. */
  amSend<C extends Contract>(contract: C, options: TypedCallOptions<C>): Promise<void>;
  /** Fire and forget, by handler name. */
  amSend(name: string, options: CallOptions): Promise<void>;
  /** Resolves when the remote handler has finished, rejects when it failed. */
  amSync<C extends Contract>(contract: C, options: TypedCallOptions<C>): Promise<void>;
  /** The same, by handler name. */
  amSync(name: string, options: CallOptions): Promise<void>;
  /** Resolves to the bytes of the remote handler's answer: memory like that of the context's `payload`. */
  unary(name: string, options: CallOptions): Promise<Uint8Array>;
  /** Resolves to the validated answer. */
  typedUnary<C extends UnaryContract>(contract: C, options: TypedCallOptions<C>): Promise<CallOutput<C>>;
  /**
   * A client with a method for each contract in an object, such as a module (`import * as`); other values are skipped.
   */
  client<Contracts extends object>(
    contracts: Contracts,
    options: { to: InstanceId | Destination } & ClientCallOptions,
  ): Client<Contracts>;
}
