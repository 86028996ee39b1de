import { ZeromeshError } from "../../core/mod.ts";
import type { ChannelRegistry } from "../registry/registry.ts";
import {
  channelInfo,
  checkTransport,
  consumerOf,
  cutOff,
  discovered,
  hashOf,
  listed,
  metricsOf,
  processOf,
  producerOf,
  schemaTextOf,
} from "./door_bodies.ts";
import { type DoorClient, type DoorClients, type DoorRegistration, identityOfName } from "./door_clients.ts";
import { Fields, Refusal } from "./door_fields.ts";
import type { JsonObject } from "./frames.ts";

/** What somebody wants to do with a channel. */
export type DoorAction = "produce" | "consume" | "list" | "close";

/** Whether somebody may; an error says why not. */
export type DoorDecision = boolean | ZeromeshError;

/** What requests work on. */
export interface DoorScene {
  readonly registry: ChannelRegistry;
  readonly clients: DoorClients;
  /** Decides who may do what with which channel; null: everybody everything. */
  readonly authorize:
    | ((client: DoorClient, action: DoorAction, channel: string) => DoorDecision | Promise<DoorDecision>)
    | null;
  readonly heartbeatMs: number;
  readonly graceMs: number;
  readonly maxClients: number;
  /** About how many bytes an answer may have. */
  readonly maxBodyBytes: number;
}

/** The most roles that are told of one identity. */
const mostRoles = 256;

type Answer = JsonObject | Promise<JsonObject>;

/** A request of a foreign program. */
interface DoorRequest {
  /** The type of its answer. */
  readonly ack: string;
  readonly run: (scene: DoorScene, client: DoorClient, fields: Fields) => Answer;
  /**
   * Whether programs send it without waiting for an answer: it is answered only if it has a correlation id.
   *
   * @default {false}
   */
  readonly oneWay?: boolean;
}

const heartbeat: DoorRequest = { ack: "HEARTBEAT_ACK", oneWay: true, run: renew };
const broadcast: DoorRequest = { ack: "CHANNEL_BROADCAST_ACK", oneWay: true, run: tellAll };

/** What a door answers. The names that end in `_NOTIFY` are those of later versions of the same programs. */
const requests: Readonly<Record<string, DoorRequest>> = {
  REG_REQ: { ack: "REG_ACK", run: register },
  DISC_REQ: { ack: "DISC_ACK", run: discover },
  DEREG_REQ: {
    ack: "DEREG_ACK",
    run: (scene, client, fields) => deregister(scene, client, fields, "producer"),
  },
  HEARTBEAT_REQ: heartbeat,
  HEARTBEAT_NOTIFY: heartbeat,
  CONSUMER_REG_REQ: { ack: "CONSUMER_REG_ACK", run: registerConsumer },
  CONSUMER_DEREG_REQ: {
    ack: "CONSUMER_DEREG_ACK",
    run: (scene, client, fields) => deregister(scene, client, fields, "consumer"),
  },
  CHANNEL_LIST_REQ: { ack: "CHANNEL_LIST_ACK", run: list },
  SCHEMA_REQ: { ack: "SCHEMA_ACK", run: schema },
  METRICS_REQ: { ack: "METRICS_ACK", run: metrics },
  METRICS_REPORT_REQ: { ack: "METRICS_REPORT_ACK", oneWay: true, run: report },
  ROLE_PRESENCE_REQ: { ack: "ROLE_PRESENCE_ACK", run: presence },
  CHANNEL_NOTIFY_REQ: { ack: "CHANNEL_NOTIFY_ACK", oneWay: true, run: tellProducer },
  CHANNEL_BROADCAST_REQ: broadcast,
  CHANNEL_BROADCAST_SEND_NOTIFY: broadcast,
};

/** The request of a type; undefined if there is none. */
export function doorRequest(type: string): DoorRequest | undefined {
  return Object.hasOwn(requests, type) ? requests[type] : undefined;
}

