import {
  type AnySchema,
  checkArgument,
  type Encoding,
  option,
  type OptionTable,
  readOptions,
  requireOption,
  schemaOption,
} from "../core/mod.ts";
import { checkChannelName } from "./names.ts";

/**
 * How the messages of a channel travel.
 *
 * - `pipeline`: each message goes to one consumer.
 * - `pubsub`: each message goes to all consumers.
 * - `bidirectional`: the producer sends to one consumer or to all, and consumers send to the producer.
 */
export type ChannelPattern = "pipeline" | "pubsub" | "bidirectional";

/** All patterns. */
export const channelPatterns: readonly [ChannelPattern, ...ChannelPattern[]] = [
  "pipeline",
  "pubsub",
  "bidirectional",
];

/** The parts of a {@link channelContract} besides its name. */
export interface ChannelContractOptions<
  Message extends AnySchema,
  Pattern extends ChannelPattern,
  Reply extends AnySchema,
> {
  /** How messages travel. */
  readonly pattern: Pattern;
  /** Schema of a message of the producer. */
  readonly message: Message;
  /** Schema of a message of a consumer, with the pattern `bidirectional`. @default {the schema of `message`} */
  readonly reply?: Reply | undefined;
  /** Encoding of messages. @default {"json"} */
  readonly encoding?: Encoding | undefined;
  /** The version of the schema, for people: the broker shows it, and compares the schemas themselves. @default {"1"} */
  readonly version?: string | undefined;
}

/** What producer and consumers of a channel share. Made by {@link channelContract}. */
export interface ChannelContract<
  Message extends AnySchema = AnySchema,
  Pattern extends ChannelPattern = ChannelPattern,
  Reply extends AnySchema = AnySchema,
> {
  /** The channel's name. */
  readonly name: string;
  /** How messages travel. */
  readonly pattern: Pattern;
  /** Schema of a message of the producer. */
  readonly message: Message;
  /** Schema of a message of a consumer, with the pattern `bidirectional`. */
  readonly reply: Reply;
  /** Encoding of messages. */
  readonly encoding: Encoding;
  /** The version of the schema. */
  readonly version: string;
}

const contractTable: OptionTable<ChannelContractOptions<AnySchema, ChannelPattern, AnySchema>> = {
  pattern: option.oneOf(...channelPatterns),
  message: schemaOption,
  reply: schemaOption,
  encoding: option.oneOf("json", "msgpack"),
  version: option.text,
};

/**
 * Describes a channel for its producer and its consumers.
 *
 * The broker compares the JSON Schemas of both sides, where the validator offers them, and refuses a side with another one.
 *
 * @param name The channel's name: parts of 1 to 64 ASCII letters, digits, `_` and `-` that begin with a letter, joined by
 * `/` or `.`, at most 255 characters.
 * @throws {ZeromeshError} `NAME_INVALID`.
 * @throws {TypeError} If an option is unknown, missing or no schema.
 *
 * @example Usage
 * ```ts
 * import { channelContract } from "zeromesh/broker";
 * import { z } from "zod";
 *
 * export const readings = channelContract("lab/temperature", {
 *   pattern: "pipeline",
 *   message: z.object({ at: z.number(), celsius: z.number() }),
 * });
 * ```
 */
export function channelContract<
  Message extends AnySchema,
  Pattern extends ChannelPattern,
  Reply extends AnySchema = Message,
>(
  name: string,
  given: ChannelContractOptions<Message, Pattern, Reply>,
): ChannelContract<Message, Pattern, Reply> {
  checkArgument("name", name, option.string, "Cannot make a channel contract");
  checkChannelName(name, "Cannot make a channel contract");
  const cannot = `Cannot make the contract of channel "${name}"`;
  const options = readOptions<ChannelContractOptions<AnySchema, ChannelPattern, AnySchema>>(
    given,
    contractTable,
    cannot,
  );
  const pattern = requireOption(options, "pattern", contractTable, cannot);
  const message = requireOption(options, "message", contractTable, cannot);
  if (options.reply !== undefined && pattern !== "bidirectional") {
    throw new TypeError(`${cannot}: only the pattern "bidirectional" has replies`);
  }
  return Object.freeze({
    name,
    pattern: pattern as Pattern,
    message: message as Message,
    reply: (options.reply ?? message) as Reply,
    encoding: options.encoding ?? "json",
    version: options.version ?? "1",
  });
}
