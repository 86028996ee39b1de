import type { InstanceId } from "../../core/mod.ts";

/** A consumer of a channel, as its producer sees it. */
export interface ChannelConsumer {
  /** Its number, which the broker has given, and gives to no other. */
  readonly presence: number;
  /** The instance by which its messages go: its own, or the one that relays them. */
  readonly instance: InstanceId;
  /** Its name; null without one, or while it is not known. */
  readonly name: string | null;
}

/** A consumer that takes messages now. */
export interface ConnectedConsumer extends ChannelConsumer {
  /** Messages on their way to it, or arrived, that it has not read; it tells a few milliseconds after it has read. */
  readonly unread: number;
}

/** What happens to a channel besides its messages. */
export type ChannelNotice =
  /** To a producer: a consumer takes messages now. */
  | { readonly type: "joined"; readonly consumer: ChannelConsumer }
  /** To a producer: a consumer takes none any more: it has left in order, was lost, or has broken the rules. */
  | { readonly type: "left"; readonly consumer: ChannelConsumer; readonly why: "left" | "lost" | "broken" }
  /** To whoever receives: so many messages of the other side are missing before the next one; null if it is not known. */
  | { readonly type: "gap"; readonly from: number | null; readonly count: number | null }
  /** To a consumer: the connection to the producer is lost; the handle waits for it. */
  | { readonly type: "producerLost" }
  /** To a consumer: there is a producer again. @see `restarted` tells whether it is another one. */
  | { readonly type: "producerBack"; readonly restarted: boolean }
  /** The channel closes. */
  | { readonly type: "closing"; readonly reason: string };