/** Whether a message is not answered, whatever happens: its sender would take the answer for another one. */
export function isQuiet(type: string, correlation: Uint8Array | null): boolean {
  if (correlation !== null && correlation.length > 0) return false;
  return type.endsWith("_NOTIFY") || doorRequest(type)?.oneWay === true;
}

/**
 * Checks who asks, and runs a request.
 *
 * @throws {Refusal | ZeromeshError} Or rejects with them.
 */
export function runRequest(scene: DoorScene, client: DoorClient, type: string, body: JsonObject): Answer {
  const request = doorRequest(type);
  if (request === undefined) {
    throw new Refusal("UNKNOWN_MSG_TYPE", `The broker knows no message of the type ${type}`);
  }
  const fields = new Fields(body);
  checkClaims(client, type, fields);
  return request.run(scene, client, fields);
}

/** The fields by which a program says who it is. */
const claims = ["identity", "role_uid", "uid", "actor_uid", "producer_uid", "consumer_uid", "sender_uid"];
/** Here, these name somebody else. */
const subjects: Readonly<Record<string, readonly string[]>> = { ROLE_PRESENCE_REQ: ["uid", "role_uid"] };

/**
 * A body may say who the client is, and nobody else: its identity, or its routing id. With a key, the sockets of its data have
 * the same one, so that consumers know whom they connect to.
 */
function checkClaims(client: DoorClient, type: string, fields: Fields): void {
  const { identity, key, name } = client;
  for (const field of key === null ? claims : [...claims, "zmq_pubkey"]) {
    const claimed = fields.raw(field);
    if (claimed === undefined || claimed === identity || subjects[type]?.includes(field)) continue;
    if (claimed === name && field !== "zmq_pubkey") continue;
    const who = JSON.stringify(claimed)?.slice(0, 80);
    throw new Refusal(
      "IDENTITY_MISMATCH",
      `${field} claims ${who}, and the connection is ${identity}`,
      field,
    );
  }
}

/** Runs something if the client may. */
function allowed(
  { authorize }: DoorScene,
  client: DoorClient,
  action: DoorAction,
  channel: string,
  then: () => JsonObject,
): Answer {
  if (authorize === null) return then();
  const decided = (decision: DoorDecision): JsonObject => {
    if (decision === true) return then();
    if (decision instanceof Error) throw decision;
    throw new ZeromeshError("FORBIDDEN", `The client may not ${action} channel "${channel}"`);
  };
  const decision = authorize(client, action, channel);
  return decision instanceof Promise ? decision.then(decided) : decided(decision);
}

function register(scene: DoorScene, client: DoorClient, fields: Fields): Answer {
  const channel = fields.channel("REG_REQ");
  const registration = producerOf(fields, channel, client.key);
  return allowed(scene, client, "produce", channel, () => {
    checkRoom(scene, client);
    client.info = processOf(fields, "producer");
    const resumes = client.registered("producer", channel)?.presence;
    client.registering = channel;
    try {
      const { presence, epoch } = scene.registry.registerProducer(client, { ...registration, resumes });
      keep(scene, { presence, channel, role: "producer", client, pid: fields.whole(["producer_pid"]) });
      return {
        channel_id: channel,
        channel_name: channel,
        message: "registered",
        instance_id: epoch,
        ...times(scene),
      };
    } finally {
      client.registering = null;
    }
  });
}

