import type { InstanceId } from "../../core/mod.ts";
import type { ActorContract } from "../contract/contract.ts";
import type { ActorOpenOptions } from "../references/actor_channel.ts";
import type { Origin, Sender } from "./parts.ts";

/** A message for an actor of another instance. */
export interface OutgoingMessage {
  /** The instance. */
  readonly instance: InstanceId;
  /** The actor's id or name. */
  readonly target: string;
  /** The contract, which has the encoding and the schemas. */
  readonly contract: ActorContract;
  /** The message's name. */
  readonly name: string;
  /** The value, not validated yet. */
  readonly input: unknown;
  /** Sender, headers and chain. */
  readonly origin: Origin;
  /** Time in milliseconds; undefined for the default. */
  readonly timeoutMs: number | undefined;
  /** Gives up. */
  readonly signal: AbortSignal | undefined;
}

/** The opening of a channel to an actor of another instance. */
export interface OutgoingOpen extends OutgoingMessage {
  /** The actor that opens it; null for others. */
  readonly sender: Sender | null;
  /** How it takes the channel's items. */
  readonly options: ActorOpenOptions | undefined;
}
