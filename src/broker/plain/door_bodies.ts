import type { ChannelPattern } from "../contract.ts";
import { brokerError } from "../errors.ts";
import type { ChannelView, ProcessInfo, ProducerRoute } from "../protocol/contracts.ts";
import type { ChannelRegistry } from "../registry/registry.ts";
import type {
  ConsumerRegistration,
  ProducerRegistration,
  RegistryClient,
} from "../registry/registry_client.ts";
import type { StoredSchema } from "../registry/schema_store.ts";
import { longestSchema } from "../schema_agreement.ts";
import { type Fields, invalid } from "./door_fields.ts";
import type { JsonObject } from "./frames.ts";

const patterns: Readonly<Record<string, ChannelPattern>> = {
  PubSub: "pubsub",
  Pipeline: "pipeline",
  Bidir: "bidirectional",
  pubsub: "pubsub",
  pipeline: "pipeline",
  bidirectional: "bidirectional",
};

const patternNames: Readonly<Record<ChannelPattern, string>> = {
  pubsub: "PubSub",
  pipeline: "Pipeline",
  bidirectional: "Bidir",
};

const stateNames: Readonly<Record<ChannelView["state"], string>> = {
  pending: "PendingReady",
  ready: "Ready",
  closing: "Closing",
};

/** How the data of a foreign producer travels: over sockets, or in memory that it shares. */
const transports = { zmq: "zmq", shm: "shm" } as const;

const mostMetrics = 256;
// What the registry has no place for is kept beside the metadata, and given back as the fields that they were.
const ctrlEndpoint = "zmq_ctrl_endpoint";
const schemaText = "schema_blds";

/** What a producer registers. */
export function producerOf(fields: Fields, channel: string, key: string | null): ProducerRegistration {
  const endpoint = fields.text(["zmq_data_endpoint", "zmq_node_endpoint"]) ?? "";
  checkEndpoint(endpoint);
  const shared = fields.flag("has_shared_memory") === false ? null : fields.text(["shm_name"]);
  const transport = transportOf(fields, "data_transport");
  if (transport === "zmq" && endpoint === "") throw invalid("zmq_data_endpoint", "is missing");
  if (transport === "shm" && shared === null) throw invalid("shm_name", "is missing");
  return {
    channel,
    pattern: fields.oneOf(["channel_pattern"], patterns) ?? "pubsub",
    // The store takes texts only by their SHA-256, and these programs have a hash of another kind.
    schema: { hash: hashOf(fields, "schema_hash"), text: null, version: versionOf(fields) },
    metadata: metadataOf(fields),
    sharedMemory: shared,
    route: { transport: "plain", endpoint, key: key ?? keyOf(fields) },
  };
}

/** What a consumer registers. What it does not name, it takes as it is. */
export function consumerOf(fields: Fields, channel: string): ConsumerRegistration {
  return {
    channel,
    pattern: fields.oneOf(["channel_pattern"], patterns),
    transport: transportOf(fields, transportField(fields)) === null ? null : "plain",
    schema: {
      hash: hashOf(fields, "expected_schema_hash") ?? hashOf(fields, "schema_hash"),
      version: versionOf(fields),
    },
    peer: null,
  };
}

/** What the program says of its process. */
export function processOf(fields: Fields, role: "producer" | "consumer"): ProcessInfo {
  return {
    pid: fields.whole([`${role}_pid`]) ?? 0,
    host: fields.text([`${role}_hostname`]) ?? "",
    runtime: "foreign",
    name: fields.text(["role_name", "actor_name", "consumer_name"]),
  };
}

/** 64 hexadecimal digits. None, and zeros, stand for no schema, which agrees with each. */
export function hashOf(fields: Fields, field: string): string | null {
  const text = fields.text([field]);
  if (text === null) return null;
  const hash = text.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hash)) throw invalid(field, "is not 64 hexadecimal digits");
  return /^0+$/.test(hash) ? null : hash;
}

/** The numbers among the reported metrics; null if none were reported. */
export function metricsOf(fields: Fields): Record<string, number> | null {
  const given = fields.object("metrics");
  if (given === null) return null;
  const numbers = Object.entries(given).filter((entry): entry is [string, number] =>
    typeof entry[1] === "number" && entry[0].length <= 256
  );
  return Object.fromEntries(numbers.slice(0, mostMetrics));
}

/** A channel in any state; undefined if there is none. */
export function viewOf(registry: ChannelRegistry, channel: string): ChannelView | undefined {
  return registry.list({ match: channel, limit: 1 }).channels[0];
}

/** The text of the schema of a channel, as its producer gave it; empty if there is none. */
export function schemaTextOf(registry: ChannelRegistry, { channel, text }: StoredSchema): string {
  const beside = viewOf(registry, channel)?.metadata?.[schemaText];
  return text ?? (typeof beside === "string" ? beside : "");
}

