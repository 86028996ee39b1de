import type { ParseArgsConfig } from "node:util";
import { type Discovery, FileDiscovery, findsPeers, LocalDiscovery } from "../discovery/mod.ts";
import { type InstanceId, isInstanceId } from "../core/mod.ts";
import { Messenger, readKeyPair, service, type ServiceTarget } from "../mod.ts";
import { commonOptions, numberOf } from "./arguments.ts";
import { UsageError, withMessenger } from "./command.ts";

/** Options of commands that connect to instances. */
export const connectionOptions = {
  connect: { type: "string", multiple: true },
  discovery: { type: "string", multiple: true },
  timeout: { type: "string" },
  keys: { type: "string" },
  "server-key": { type: "string" },
  ...commonOptions,
} as const satisfies ParseArgsConfig["options"];

/** Their description for `--help`. */
export const connectionHelp =
  `  --connect ENDPOINT   connect to this endpoint (tcp://HOST:PORT or ipc://PATH); may be repeated
  --discovery WHERE    find instances through this back end; may be repeated (default: local)
                         local[:MESH]        processes of this user on this host
                         file:PATH           a file in Velo's format
                         etcd:URL[#CLUSTER]  such as etcd:http://127.0.0.1:2379
                         nats:URL[#CLUSTER]  such as nats:nats://127.0.0.1:4222
  --timeout MS         how long to wait for an answer (default: 5000)
  --keys FILE          your key pair ("zeromesh keys new FILE"), for instances that use CURVE
  --server-key KEY     the public key of the instance at an endpoint; discovery gives the keys of others`;

/** Parsed {@link connectionOptions}. */
export interface ConnectionValues {
  readonly connect?: string[] | undefined;
  readonly discovery?: string[] | undefined;
  readonly timeout?: string | undefined;
  readonly keys?: string | undefined;
  readonly "server-key"?: string | undefined;
}

/** Timeout and signal of one wait of a command. */
export interface Wait {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The back end that an argument names. */
export async function discoveryOf(text: string): Promise<Discovery> {
  const [, kind, rest = ""] = /^(local|file|etcd|nats)(?::(.*))?$/.exec(text) ?? [];
  const [, url = "", cluster] = /^(.*?)(?:#(.*))?$/.exec(rest) ?? [];
  try {
    if (kind === "local") return new LocalDiscovery(rest === "" ? {} : { mesh: rest });
    if (kind === "file" && rest !== "") return new FileDiscovery({ path: rest });
    if (kind === "etcd" && url !== "") {
      const { EtcdDiscovery } = await import("../discovery/etcd.ts");
      return new EtcdDiscovery({ endpoints: url.split(","), cluster });
    }
    if (kind === "nats" && url !== "") {
      const { NatsDiscovery } = await import("../discovery/nats.ts");
      return new NatsDiscovery({ servers: url.split(","), cluster });
    }
  } catch (error) {
    throw new UsageError(`--discovery ${text}: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new UsageError(`--discovery must be local[:MESH], file:PATH, etcd:URL or nats:URL, got "${text}"`);
}

/** A messenger for a command, with the back ends that find peers. */
export async function openMessenger(
  values: ConnectionValues,
): Promise<{ messenger: Messenger; discovery: Discovery[]; timeoutMs: number }> {
  const timeoutMs = numberOf("timeout", values.timeout, 5_000);
  const asked = values.discovery ?? (values.connect === undefined ? ["local"] : []);
  const discovery = await Promise.all(asked.map(discoveryOf));
  const curve = values.keys === undefined ? undefined : readKeyPair(values.keys);
  checkServerKey(values);
  const messenger = await Messenger.create({ listen: false, discovery, connectTimeoutMs: timeoutMs, curve });
  return { messenger, discovery, timeoutMs };
}

function checkServerKey({ keys, "server-key": serverKey }: ConnectionValues): void {
  if (serverKey === undefined) return;
  if (serverKey.length !== 40) {
    throw new UsageError("--server-key must be a public key: 40 characters of Z85");
  }
  if (keys === undefined) {
    throw new UsageError('--server-key needs --keys FILE; "zeromesh keys new FILE" makes the file');
  }
}

/** Runs a command about one peer, connected as its options say. An endpoint needs no discovery. */
export async function withPeer(
  peer: string,
  values: ConnectionValues,
  signal: AbortSignal,
  run: (messenger: Messenger, wait: Wait) => Promise<void>,
): Promise<void> {
  const given = isEndpoint(peer) ? { ...values, connect: values.connect ?? [] } : values;
  const { messenger, timeoutMs } = await openMessenger(given);
  await withMessenger(messenger, async () => {
    const wait = { timeoutMs, signal };
    await Promise.all((values.connect ?? []).map((endpoint) => dial(messenger, endpoint, values, wait)));
    await run(messenger, wait);
  });
}

/** The peer in an argument: an instance id, an endpoint, or `service:NAME`. */
export async function peerOf(
  messenger: Messenger,
  text: string,
  values: ConnectionValues,
  wait: Wait,
): Promise<InstanceId | ServiceTarget> {
  if (isEndpoint(text)) return await dial(messenger, text, values, wait);
  const name = /^service:(.+)$/.exec(text)?.[1];
  if (name !== undefined) return service(name);
  const id = text.toLowerCase();
  if (isInstanceId(id)) return id;
  const hint = /^[^/]+:\d+$/.test(text) ? `; did you mean tcp://${text}?` : "";
  throw new UsageError(`PEER must be an instance id, an endpoint or service:NAME, got "${text}"${hint}`);
}

/** The same for commands about one instance. */
export async function instanceOf(
  messenger: Messenger,
  text: string,
  values: ConnectionValues,
  wait: Wait,
): Promise<InstanceId> {
  const peer = await peerOf(messenger, text, values, wait);
  if (typeof peer === "string") return peer;
  throw new UsageError("PEER must be one instance, not a service");
}

/** Dials one endpoint, with the server's key if keys are used. */
export async function dial(
  messenger: Messenger,
  endpoint: string,
  { keys, "server-key": serverKey }: ConnectionValues,
  wait: Wait,
): Promise<InstanceId> {
  if (keys === undefined || serverKey !== undefined) {
    return await messenger.connect(endpoint, { ...wait, serverKey });
  }
  throw new UsageError(
    `--keys needs --server-key KEY to dial ${endpoint}: the public key of the instance there`,
  );
}

/** All instances that the back ends can list. */
export async function listAll(discovery: readonly Discovery[]): Promise<InstanceId[]> {
  const ids = new Set<InstanceId>();
  for (const source of discovery) {
    if (!findsPeers(source) || source.listPeers === undefined) {
      throw new UsageError("NATS cannot list instances: it finds an instance only by its id");
    }
    for (const { instanceId } of await source.listPeers()) ids.add(instanceId);
  }
  return [...ids];
}

function isEndpoint(text: string): boolean {
  return /^(?:tcp|ipc):\/\//.test(text);
}
