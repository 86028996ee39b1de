import { parseArgs, type ParseArgsConfig } from "node:util";
import { type Discovery, FileDiscovery, findsPeers, LocalDiscovery } from "../discovery/mod.ts";
import { type InstanceId, isInstanceId } from "../core/mod.ts";
import { Messenger, service, type ServiceTarget } from "../mod.ts";
import { UsageError } from "./command.ts";

/** The options of every command that talks to somebody. */
export const connectionOptions = {
  connect: { type: "string", multiple: true },
  discovery: { type: "string", multiple: true },
  timeout: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

/** What they are about, for `--help`. */
export const connectionHelp =
  `  --connect ENDPOINT   dial this endpoint (tcp://HOST:PORT or ipc://PATH); may be repeated
  --discovery WHERE    find instances there; may be repeated (default: local)
                         local[:MESH]        processes of this user on this host
                         file:PATH           a file in Velo's format
                         etcd:URL[#CLUSTER]  such as etcd:http://127.0.0.1:2379
                         nats:URL[#CLUSTER]  such as nats:nats://127.0.0.1:4222
  --timeout MS         how long to wait for an answer (default: 5000)`;

/** What {@link connectionOptions} come to. */
export interface ConnectionValues {
  readonly connect?: string[] | undefined;
  readonly discovery?: string[] | undefined;
  readonly timeout?: string | undefined;
}

/** Parses arguments; what node says about wrong ones becomes a {@link UsageError}. */
export function parse<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A number of an option. */
export function numberOf(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--${name} must be a positive number, got "${text}"`);
}

/** The back end that text names. */
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

/** A messenger for a command, and the back ends it finds peers with. */
export async function openMessenger(
  values: ConnectionValues,
): Promise<{ messenger: Messenger; discovery: Discovery[]; timeoutMs: number }> {
  const timeoutMs = numberOf("timeout", values.timeout, 5_000);
  const asked = values.discovery ?? (values.connect === undefined ? ["local"] : []);
  const discovery = await Promise.all(asked.map(discoveryOf));
  const messenger = await Messenger.create({ listen: false, discovery, connectTimeoutMs: timeoutMs });
  return { messenger, discovery, timeoutMs };
}

/** The peer that an argument names: an instance id, an endpoint, or `service:NAME`. */
export async function peerOf(
  messenger: Messenger,
  text: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<InstanceId | ServiceTarget> {
  if (/^(?:tcp|ipc):\/\//.test(text)) return await messenger.connect(text, { timeoutMs, signal });
  const name = /^service:(.+)$/.exec(text)?.[1];
  if (name !== undefined) return service(name);
  const id = text.toLowerCase();
  if (isInstanceId(id)) return id;
  const hint = /^[^/]+:\d+$/.test(text) ? `; is tcp://${text} meant?` : "";
  throw new UsageError(`PEER must be an instance id, an endpoint or service:NAME, got "${text}"${hint}`);
}

/** Dials what `--connect` names. */
export async function connectAll(
  messenger: Messenger,
  values: ConnectionValues,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<InstanceId[]> {
  return await Promise.all((values.connect ?? []).map((endpoint) => {
    return messenger.connect(endpoint, { timeoutMs, signal });
  }));
}

/** Every instance that the back ends can list. */
export async function listAll(discovery: readonly Discovery[]): Promise<InstanceId[]> {
  const ids = new Set<InstanceId>();
  for (const source of discovery) {
    if (!findsPeers(source) || source.listPeers === undefined) {
      throw new UsageError("nats cannot list instances: it only answers for one that is named");
    }
    for (const { instanceId } of await source.listPeers()) ids.add(instanceId);
  }
  return [...ids];
}
