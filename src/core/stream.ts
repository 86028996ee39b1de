import type { CallInput, CallOutput, Contract, HandlerInput, HandlerOutput } from "./contract.ts";
import { contractKind, type ContractTypes, type SchemaOfKind } from "./contract_kind.ts";
import type { Ending } from "./ending.ts";
import {
  type AnySchema,
  isSchema,
  type SchemaInput,
  type SchemaOutput,
  type SchemaResult,
  type StandardSchema,
} from "./schema.ts";

/** The name of the kind of contracts that have a stream. */
export const streamKind = "stream";

/** What items are taken from: an async iterable, or an iterable object such as an array. A string is none. */
export type StreamSource<Item> = AsyncIterable<Item> | (Iterable<Item> & object);

/** A schema in a contract that stands for a stream of items. Made by {@link stream}. */
export interface StreamSchema<Item extends AnySchema = AnySchema> extends SchemaOfKind<StreamTypes> {
  /** The schema of one item. */
  readonly item: Item;
  /** The types of the whole stream: what is sent, and what arrives. */
  readonly "~standard": StandardSchema<
    StreamSource<SchemaInput<Item>>,
    AsyncIterable<SchemaOutput<Item>>
  >["~standard"];
}

/**
 * Makes a contract's input, output, or both a stream of items.
 *
 * With a stream as output the handler is an async generator, or returns an async iterable, and the call is iterated
 * over. With a stream as input the handler iterates over `context.input`, and the call sends items.
 *
 * @param item The schema of one item. Each is checked where it leaves and where it arrives.
 * @throws {TypeError} If it is not a Standard Schema v1, or a stream itself.
 *
 * @example Usage
 * ```ts
 * import { contract, Messenger, stream } from "zeromesh";
 * import { z } from "zod";
 *
 * const count = contract("count", { input: z.number(), output: stream(z.number()) });
 *
 * await using messenger = await Messenger.create();
 * messenger.handle(count, async function* ({ input }) {
 *   for (let i = 1; i <= input; i++) yield i;
 * });
 * const client = messenger.client({ count }, { to: messenger.instanceId });
 * for await (const number of client.count(3)) console.log(number); // 1, 2, 3
 * ```
 */
export function stream<Item extends AnySchema>(item: Item): StreamSchema<Item> {
  if (!isSchema(item) || isStream(item)) {
    throw new TypeError("Cannot make a stream: its items need a Standard Schema v1 (zod, valibot, …)");
  }
  const validate = (): SchemaResult<never> => ({
    issues: [{ message: "it stands for a stream of items, which are checked one by one" }],
  });
  return Object.freeze({
    item,
    "~standard": Object.freeze({ version: 1 as const, vendor: "zeromesh", validate }),
    [contractKind]: Object.freeze({ name: streamKind }),
  });
}

/** Whether a schema stands for a stream. */
export function isStream(schema: AnySchema | undefined): schema is StreamSchema {
  return (schema as Partial<StreamSchema> | undefined)?.[contractKind]?.name === streamKind;
}

/** Options of a call with a stream, beyond those of every call. */
export interface StreamCallOptions {
  /**
   * The longest pause in milliseconds without an item in either direction, once the peer has accepted the call; then it
   * ends with `TIMEOUT`. Items that wait to be read are no pause. @default {Infinity}
   */
  readonly idleTimeoutMs?: number | undefined;
}

/** A call with a stream, in whatever direction. */
export interface StreamCall extends AsyncDisposable {
  /** Resolves when the call has ended, and never rejects: to `"closed"`, or to the error. */
  readonly closed: Promise<Ending>;
  /** Ends the call, if it has not ended: the handler's signal aborts. A second call does nothing. */
  close(): Promise<void>;
  /** Same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The options of one `send`. */
export interface StreamSendOptions {
  /** The longest wait for the reader, in milliseconds. @default {Infinity} */
  readonly timeoutMs?: number | undefined;
  /** Takes the item back while it waits; `send` rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** The sending side of a call whose input is a stream. */
export interface StreamInput<Item> {
  /**
   * Sends an item. Resolves when there was room for it in the handler's window, and it has left.
   *
   * A send that rejects has sent nothing, and the call goes on. A rejection that nobody awaits is not reported.
   *
   * @throws {ZeromeshError} `PAYLOAD_INVALID` or `ENCODING_FAILED` for the item, with its number; `PAYLOAD_TOO_LARGE`;
   * `QUEUE_FULL` when as many items as a window holds wait already; `TIMEOUT`; `CLOSED` after {@link end}; `CANCELLED`
   * when the handler takes no more; the error with which the call has ended.
   */
  send(item: Item, options?: StreamSendOptions): Promise<void>;
  /** Ends the input after the items sent so far. Resolves when all of them have left. */
  end(): Promise<void>;
}

/**
 * A call whose output is a stream. It has started when it was made; its items can be iterated over once. Leaving the loop
 * early ends it.
 */
export interface ServerStreamCall<Item> extends AsyncIterable<Item>, StreamCall {}

/** A call whose input is a stream. */
export interface ClientStreamCall<Item, Result> extends StreamInput<Item>, StreamCall {
  /** The handler's result. A rejection that nobody awaits is not reported. */
  readonly result: Promise<Result>;
}

/** A call whose input and output are streams. */
export interface TwoWayStreamCall<Item, Answer> extends StreamInput<Item>, ServerStreamCall<Answer> {}

/** The item that the sender of a stream gives, or its reader gets. */
export type StreamItem<Schema, Side extends "given" | "taken"> = Schema extends StreamSchema<infer Item>
  ? Side extends "given" ? SchemaInput<Item> : SchemaOutput<Item>
  : never;

/** A client's method for a contract with a stream. With a source as its input, the call sends the source's items. */
export type StreamMethod<C extends Contract, Options> = C["input"] extends StreamSchema ? (
    source?: CallInput<C> | null,
    options?: Options & StreamCallOptions,
  ) => C["output"] extends StreamSchema
    ? TwoWayStreamCall<StreamItem<C["input"], "given">, StreamItem<C["output"], "taken">>
    : ClientStreamCall<StreamItem<C["input"], "given">, CallOutput<C>>
  : undefined extends CallInput<C> ? (
      input?: CallInput<C>,
      options?: Options & StreamCallOptions,
    ) => ServerStreamCall<StreamItem<C["output"], "taken">>
  : (
    input: CallInput<C>,
    options?: Options & StreamCallOptions,
  ) => ServerStreamCall<StreamItem<C["output"], "taken">>;

/** The context of the handler of a contract with a stream. */
export type StreamContext<Context, C extends Contract> = Context & {
  /** The validated input: items to iterate over once, if it is a stream. */
  readonly input: HandlerInput<C>;
};

/** What the handler of a contract with a stream returns. */
export type StreamResult<C extends Contract> = C["output"] extends AnySchema
  ? HandlerOutput<C> | Promise<HandlerOutput<C>>
  : unknown;

/** The types of contracts with a stream. */
export interface StreamTypes extends ContractTypes {
  /** A client's method. */
  readonly method: StreamMethod<Extract<this["contract"], Contract>, this["options"]>;
  /** The function that handles it. */
  readonly handler: (
    context: StreamContext<this["context"], Extract<this["contract"], Contract>>,
  ) => StreamResult<Extract<this["contract"], Contract>>;
}