/** Refuses a consumer that wants the data another way than the producer offers it. */
export function checkTransport(registry: ChannelRegistry, fields: Fields, channel: string): void {
  const wanted = transportOf(fields, transportField(fields));
  const view = viewOf(registry, channel);
  const route = registry.find(channel)?.route;
  if (wanted === null || view === undefined || route?.transport !== "plain") return;
  const offered = { shm: view.sharedMemory !== null, zmq: route.endpoint !== "" };
  if (offered[wanted]) return;
  const expected = transportName(view, route.endpoint);
  throw brokerError(
    "TRANSPORT_MISMATCH",
    `The data of channel "${channel}" travels by ${expected}, and not by ${wanted}`,
    { channel, expected, given: wanted },
  );
}

/** The answer to a discovery. */
export function discovered(registry: ChannelRegistry, client: RegistryClient, channel: string): JsonObject {
  const view = registry.discover(client, channel);
  return { channel_name: channel, ...channelInfo(view, registry.find(channel)?.route ?? null) };
}

/** A channel and where its data comes from. */
export function channelInfo(view: ChannelView, route: ProducerRoute | null): JsonObject {
  const { [ctrlEndpoint]: control = "", [schemaText]: _, ...metadata } = view.metadata ?? {};
  const plain = route?.transport === "plain" ? route : null;
  return {
    shm_name: view.sharedMemory ?? "",
    schema_hash: view.schema.hash ?? "",
    schema_version: view.schema.version,
    metadata,
    consumer_count: view.consumers,
    has_shared_memory: view.sharedMemory !== null,
    channel_pattern: patternNames[view.pattern],
    zmq_ctrl_endpoint: control,
    zmq_data_endpoint: plain?.endpoint ?? "",
    zmq_node_endpoint: plain?.endpoint ?? "",
    zmq_pubkey: plain?.key ?? "",
    data_transport: transportName(view, plain?.endpoint ?? ""),
  };
}

/** A channel in a list. */
export function listed(view: ChannelView): JsonObject {
  return {
    name: view.name,
    status: stateNames[view.state],
    consumer_count: view.consumers,
    producer_pid: view.producer.pid,
    producer_uid: view.producer.identity,
    channel_pattern: patternNames[view.pattern],
    schema_hash: view.schema.hash ?? "",
    schema_version: view.schema.version,
    has_shared_memory: view.sharedMemory !== null,
  };
}

/** A list under a name, cut off before it gets much longer than an answer may be; `more` then says so. */
export function cutOff(
  name: string,
  items: readonly JsonObject[],
  more: boolean,
  maxBodyBytes: number,
): JsonObject {
  let room = maxBodyBytes;
  let count = 0;
  for (const item of items) {
    room -= JSON.stringify(item).length + 1;
    if (room < 0 && count > 0) break;
    count++;
  }
  return { [name]: items.slice(0, count), more: more || count < items.length };
}

function metadataOf(fields: Fields): JsonObject | null {
  const control = fields.text([ctrlEndpoint]);
  const text = fields.text([schemaText], longestSchema);
  const metadata = fields.object("metadata");
  if (control === null && text === null) return metadata;
  return {
    ...metadata,
    ...(control === null ? {} : { [ctrlEndpoint]: control }),
    ...(text === null ? {} : { [schemaText]: text }),
  };
}

function transportField(fields: Fields): string {
  return fields.has("consumer_queue_type") ? "consumer_queue_type" : "data_transport";
}

function transportOf(fields: Fields, field: string): "zmq" | "shm" | null {
  if (fields.has(field) && fields.raw(field) === undefined) throw invalid(field, "is empty");
  return fields.oneOf([field], transports);
}

function transportName(view: ChannelView, endpoint: string): string {
  if (view.transport === "stream") return "stream";
  return endpoint === "" && view.sharedMemory !== null ? "shm" : "zmq";
}

function versionOf(fields: Fields): string {
  const version = fields.raw("schema_version");
  return typeof version === "number" ? String(version) : fields.text(["schema_version"]) ?? "1";
}

function keyOf(fields: Fields): string | null {
  const key = fields.text(["zmq_pubkey"]);
  if (key !== null && key.length !== 40) throw invalid("zmq_pubkey", "is not 40 characters of Z85");
  return key;
}

/** An endpoint that consumers can connect to. */
function checkEndpoint(endpoint: string): void {
  if (endpoint === "" || /^(?:ipc|inproc):\/\/./.test(endpoint)) return;
  const port = Number(/^tcp:\/\/[^*].*:(\d{1,5})$/.exec(endpoint)?.[1] ?? 0);
  if (port < 1 || port > 65_535) throw invalid("zmq_data_endpoint", "is no endpoint to connect to");
}
