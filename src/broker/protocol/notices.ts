import { z } from "zod";
import type { PeerOfClient, ProducerRoute } from "./channel_view.ts";
import { peerSchema, routeSchema } from "./contracts.ts";

/** A consumer, as its channel's producer is told of it. */
export interface ConsumerView {
  /** The broker's number for it. */
  readonly presence: number;
  /** Its CURVE key, else its instance id. */
  readonly identity: string;
  /** Its instance. */
  readonly instance: string;
  /** What it is called. */
  readonly name: string | null;
  /** How it is dialled by a producer that does not listen; null if it does not listen either. */
  readonly peer: PeerOfClient | null;
}

/** Why a channel closes. */
export type ClosingReason = "deregistered" | "timeout" | "closed";

/**
 * What the broker tells a client on its own, in the order in which it happened.
 *
 * - `channelClosing`, to producer and consumers: the channel ends. Consumers have `graceMs` to leave. A later producer of that
 *   name has a higher `epoch`.
 * - `forcedShutdown`, to those who were still there after that time, or when the channel was made anew.
 * - `consumerJoined`, `consumerLeft`, `consumerDied`, to the producer. The last one gave no sign of life.
 * - `producerChanged`, to consumers: the channel has another instance of its producer.
 * - `fenced`, to the producer that another instance of its identity has taken over.
 * - `channelError`, to the producer: somebody tried to register with another schema.
 * - `channelEvent`, to the producer: an event of a client, whose identity the broker has stamped as `from`.
 * - `broadcast`, to producer and consumers: a message for all of the channel.
 * - `dropped`: the client was too slow for so many notices.
 */
export type BrokerNotice =
  | {
    readonly type: "channelClosing";
    readonly channel: string;
    readonly epoch: number;
    readonly reason: ClosingReason;
    readonly graceMs: number;
  }
  | { readonly type: "forcedShutdown"; readonly channel: string; readonly epoch: number }
  | {
    readonly type: "consumerJoined" | "consumerLeft" | "consumerDied";
    readonly channel: string;
    readonly consumer: ConsumerView;
  }
  | {
    readonly type: "producerChanged";
    readonly channel: string;
    readonly epoch: number;
    readonly route: ProducerRoute;
  }
  | {
    readonly type: "fenced";
    readonly channel: string;
    readonly presence: number;
    readonly epoch: number;
  }
  | {
    readonly type: "channelError";
    readonly channel: string;
    readonly event: "schema_mismatch_attempt";
    readonly expected: string | null;
    readonly given: string | null;
    readonly identity: string;
  }
  | {
    readonly type: "channelEvent";
    readonly channel: string;
    readonly from: string;
    readonly event: string;
    readonly data?: unknown;
  }
  | {
    readonly type: "broadcast";
    readonly channel: string;
    readonly from: string;
    readonly message: string;
    readonly data?: unknown;
  }
  | { readonly type: "dropped"; readonly count: number };

const channel = z.string();
const epoch = z.number();
const from = z.string();
const consumer = z.object({
  presence: z.number(),
  identity: z.string(),
  instance: z.string(),
  name: z.string().nullable(),
  peer: peerSchema.nullable(),
});

const aboutConsumer = <Type extends string>(type: Type) =>
  z.object({ type: z.literal(type), channel, consumer });

/** The schemas of {@link BrokerNotice}. */
export const noticeSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("channelClosing"),
    channel,
    epoch,
    reason: z.enum(["deregistered", "timeout", "closed"]),
    graceMs: z.number(),
  }),
  z.object({ type: z.literal("forcedShutdown"), channel, epoch }),
  aboutConsumer("consumerJoined"),
  aboutConsumer("consumerLeft"),
  aboutConsumer("consumerDied"),
  z.object({ type: z.literal("producerChanged"), channel, epoch, route: routeSchema }),
  z.object({ type: z.literal("fenced"), channel, presence: z.number(), epoch }),
  z.object({
    type: z.literal("channelError"),
    channel,
    event: z.literal("schema_mismatch_attempt"),
    expected: z.string().nullable(),
    given: z.string().nullable(),
    identity: z.string(),
  }),
  z.object({ type: z.literal("channelEvent"), channel, from, event: z.string(), data: z.unknown() }),
  z.object({ type: z.literal("broadcast"), channel, from, message: z.string(), data: z.unknown() }),
  z.object({ type: z.literal("dropped"), count: z.number() }),
]) satisfies z.ZodType<BrokerNotice>;
