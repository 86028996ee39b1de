import type { InstanceId } from "../../core/mod.ts";
import type { Origin, Sender } from "../cell/parts.ts";
import type { ActorChannel, ActorOpenOptions } from "../references/actor_channel.ts";
import type { ActorContract } from "../contract/contract.ts";
import type { ActorEnd } from "../references/actor_end.ts";

/** Counters of messages to and from other instances. */
export interface RemoteStats {
  /** Tells, asks and opens of channels that were sent to other instances, since the start. */
  readonly sent: number;
  /** Those that came from other instances, since the start. */
  readonly received: number;
}

/** {@link RemoteStats}, while they change. */
export type RemoteCounts = { -readonly [K in keyof RemoteStats]: RemoteStats[K] };

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

/** The way to actors of other instances. */
export interface Remote extends AsyncDisposable {
  /** Resolves when the message is in the actor's mailbox. */
  tell(message: OutgoingMessage): Promise<void>;
  /** Resolves to the answer. */
  ask(message: OutgoingMessage): Promise<unknown>;
  /** Opens a channel. */
  open(message: OutgoingOpen): Promise<ActorChannel>;
  /** Calls back once when the actor has ended. */
  watch(instance: InstanceId, target: string, ended: (end: ActorEnd) => void): Disposable;
}
