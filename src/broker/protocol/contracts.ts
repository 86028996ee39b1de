import { z } from "zod";
import { type InstanceId, isInstanceId, systemContract } from "../../core/mod.ts";
import { channelPatterns } from "../contract.ts";
import { brokerErrors } from "../errors.ts";
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
});

/** The schema of a channel. */
const schema = z.object({
  hash: hash.nullable(),
  text: z.string().max(longestSchema).nullable(),
  version: short,
});

/** Where the data of a producer comes from. */
export const routeSchema = z.discriminatedUnion("transport", [
  z.object({
    transport: z.literal("stream"),
    instance,
    /** How it is dialled, as Velo's peer info; null if it does not listen. */
    peer: z.object({
      instance_id: instance,
      worker_address: z.array(z.int().min(0).max(255)).max(65_536),
    }).nullable(),
  }),
  z.object({
    transport: z.literal("plain"),
    endpoint: short,
    /** The CURVE key of its sockets, Z85. */
    key: z.string().length(40).nullable(),
  }),
]);

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
});

const named = z.object({
  channel,
  /** Whom the caller claims to be; another than it is, is refused. */
  identity: short.optional(),
});

const done = z.object({ done: z.literal(true) });
const of = (request: string): string => `_broker.${request}`;
const errors = brokerErrors;

/** The requests that a broker answers. */
export const brokerContracts = {
  /** The first request of a client on a connection. */
  hello: systemContract(of("hello"), {
    input: z.object({
      lowest: z.int(),
      highest: z.int(),
      info,
      identity: short.optional(),
      /** The anchor that gets the notices from now on; null for none. */
      notices: z.string().max(64).nullable(),
    }),
    output: z.object({
      version: z.int(),
      /** Another number after each start of the broker. */
      epoch: z.number(),
      /** Who the client is to the broker. */
      identity: z.string(),
      heartbeatMs: z.number().positive(),
      /** A presence without a heartbeat for so long is gone. */
      graceMs: z.number().positive(),
    }),
    errors,
  }),
  /** Registers a producer, and with it the channel. */
  register: systemContract(of("register"), {
    input: named.extend({
      pattern: z.enum(channelPatterns),
      schema,
      metadata,
      sharedMemory: short.nullable(),
      route: routeSchema,
    }),
    output: z.object({ presence, epoch: z.number(), tookOver: z.boolean() }),
    errors,
  }),
  /** What a consumer has to know of a channel. */
  discover: systemContract(of("discover"), { input: named, output: view, errors }),
  /** Takes a producer's registration back; the channel closes. */
  deregister: systemContract(of("deregister"), {
    input: named.extend({ presence }),
    output: done,
    errors,
  }),
  /** Presences of the client that live. */
  heartbeat: systemContract(of("heartbeat"), {
    input: z.object({
      presences: z.array(presence).max(65_536),
      /** Counters of channels that the client wants to be seen, by channel. */
      metrics: z.record(z.string(), z.record(z.string(), z.number())).optional(),
    }),
    /** Those that the broker does not know , or no longer. */
    output: z.object({ unknown: z.array(presence) }),
    errors,
  }),
  /** Registers a consumer. */
  registerConsumer: systemContract(of("register_consumer"), {
    input: named.extend({
      /** Null: the consumer takes whatever there is. */
      pattern: z.enum(channelPatterns).nullable(),
      transport: z.enum(["stream", "plain"]).nullable(),
      schema: schema.pick({ hash: true, version: true }),
      /** Whether it can be dialled by a producer that cannot. */
      peer: z.object({
        instance_id: instance,
        worker_address: z.array(z.int().min(0).max(255)).max(65_536),
      }).nullable(),
    }),
    output: z.object({ presence, channel: view, route: routeSchema }),
    errors,
  }),
  /** Takes a consumer's registration back. */
  deregisterConsumer: systemContract(of("deregister_consumer"), {
    input: named.extend({ presence }),
    output: done,
    errors,
  }),
  /** A producer asks whether somebody is a consumer of its channel. */
  admits: systemContract(of("admits"), {
    input: named.extend({ presence, consumer: z.int().min(1), instance }),
    output: z.object({ admitted: z.boolean() }),
    errors,
  }),
  /** The channels that the caller may see, in the order of their names. */
  list: systemContract(of("list"), {
    input: z.object({
      /** A glob, such as `lab/*`. */
      match: z.string().max(longestChannelName).optional(),
      after: z.string().max(longestChannelName).optional(),
      limit: z.int().min(1).max(10_000).optional(),
    }),
    output: z.object({ channels: z.array(view), more: z.boolean() }),
    errors,
  }),
  /** A stored schema, by its channel or its hash. */
  schema: systemContract(of("schema"), {
    input: z.object({ channel: channel.optional(), hash: hash.optional() }),
    output: schema.extend({ channel: z.string(), pattern: z.enum(channelPatterns) }),
    errors,
  }),
  /** The counters that producers and consumers have reported. */
  metrics: systemContract(of("metrics"), {
    input: z.object({ channel: channel.optional() }),
    output: z.object({
      channels: z.array(z.object({
        channel: z.string(),
        role: z.enum(["producer", "consumer"]),
        identity: z.string(),
        presence,
        metrics: z.record(z.string(), z.number()),
      })),
    }),
    errors,
  }),
  /** Whether somebody is there, and as what. */
  presence: systemContract(of("presence"), {
    input: z.object({ identity: short }),
    output: z.object({
      present: z.boolean(),
      roles: z.array(z.object({ channel: z.string(), role: z.enum(["producer", "consumer"]) })),
    }),
    errors,
  }),
  /** Tells the producer of a channel something. An unknown channel is no error. */
  notify: systemContract(of("notify"), {
    input: named.extend({ event: short, data: z.unknown() }),
    output: z.object({ told: z.int() }),
    errors,
  }),
  /** Tells producer and consumers of a channel something. An unknown channel is no error. */
  broadcast: systemContract(of("broadcast"), {
    input: named.extend({ message: z.string().max(65_536), data: z.unknown() }),
    output: z.object({ told: z.int() }),
    errors,
  }),
  /** Closes a channel of its own, or one that the caller may close. */
  close: systemContract(of("close"), { input: named, output: done, errors }),
} as const;

/** The name of a request. */
export type BrokerRequest = keyof typeof brokerContracts;

/** What a process says of itself. */
export type ProcessInfo = z.infer<typeof info>;
/** A channel's schema, as it travels. */
export type SchemaView = z.infer<typeof schema>;
/** Where a producer's data comes from. */
export type ProducerRoute = z.infer<typeof routeSchema>;
/** How an instance is dialled. */
export type PeerOfClient = NonNullable<Extract<ProducerRoute, { transport: "stream" }>["peer"]>;
/** A channel, as the broker shows it. */
export type ChannelView = z.infer<typeof view>;
/** The broker's answer to a client that introduces itself. */
export type Welcome = z.infer<NonNullable<typeof brokerContracts.hello.output>>;
