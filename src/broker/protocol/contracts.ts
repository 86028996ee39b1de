import { z } from "zod";
import { type InstanceId, isInstanceId, systemContract } from "../../core/mod.ts";
import { channelPatterns } from "../contract.ts";
import { brokerErrors } from "../errors.ts";
import type { ChannelView, PeerOfClient, ProcessInfo, ProducerRoute, SchemaView } from "./channel_view.ts";

export type { ChannelView, PeerOfClient, ProcessInfo, ProducerRoute, SchemaView };

import { longestChannelName } from "../names.ts";
import { longestSchema } from "../schema_agreement.ts";

const instance = z.custom<InstanceId>((value) => isInstanceId(value));
const channel = z.string().max(longestChannelName);
const short = z.string().max(256);
const presence = z.int().min(1);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** What a process says of itself: information for people. */
const info = z.object({
  pid: z.int().min(0),
  host: short,
  runtime: short,
  name: short.nullable(),
}) satisfies z.ZodType<ProcessInfo>;

/** The schema of a channel. */
const schema = z.object({
  hash: hash.nullable(),
  text: z.string().max(longestSchema).nullable(),
  version: short,
}) satisfies z.ZodType<SchemaView>;

/** How an instance is dialled. */
export const peerSchema = z.object({
  instance_id: instance,
  worker_address: z.array(z.int().min(0).max(255)).max(65_536),
}) satisfies z.ZodType<PeerOfClient>;

/** Where the data of a producer comes from. */
export const routeSchema = z.discriminatedUnion("transport", [
  z.object({
    transport: z.literal("stream"),
    instance,
    /** How it is dialled, as Velo's peer info; null if it does not listen. */
    peer: peerSchema.nullable(),
  }),
  z.object({
    transport: z.literal("plain"),
    endpoint: short,
    /** The CURVE key of its sockets, Z85. */
    key: z.string().length(40).nullable(),
  }),
]) satisfies z.ZodType<ProducerRoute>;

const metadata = z.record(z.string(), z.unknown()).nullable();

const view = z.object({
  name: z.string(),
  pattern: z.enum(channelPatterns),
  transport: z.enum(["stream", "plain"]),
  state: z.enum(["pending", "ready", "closing"]),
  schema: schema.pick({ hash: true, version: true }),
  metadata,
  /** The shared memory that it offers, for those who can map it. */
  sharedMemory: z.string().nullable(),
  consumers: z.int().min(0),
  producer: info.extend({ identity: z.string(), instance: z.string(), epoch: z.number() }),
}) satisfies z.ZodType<ChannelView>;

const named = z.object({
  channel,
  /** Whom the caller claims to be; another than it is, is refused. */
  identity: short.optional(),
});

const done = z.object({ done: z.literal(true) });

/** A request, with what it is for, which the page of the protocol shows. */
// deno-lint-ignore explicit-function-return-type -- the schemas give it
function request<Input extends z.ZodType, Output extends z.ZodType>(
  name: string,
  purpose: string,
  input: Input,
  output: Output,
) {
  return systemContract(`_broker.${name}`, { input: input.describe(purpose), output, errors: brokerErrors });
}

const producer = named.extend({
  pattern: z.enum(channelPatterns),
  schema,
  metadata,
  sharedMemory: short.nullable(),
  route: routeSchema,
  /** Whether the producer works already; else its channel is not found before its first heartbeat. */
  ready: z.boolean().optional(),
  /** The presence that it had before, when it registers at the same broker again. */
  resumes: presence.optional(),
});
const registeredProducer = z.object({ presence, epoch: z.number(), tookOver: z.boolean() });

const consumer = named.extend({
  /** Null: the consumer takes whatever there is. */
  pattern: z.enum(channelPatterns).nullable(),
  transport: z.enum(["stream", "plain"]).nullable(),
  schema: schema.pick({ hash: true, version: true }),
  /** Whether it can be dialled by a producer that cannot. */
  peer: peerSchema.nullable(),
});
const registeredConsumer = z.object({ presence, channel: view, route: routeSchema });

/** The refusal of one of several registrations. */
const refusal = z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() });

/** The most registrations in one request. */
export const mostRegistrations = 256;

