import { z } from "zod";
import { routeSchema } from "./contracts.ts";

/** Why a channel closes. */
export type ClosingReason = "deregistered" | "timeout" | "closed";

const channel = z.string();
const consumer = z.object({
  presence: z.number(),
  /** Its identity: its CURVE key, else its instance id. */
  identity: z.string(),
  instance: z.string(),
  name: z.string().nullable(),
});

/** What the broker tells a client on its own, in the order in which it happened. */
export const noticeSchema = z.discriminatedUnion("type", [
  /** To producer and consumers: the channel ends. Consumers have `graceMs` to leave. */
  z.object({
    type: z.literal("channelClosing"),
    channel,
    /** Of the producer whose channel it was; a later producer of that name has a higher one. */
    epoch: z.number(),
    reason: z.enum(["deregistered", "timeout", "closed"]),
    graceMs: z.number(),
  }),
  /** To producer and consumers that were still there after the grace period, or when the channel was made anew. */
  z.object({ type: z.literal("forcedShutdown"), channel, epoch: z.number() }),
  /** To the producer: a consumer has registered. */
  z.object({ type: z.literal("consumerJoined"), channel, consumer }),
  /** To the producer: a consumer has left in order. */
  z.object({ type: z.literal("consumerLeft"), channel, consumer }),
  /** To the producer: a consumer gave no sign of life. */
  z.object({ type: z.literal("consumerDied"), channel, consumer }),
  /** To consumers: the channel has a producer again, or another instance of it. */
  z.object({ type: z.literal("producerChanged"), channel, epoch: z.number(), route: routeSchema }),
  /** To the producer that another instance of its identity has taken over. */
  z.object({ type: z.literal("fenced"), channel, presence: z.number(), epoch: z.number() }),
  /** To the producer: somebody tried to register with another schema. */
  z.object({
    type: z.literal("channelError"),
    channel,
    event: z.literal("schema_mismatch_attempt"),
    expected: z.string().nullable(),
    given: z.string().nullable(),
    identity: z.string(),
  }),
  /** To the producer: an event of a client, whose identity the broker has stamped. */
  z.object({
    type: z.literal("channelEvent"),
    channel,
    from: z.string(),
    event: z.string(),
    data: z.unknown(),
  }),
  /** To producer and consumers: a message for all of the channel. */
  z.object({
    type: z.literal("broadcast"),
    channel,
    from: z.string(),
    message: z.string(),
    data: z.unknown(),
  }),
  /** The client was too slow for so many notices. */
  z.object({ type: z.literal("dropped"), count: z.number() }),
]);

/** A notice of the broker. */
export type BrokerNotice = z.infer<typeof noticeSchema>;

/** A consumer, as its channel's producer is told of it. */
export type ConsumerView = z.infer<typeof consumer>;
