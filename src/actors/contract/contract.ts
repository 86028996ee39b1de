import {
  type AnySchema,
  checkArgument,
  type Encoding,
  option,
  type OptionTable,
  readOptions,
  schemaOption,
  shape,
  type StandardSchema,
  ZeromeshError,
} from "../../core/mod.ts";

/** The most characters of the JSON Schema of a message; a longer one is left out. */
export const longestSchema = 65_536;

/** The messages without an answer that an actor takes: name to the schema of the input. */
export type ActorTells = Readonly<Record<string, AnySchema>>;

/** A message with an answer. */
export interface ActorAsk {
  /** Schema of the input. */
  readonly input: AnySchema;
  /** Schema of the answer. */
  readonly output: AnySchema;
}

/** The messages with an answer that an actor takes, by name. */
export type ActorAsks = Readonly<Record<string, ActorAsk>>;

/** A kind of two-way channel. */
export interface ActorChannelSchemas {
  /** Schema of the items that the opener sends, the first one included. */
  readonly fromOpener: AnySchema;
  /** Schema of the items that the opener gets, the answer of `accept` included. */
  readonly toOpener: AnySchema;
}

/** The channels that can be opened to an actor, by name. */
export type ActorChannels = Readonly<Record<string, ActorChannelSchemas>>;

/** The parts of an {@link actorContract} besides its name. */
export interface ActorContractOptions<
  Tells extends ActorTells,
  Asks extends ActorAsks,
  Channels extends ActorChannels,
> {
  /** Messages without an answer: name to schema. */
  readonly tell?: Tells | undefined;
  /** Messages with an answer: name to the schemas of input and output. */
  readonly ask?: Asks | undefined;
  /** Channels: name to the schemas of both directions. */
  readonly channel?: Channels | undefined;
  /** Encoding of the values between processes. @default {"json"} */
  readonly encoding?: Encoding | undefined;
}

/** What callers and actor share: names and schemas of its messages. Made by {@link actorContract}. */
export interface ActorContract<
  Tells extends ActorTells = ActorTells,
  Asks extends ActorAsks = ActorAsks,
  Channels extends ActorChannels = ActorChannels,
> {
  /** The contract's name. */
  readonly name: string;
  /** Messages without an answer. */
  readonly tell: Tells;
  /** Messages with an answer. */
  readonly ask: Asks;
  /** Channels. */
  readonly channel: Channels;
  /** Encoding of the values between processes. */
  readonly encoding: Encoding;
}

const contractOptionTable: OptionTable<ActorContractOptions<ActorTells, ActorAsks, ActorChannels>> = {
  tell: option.object,
  ask: option.object,
  channel: option.object,
  encoding: option.oneOf("json", "msgpack"),
};

/**
 * Describes an actor for both sides: its messages, its channels and their schemas. In one process a value goes to the
 * actor by reference, after its schema; between processes it is encoded.
 *
 * @param name The contract's name, which must not be empty.
 * @param given Messages, channels and encoding.
 * @returns The contract, frozen.
 * @throws {TypeError} If an option is unknown, or a schema is not a Standard Schema v1.
 *
 * @example Usage
 * ```ts
 * import { actorContract } from "zeromesh/actors";
 * import { z } from "zod";
 *
 * export const Counter = actorContract("counter", {
 *   tell: { reset: z.object({ to: z.number() }) },
 *   ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
 * });
 * ```
 */
export function actorContract<
  Tells extends ActorTells = Record<never, never>,
  Asks extends ActorAsks = Record<never, never>,
  Channels extends ActorChannels = Record<never, never>,