/** The requests that a broker answers. */
export const brokerContracts = {
  hello: request(
    "hello",
    "The first request of a client on a connection.",
    z.object({
      lowest: z.int(),
      highest: z.int(),
      info,
      identity: short.optional(),
      /** The anchor that gets the notices from now on; null for none. */
      notices: z.string().max(64).nullable(),
    }),
    z.object({
      version: z.int(),
      /** Another number after each start of the broker. */
      epoch: z.number(),
      /** Who the client is to the broker. */
      identity: z.string(),
      heartbeatMs: z.number().positive(),
      /** A presence without a heartbeat for so long is gone. */
      graceMs: z.number().positive(),
    }),
  ),
  register: request(
    "register",
    "Registers a producer, and with it the channel.",
    producer,
    registeredProducer,
  ),
  discover: request(
    "discover",
    "What a consumer has to know of a channel.",
    named,
    view,
  ),
  deregister: request(
    "deregister",
    "Takes a producer's registration back; the channel closes.",
    named.extend({ presence }),
    done,
  ),
  heartbeat: request(
    "heartbeat",
    "Presences of the client that live.",
    z.object({
      presences: z.array(presence).max(65_536),
      /** Counters of channels that the client wants to be seen, by channel. */
      metrics: z.record(z.string(), z.record(z.string(), z.number())).optional(),
    }),
    // Those that the broker does not know, or no longer knows.
    z.object({ unknown: z.array(presence) }),
  ),
  registerConsumer: request("register_consumer", "Registers a consumer.", consumer, registeredConsumer),
  registerAll: request(
    "register_all",
    "Several registrations of both kinds at once. Each has its own answer: the one of its kind, or a refusal.",
    z.object({
      producers: z.array(producer).max(mostRegistrations),
      consumers: z.array(consumer).max(mostRegistrations),
    }),
    z.object({
      producers: z.array(registeredProducer.or(refusal)),
      consumers: z.array(registeredConsumer.or(refusal)),
    }),
  ),
  deregisterConsumer: request(
    "deregister_consumer",
    "Takes a consumer's registration back.",
    named.extend({ presence }),
    done,
  ),
  admits: request(
    "admits",
    "A producer asks whether somebody is a consumer of its channel.",
    named.extend({ presence, consumer: z.int().min(1), instance }),
    z.object({ admitted: z.boolean() }),
  ),
  list: request(
    "list",
    "The channels that the caller may see, in the order of their names.",
    z.object({
      /** A glob, such as `lab/*`. */
      match: z.string().max(longestChannelName).optional(),
      after: z.string().max(longestChannelName).optional(),
      limit: z.int().min(1).max(10_000).optional(),
    }),
    // With `next` as `after` the list goes on.
    z.object({ channels: z.array(view), next: z.string().nullable() }),
  ),
  schema: request(
    "schema",
    "A stored schema, by its channel or its hash.",
    z.object({ channel: channel.optional(), hash: hash.optional() }),
    schema.extend({ channel: z.string(), pattern: z.enum(channelPatterns) }),
  ),
  metrics: request(
    "metrics",
    "The counters that producers and consumers have reported.",
    z.object({ channel: channel.optional() }),
    z.object({
      channels: z.array(z.object({
        channel: z.string(),
        role: z.enum(["producer", "consumer"]),
        identity: z.string(),
        presence,
        metrics: z.record(z.string(), z.number()),
      })),
    }),
  ),
  presence: request(
    "presence",
    "Whether somebody is there, and as what.",
    z.object({ identity: short }),
    z.object({
      present: z.boolean(),
      roles: z.array(z.object({ channel: z.string(), role: z.enum(["producer", "consumer"]) })),
    }),
  ),
  notify: request(
    "notify",
    "Tells the producer of a channel something. An unknown channel is no error.",
    named.extend({ event: short, data: z.unknown() }),
    z.object({ told: z.int() }),
  ),
  broadcast: request(
    "broadcast",
    "Tells producer and consumers of a channel something. An unknown channel is no error.",
    named.extend({ message: z.string().max(65_536), data: z.unknown() }),
    z.object({ told: z.int() }),
  ),
  close: request(
    "close",
    "Closes a channel of its own, or one that the caller may close.",
    named,
    done,
  ),
} as const;

/** The name of a request. */
export type BrokerRequest = keyof typeof brokerContracts;

/** The broker's answer to a client that introduces itself. */
export type Welcome = z.infer<NonNullable<typeof brokerContracts.hello.output>>;
