import { option, type OptionTable } from "../../core/mod.ts";
import { type WaitOptions, waitOptionTable } from "../../messenger/mod.ts";
import {
  type ConsumeOptions,
  consumeOptionTable,
  type ProduceOptions,
  produceOptionTable,
} from "../channels/mod.ts";
import { type ChannelPattern, channelPatterns } from "../contract.ts";
import { type PlainKeys, plainKeys, plainOption, type PlainOptions } from "../plain/mod.ts";

/** Options of `BrokerClient.connect`. */
export interface BrokerClientOptions {
  /** The broker's CURVE public key, Z85, for a messenger with keys. */
  serverKey?: string | undefined;
  /** What the client is called in lists. Clients that share a connection have the name of the first. @default {none} */
  name?: string | undefined;
  /**
   * How long, in milliseconds, `connect` waits for a broker. Without one it goes on without, and connects as soon as there is
   * one.
   * @default {2_000}
   */
  timeoutMs?: number | undefined;
  /** Whether `connect` fails with `PEER_UNREACHABLE` if there is no broker in time. @default {false} */
  required?: boolean | undefined;
  /** Ends the wait of `connect` with its reason. */
  signal?: AbortSignal | undefined;
}

/** The options of `BrokerClient.connect`. */
export const clientOptionTable = {
  serverKey: option.text,
  name: option.text,
  timeoutMs: option.timeout.or(2_000),
  required: option.flag.or(false),
  signal: option.signal,
} satisfies OptionTable<BrokerClientOptions>;

/** Facts of a producer besides its contract. */
export interface ProducerFacts {
  /** What consumers see of it in `discoverProducer` and in lists: JSON. @default {none} */
  metadata?: Readonly<Record<string, unknown>> | undefined;
  /** The name of shared memory that it offers, for consumers that can map it. @default {none} */
  sharedMemory?: string | undefined;
}

/** The options of {@link ProducerFacts}. */
export const producerFactTable = {
  metadata: option.object,
  sharedMemory: option.text,
} satisfies OptionTable<ProducerFacts>;

/** Options of `registerProducer`, for a channel without a contract. */
export interface RegisterProducerOptions extends ProducerFacts {
  /** How messages travel. @default {"pipeline", or the contract's} */
  pattern?: ChannelPattern | undefined;
  /** The hash of the schema, 64 hexadecimal digits. @default {none, or the contract's} */
  schemaHash?: string | undefined;
  /** The version of the schema. @default {"1", or the contract's} */
  schemaVersion?: string | undefined;
}

/** The options of `registerProducer`. */
export const registerProducerTable = {
  ...producerFactTable,
  pattern: option.oneOf(...channelPatterns),
  schemaHash: option.text,
  schemaVersion: option.text,
} satisfies OptionTable<RegisterProducerOptions>;

/** Options of `registerConsumer`. */
export interface RegisterConsumerOptions {
  /** The expected hash of the schema. @default {none, or the contract's} */
  schemaHash?: string | undefined;
}

/** The options of `registerConsumer`. */
export const registerConsumerTable = {
  schemaHash: option.text,
} satisfies OptionTable<RegisterConsumerOptions>;

/** Options of `createChannel`. */
export interface CreateChannelOptions extends ProducerFacts, ProduceOptions {
  /**
   * Whether the data travels over sockets of ZeroMQ, so that foreign programs can consume it, and how they are opened.
   * @default {false}
   */
  plain?: boolean | PlainOptions | undefined;
}

/** The options of `createChannel`. */
export const createChannelTable = {
  ...producerFactTable,
  ...produceOptionTable,
  plain: plainOption,
} satisfies OptionTable<CreateChannelOptions>;

/** Options of `connectChannel`. With `timeoutMs` it waits for a channel that is not there yet. */
export interface ConnectChannelOptions extends ConsumeOptions, WaitOptions {
  /** The CURVE keys with which it connects to a producer of plain data that has keys. @default {a new pair} */
  keys?: PlainKeys | undefined;
}

/** The options of `connectChannel`. */
export const connectChannelTable = {
  ...consumeOptionTable,
  ...waitOptionTable,
  keys: plainKeys,
} satisfies OptionTable<ConnectChannelOptions>;
