import type { InstanceId } from "../../core/mod.ts";
import type { ActorAddress } from "../actor_address.ts";

/** The end of a channel, the same on both sides. */
export interface ChannelEnd {
  /** The side that closed it, or whose loss did. */
  readonly closedBy: "opener" | "target";
  /** Why: the text given to `close`, or `peerStopped`, `peerLost`, `idle`. */
  readonly reason: string;
}

/** The options of opening a channel. */
export interface OpenOptions {
  /** Time for the target to accept, in milliseconds. @default {the system's askTimeoutMs} */
  timeoutMs?: number | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
  /** Headers for the target's `open`. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** The part of a channel that both sides have. */
export interface ChannelSide<Out> extends AsyncDisposable {
  /** The channel's id. */
  readonly id: string;
  /** Sends an item; resolves when the channel's window has it. @throws {ZeromeshError} `ACTOR_CHANNEL_CLOSED`. */
  send(item: Out): Promise<void>;
  /** Says that this side sends nothing more; it still receives. */
  endSending(): Promise<void>;
  /** Closes the channel for both sides. A second call does nothing. */
  close(reason?: string): Promise<void>;
  /** Resolves to the end, once, after all earlier items; never rejects. */
  readonly closed: Promise<ChannelEnd>;
}

/** An open channel, on the side of the opener that is no actor: its items are iterated. */
export interface ActorChannel<Out = unknown, In = unknown> extends ChannelSide<Out>, AsyncIterable<In> {
  /** The item of the target's `accept`; undefined without one. */
  readonly first: In | undefined;
}

/** An open channel on an actor's side: its items come to the handler `message`. */
export interface ServedChannel<Out = unknown> extends ChannelSide<Out> {
  /** The actor that opened it, or the instance of an outside client. */
  readonly opener: ActorAddress | InstanceId;
}

/** A channel that is being opened, for the target's `open`. */
export interface OpeningChannel<Out = unknown> {
  /** The channel's id. */
  readonly id: string;
  /** The actor that opens it, or the instance of an outside client. */
  readonly opener: ActorAddress | InstanceId;
  /** Opens the channel, now or later. @param first An item that the opener gets with it. */
  accept(first?: Out): ServedChannel<Out>;
  /** Refuses it: the opener gets `ACTOR_CHANNEL_REJECTED` with the reason. */
  reject(reason: string): void;
}