function registerConsumer(scene: DoorScene, client: DoorClient, fields: Fields): Answer {
  const channel = fields.channel("CONSUMER_REG_REQ");
  const registration = consumerOf(fields, channel);
  return allowed(scene, client, "consume", channel, () => {
    checkRoom(scene, client);
    checkTransport(scene.registry, fields, channel);
    if (client.registered("producer", channel) === undefined) client.info = processOf(fields, "consumer");
    const { registry, clients } = scene;
    // A program that registers again has lost what it knew of its first registration.
    const before = client.registered("consumer", channel);
    const registered = registry.registerConsumer(client, registration);
    if (before !== undefined) {
      registry.deregisterConsumer(client, channel, before.presence);
      clients.remove(before.presence);
    }
    const { presence, channel: view, route } = registered;
    keep(scene, { presence, channel, role: "consumer", client, pid: fields.whole(["consumer_pid"]) });
    const about = { channel_name: channel, message: "registered", consumer_id: presence };
    return { ...about, ...channelInfo(view, route), ...times(scene) };
  });
}

function checkRoom({ clients, maxClients }: DoorScene, client: DoorClient): void {
  if (clients.size < maxClients || clients.reaches(client)) return;
  throw new ZeromeshError("LIMIT_REACHED", `The door has ${clients.size} clients, its most (maxClients)`);
}

function keep({ clients }: DoorScene, registration: DoorRegistration): void {
  const before = registration.client.registered(registration.role, registration.channel);
  if (before !== undefined) clients.remove(before.presence);
  clients.add(registration);
}

function times({ heartbeatMs, graceMs }: DoorScene): JsonObject {
  return {
    heartbeat: {
      heartbeat_interval_ms: heartbeatMs,
      ready_miss_heartbeats: Math.max(1, Math.round(graceMs / heartbeatMs)),
    },
  };
}

function discover(scene: DoorScene, client: DoorClient, fields: Fields): Answer {
  const channel = fields.channel("DISC_REQ");
  return allowed(scene, client, "list", channel, () => discovered(scene.registry, client, channel));
}

function deregister(
  { registry, clients }: DoorScene,
  client: DoorClient,
  fields: Fields,
  role: DoorRegistration["role"],
): JsonObject {
  const channel = fields.channel("DEREG_REQ");
  const registration = registrationOf(client, role, channel);
  const pid = fields.whole([`${role}_pid`]);
  if (pid !== null && registration.pid !== null && pid !== registration.pid) {
    notRegistered(client, role, channel);
  }
  const { presence } = registration;
  if (role === "producer") registry.deregisterProducer(client, channel, presence);
  else registry.deregisterConsumer(client, channel, presence);
  clients.remove(presence);
  return { channel_name: channel, message: "deregistered" };
}

function registrationOf(
  client: DoorClient,
  role: DoorRegistration["role"],
  channel: string,
): DoorRegistration {
  return client.registered(role, channel) ?? notRegistered(client, role, channel);
}

function notRegistered(client: DoorClient, role: string, channel: string): never {
  throw new Refusal("NOT_REGISTERED", `${client.identity} is not registered as a ${role} of "${channel}"`);
}

/** A heartbeat names a channel, and maybe the role there; without a channel it is for all that the client has registered. */
function renew({ registry, clients }: DoorScene, client: DoorClient, fields: Fields): JsonObject {
  const channel = fields.text(["channel_name"]);
  const role = fields.text(["role_type"]);
  const found = [...client.registrations()].filter((one) =>
    (channel === null || one.channel === channel) && (role === null || one.role === role)
  );
  const reported = metricsOf(fields);
  const metrics = reported === null
    ? undefined
    : Object.fromEntries(found.map(({ channel }) => [channel, reported]));
  const unknown = new Set(registry.heartbeat(client, found.map(({ presence }) => presence), metrics));
  for (const presence of unknown) clients.remove(presence);
  const living = found.filter(({ presence }) => !unknown.has(presence));
  if (living.length === 0) notRegistered(client, role ?? "producer or consumer", channel ?? "a channel");
  return channel === null ? { count: living.length } : { channel_name: channel };
}