>(
  name: string,
  given: ActorContractOptions<Tells, Asks, Channels> = {},
): ActorContract<Tells, Asks, Channels> {
  if (typeof name !== "string") {
    throw new TypeError("Cannot make an actor contract: its name must be a string");
  }
  if (name === "") {
    throw new ZeromeshError("NAME_INVALID", "Cannot make an actor contract: its name is empty");
  }
  const cannot = `Cannot make actor contract "${name}"`;
  const { tell = {}, ask = {}, channel = {}, encoding = "json" } = readOptions<
    ActorContractOptions<ActorTells, ActorAsks, ActorChannels>
  >(given, contractOptionTable, cannot);
  for (const [one, schema] of Object.entries(tell)) {
    checkArgument(`tell.${one}`, schema, schemaOption, cannot);
  }
  for (const [one, schemas] of Object.entries(ask)) {
    checkPair(`ask.${one}`, schemas, ["input", "output"], cannot);
  }
  for (const [one, schemas] of Object.entries(channel)) {
    checkPair(`channel.${one}`, schemas, ["fromOpener", "toOpener"], cannot);
  }
  return Object.freeze({
    name,
    tell: Object.freeze({ ...tell }) as Tells,
    ask: Object.freeze({ ...ask }) as Asks,
    channel: Object.freeze({ ...channel }) as Channels,
    encoding,
  });
}

function checkPair(path: string, schemas: object, names: readonly string[], cannot: string): void {
  checkArgument(path, schemas, option.object, cannot);
  for (const name of names) {
    checkArgument(`${path}.${name}`, Reflect.get(schemas, name), schemaOption, cannot);
  }
}

/** A schema that takes bytes only. */
export type BytesSchema = StandardSchema<Uint8Array>;

/** The contract of actors without one: they take bytes, by whatever name. */
export type BytesContract = ActorContract<
  Readonly<Record<string, BytesSchema>>,
  Readonly<Record<string, { readonly input: BytesSchema; readonly output: BytesSchema }>>,
  Readonly<Record<string, { readonly fromOpener: BytesSchema; readonly toOpener: BytesSchema }>>
>;

const checkBytes = shape.of<Uint8Array>(option.bytes);

/** The schema of bytes, which makes no list of issues for them. */
export const bytesSchema: BytesSchema = {
  "~standard": {
    ...checkBytes["~standard"],
    validate: (value) => value instanceof Uint8Array ? { value } : checkBytes["~standard"].validate(value),
  },
};

// Shared by all copies of the package: an update can bring its own.
const bytesBrand: unique symbol = Symbol.for("zeromesh.actors.bytes") as never;

/** See {@link BytesContract}. Its names are not listed: {@link askSchemas} and the others have each of them. */
export const bytesContract: BytesContract = Object.freeze({
  name: "bytes",
  tell: Object.freeze({}),
  ask: Object.freeze({}),
  channel: Object.freeze({}),
  encoding: "json",
  [bytesBrand]: true,
});

/** Whether a contract is the one of actors without a contract. */
export function isBytes(contract: ActorContract): boolean {
  return bytesBrand in contract;
}

const bytesAsk: ActorAsk = Object.freeze({ input: bytesSchema, output: bytesSchema });
const bytesChannel: ActorChannelSchemas = Object.freeze({ fromOpener: bytesSchema, toOpener: bytesSchema });

/** The schema of a tell; null for a name that the contract does not have. */
export function tellSchema(contract: ActorContract, name: string): AnySchema | null {
  if (isBytes(contract)) return bytesSchema;
  return Object.hasOwn(contract.tell, name) ? contract.tell[name]! : null;
}

/** The schemas of an ask; null for a name that the contract does not have. */
export function askSchemas(contract: ActorContract, name: string): ActorAsk | null {
  if (isBytes(contract)) return bytesAsk;
  return Object.hasOwn(contract.ask, name) ? contract.ask[name]! : null;
}

/** The schemas of a channel; null for a name that the contract does not have. */
export function channelSchemas(contract: ActorContract, name: string): ActorChannelSchemas | null {
  if (isBytes(contract)) return bytesChannel;
  return Object.hasOwn(contract.channel, name) ? contract.channel[name]! : null;
}

/** Whether a value was made by {@link actorContract}. */
export function isActorContract(value: unknown): value is ActorContract {
  return typeof value === "object" && value !== null && "tell" in value && "ask" in value &&
    "channel" in value && "encoding" in value;
}
