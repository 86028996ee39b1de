import type { InstanceId } from "../../core/mod.ts";
import type { ActorAddress } from "./address.ts";

/** The two sides of a channel: the one that opened it, and the actor to which it was opened. */
export type ChannelRole = "opener" | "target";

/** The end of a channel, the same on both sides. */
export interface ChannelEnd {
  /** The side that closed it, or whose loss did. */
  readonly closedBy: ChannelRole;
  /** Why: the text given to `close`, or `closed`, `finished`, `peerStopped`, `peerLost`, `idle`. */
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
  /** A pause without an item after which this side closes the channel, in milliseconds. @default {no limit} */
  idleTimeoutMs?: number | undefined;
}

/**
 * The options of opening a channel from an actor. The callbacks stay those of the code that opened it when the actor is
 * updated; one that tells the actor itself leaves the work to the handlers of the new code.
 */
export interface ActorOpenOptions<Out = unknown, In = unknown> extends OpenOptions {
  /** Takes each item, as a turn of the actor. Without it the channel is iterated. */
  message?: ((item: In, channel: ServedChannel<Out>) => unknown) | undefined;
  /** The target sends nothing more; a turn of the actor. */
  end?: ((channel: ServedChannel<Out>) => unknown) | undefined;
  /** The channel has ended, after all items; a turn of the actor. */
  close?: ((end: ChannelEnd, channel: ServedChannel<Out>) => unknown) | undefined;
}

/** The options of accepting a channel. */
export interface AcceptOptions {
  /** A pause without an item after which this side closes the channel, in milliseconds. @default {no limit} */
  idleTimeoutMs?: number | undefined;
}

/** The part of a channel that both sides have. */
export interface ChannelSide<Out> extends AsyncDisposable {
  /** The channel's id. */
  readonly id: string;
  /**
   * Sends an item; resolves when the channel's window has it.
   *
   * @throws {ZeromeshError} `ACTOR_CHANNEL_CLOSED`, `PAYLOAD_INVALID`, `QUEUE_FULL` when a window of items waits already.
   */
  send(item: Out): Promise<void>;
  /** Says that this side sends nothing more; it still receives. The channel ends when both sides have. */
  endSending(): Promise<void>;
  /** Closes the channel for both sides, after the items that were sent. A second call does nothing. */
  close(reason?: string): Promise<void>;
  /** Resolves to the end, once, after all earlier items have arrived; never rejects. */
  readonly closed: Promise<ChannelEnd>;
}

/**
 * An open channel, on the side of the opener that is no actor: its items are iterated. An orderly end, also `peerStopped`,
 * ends the iteration; if the other side is lost, it throws `PEER_DISCONNECTED` behind the items that have arrived.
 */
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
  /**
   * Opens the channel, now or later. If its opener has given up, the result is closed already.
   *
   * @param first An item that the opener gets with it.
   */
  accept(first?: Out, options?: AcceptOptions): ServedChannel<Out>;
  /** Refuses it: the opener gets `ACTOR_CHANNEL_REJECTED` with the reason. */
  reject(reason: string): void;
}

/** A channel of an actor, as lists show it. */
export interface ChannelStatus {
  /** The channel's id. */
  readonly id: string;
  /** The name of its kind. */
  readonly name: string;
  /** The side that the actor has. */
  readonly role: ChannelRole;
  /** The other side: an actor's address, or an instance. */
  readonly other: string;
  /** Whether it waits for `accept`, is open, or is being closed. */
  readonly state: "opening" | "open" | "closing";
  /** Items that were sent. */
  readonly sent: number;
  /** Items that were taken. */
  readonly received: number;
  /** Items that have arrived, and wait. */
  readonly queued: number;
  /** Items that wait for the other side's window. */
  readonly waiting: number;
}