async function list(scene: DoorScene, client: DoorClient, fields: Fields): Promise<JsonObject> {
  const { registry, maxBodyBytes } = scene;
  const match = fields.text(["match"]) ?? undefined;
  const after = fields.text(["after"]) ?? undefined;
  const limit = Math.max(1, Math.min(fields.whole(["limit"]) ?? 1_000, 10_000));
  const names = (): string[] => registry.list({ match, limit: Infinity }).channels.map(({ name }) => name);
  const visible = await visibleTo(scene, client, names);
  const { channels, more } = registry.list({ match, after, limit, visible });
  return cutOff("channels", channels.map(listed), more, maxBodyBytes);
}

function schema(scene: DoorScene, client: DoorClient, fields: Fields): Answer {
  const channel = fields.has("channel_name") ? fields.channel("SCHEMA_REQ") : undefined;
  const hash = hashOf(fields, "schema_hash") ?? undefined;
  if (channel === undefined && hash === undefined) {
    throw new Refusal("INVALID_REQUEST", "channel_name is missing");
  }
  const found = scene.registry.schema({ channel, hash });
  return allowed(scene, client, "list", found.channel, () => ({
    channel_name: found.channel,
    schema_id: "",
    schema_hash: found.hash ?? "",
    schema_version: found.version,
    blds: schemaTextOf(scene.registry, found),
  }));
}

async function metrics(scene: DoorScene, client: DoorClient, fields: Fields): Promise<JsonObject> {
  const { registry, maxBodyBytes } = scene;
  const channel = fields.has("channel_name") ? fields.channel("METRICS_REQ") : undefined;
  if (channel !== undefined) await allowed(scene, client, "list", channel, () => ({}));
  const visible = await visibleTo(
    scene,
    client,
    () => registry.metrics({ channel }).map((one) => one.channel),
  );
  const found = registry.metrics({ channel, visible }).map(({ channel, role, identity, metrics }) => ({
    channel_name: channel,
    role,
    uid: identity,
    metrics,
  }));
  return cutOff("channels", found, false, maxBodyBytes);
}

/** Which of some channels a client may see. */
async function visibleTo(
  { authorize }: DoorScene,
  client: DoorClient,
  names: () => Iterable<string>,
): Promise<(name: string) => boolean> {
  if (authorize === null) return () => true;
  const visible = new Set<string>();
  for (const name of new Set(names())) if (await authorize(client, "list", name) === true) visible.add(name);
  return (name) => visible.has(name);
}

function report({ registry }: DoorScene, client: DoorClient, fields: Fields): JsonObject {
  const channel = fields.channel("METRICS_REPORT_REQ");
  const registration = client.registered("producer", channel) ?? registrationOf(client, "consumer", channel);
  registry.heartbeat(client, [registration.presence], { [channel]: metricsOf(fields) ?? {} });
  return { channel_name: channel };
}

/** By identity, or by the routing id of a program without a key. */
function presence({ registry }: DoorScene, _client: DoorClient, fields: Fields): JsonObject {
  const uid = fields.required(["uid", "role_uid"]);
  const found = [...registry.presenceOf(uid), ...registry.presenceOf(identityOfName(uid))];
  const roles = found.slice(0, mostRoles).map(({ channel, role }) => ({ channel, role }));
  return { present: found.length > 0, channel: roles[0]?.channel ?? "", role: roles[0]?.role ?? "", roles };
}

function tellProducer(scene: DoorScene, client: DoorClient, fields: Fields): Answer {
  const channel = fields.channel("CHANNEL_NOTIFY_REQ");
  const event = fields.required(["event"]);
  return allowed(scene, client, "list", channel, () => ({
    told: scene.registry.notify(client, channel, event, fields.raw("data") ?? null),
  }));
}

function tellAll(scene: DoorScene, client: DoorClient, fields: Fields): Answer {
  const channel = fields.channel("CHANNEL_BROADCAST_REQ");
  const text = fields.text(["message"], 65_536) ?? "";
  return allowed(scene, client, "list", channel, () => ({
    told: scene.registry.broadcast(client, channel, text, fields.raw("data") ?? null),
  }));
}
