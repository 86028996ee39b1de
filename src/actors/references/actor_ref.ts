import type { SchemaInput, SchemaOutput } from "../../core/mod.ts";
import type { ActorAddress } from "./address.ts";
import type { ActorChannel, OpenOptions } from "./actor_channel.ts";
import type { ActorContract } from "../contract/contract.ts";

/** The options of a tell. */
export interface TellOptions {
  /** Headers for the handler. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** How long it waits for room in the mailbox, in milliseconds. @default {the system's tellTimeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** Ends the wait for room. */
  signal?: AbortSignal | undefined;
}

/** The options of an ask. */
export interface AskOptions {
  /** Headers for the handler. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Deadline of the answer, in milliseconds. @default {the system's askTimeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** Cancels the ask; the handler's `ctx.signal` aborts. */
  signal?: AbortSignal | undefined;
}

/** The names of a contract's tells. */
export type TellName<C extends ActorContract> = keyof C["tell"] & string;
/** The names of a contract's asks. */
export type AskName<C extends ActorContract> = keyof C["ask"] & string;
/** The names of a contract's channels. */
export type ChannelName<C extends ActorContract> = keyof C["channel"] & string;

/** The input of a tell, as its sender gives it. */
export type TellInput<C extends ActorContract, K extends TellName<C>> = SchemaInput<C["tell"][K]>;
/** The input of an ask, as its sender gives it. */
export type AskInput<C extends ActorContract, K extends AskName<C>> = SchemaInput<C["ask"][K]["input"]>;
/** The answer of an ask, as its sender gets it. */
export type AskOutput<C extends ActorContract, K extends AskName<C>> = SchemaOutput<C["ask"][K]["output"]>;
/** The items that a channel's opener sends. */
export type ChannelSent<C extends ActorContract, K extends ChannelName<C>> = SchemaInput<
  C["channel"][K]["fromOpener"]
>;
/** The items that a channel's opener gets. */
export type ChannelReceived<C extends ActorContract, K extends ChannelName<C>> = SchemaOutput<
  C["channel"][K]["toOpener"]
>;

/** The arguments after a message's name: an input that may be `undefined` may be left out. */
export type InputArguments<Input, Options> = undefined extends Input ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

/**
 * A reference to an actor of this or another system: its address, as a value, with the contract's methods.
 *
 * In one process values go to the actor by reference after the schema; a value that is changed later is changed for the
 * actor too.
 */
export interface ActorRef<C extends ActorContract = ActorContract> extends ActorAddress {
  /** The contract. */
  readonly contract: C;
  /**
   * Sends a message without an answer. It resolves when the message is in the actor's mailbox. A failure that nobody
   * awaits is no unhandled rejection; it is counted and reported among the dead letters.
   *
   * @throws {ZeromeshError} `ACTOR_NOT_FOUND`, `ACTOR_STOPPED`, `ACTOR_MAILBOX_FULL`, `PAYLOAD_INVALID`,
   * `HANDLER_NOT_FOUND`, `TIMEOUT`.
   */
  tell<K extends TellName<C>>(name: K, ...input: InputArguments<TellInput<C, K>, TellOptions>): Promise<void>;
  /**
   * Sends a message and waits for its answer.
   *
   * @throws {ZeromeshError} As {@link tell}, and `HANDLER_FAILED`, `ACTOR_ASK_CYCLE`, `RESULT_INVALID`.
   */
  ask<K extends AskName<C>>(
    name: K,
    ...input: InputArguments<AskInput<C, K>, AskOptions>
  ): Promise<AskOutput<C, K>>;
  /**
   * Opens a two-way channel with a first item.
   *
   * @throws {ZeromeshError} `ACTOR_CHANNEL_REJECTED` with the actor's reason, and the errors of an ask.
   */
  open<K extends ChannelName<C>>(
    name: K,
    ...first: InputArguments<ChannelSent<C, K>, OpenOptions>
  ): Promise<ActorChannel<ChannelSent<C, K>, ChannelReceived<C, K>>>;
}
