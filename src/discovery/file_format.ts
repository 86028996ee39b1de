import { type InstanceId, instanceId, isInstanceId, workerIdOf, ZeromeshError } from "../core/mod.ts";
import {
  addressChecksum,
  parseControlJson,
  type PeerInfo,
  peerInfoFromJson,
  peerInfoToJson,
  stringifyControlJson,
} from "../messenger/mod.ts";

/** One entry of a peers file, with additional fields of its writer. */
export type FileEntry = Readonly<Record<string, unknown>>;

/** The text of files without entries. */
export const emptyFiles = Object.freeze({ peers: '{"peers":[]}\n', services: '{"services":{}}\n' });

const maxFileBytes = 64 * 1024 * 1024;

/** An instance's entry in Velo's form. */
export async function fileEntry(info: PeerInfo): Promise<FileEntry> {
  const { instance_id, worker_address } = peerInfoToJson(info);
  return {
    instance_id,
    worker_id: workerIdOf(info.instanceId),
    worker_address,
    address_checksum: await addressChecksum(info.workerAddress),
  };
}

/** The entries of a peers file. @throws {ZeromeshError} `ENCODING_FAILED` if it is invalid. */
export function parsePeers(text: string, path: string): FileEntry[] {
  const peers = field(text, path, "peers");
  if (Array.isArray(peers)) return peers.filter((entry) => typeof entry === "object" && entry !== null);
  throw noFile(path, "peers");
}

/** The peer in an entry, or null when it holds none. */
export function infoOf(entry: FileEntry): PeerInfo | null {
  return peerInfoFromJson(entry);
}

/** The text of a peers file. */
export function formatPeers(entries: readonly FileEntry[]): string {
  if (entries.length === 0) return emptyFiles.peers;
  return `{"peers":[\n${entries.map((entry) => stringifyControlJson(entry)).join(",\n")}\n]}\n`;
}

/** The instances of each service. @throws {ZeromeshError} `ENCODING_FAILED` if the file is invalid. */
export function parseServices(text: string, path: string): Map<string, Set<InstanceId>> {
  const services = field(text, path, "services");
  if (typeof services !== "object" || services === null || Array.isArray(services)) {
    throw noFile(path, "services");
  }
  const parsed = new Map<string, Set<InstanceId>>();
  for (const [name, ids] of Object.entries(services)) {
    const lower = (Array.isArray(ids) ? ids : []).map((id) => String(id).toLowerCase());
    parsed.set(name, new Set(lower.filter(isInstanceId).map((id) => instanceId(id))));
  }
  return parsed;
}

/** The text of a services file. */
export function formatServices(services: ReadonlyMap<string, ReadonlySet<InstanceId>>): string {
  const all: Record<string, string[]> = {};
  for (const [name, ids] of services) if (ids.size > 0) all[name] = [...ids];
  return `${JSON.stringify({ services: all }, null, 2)}\n`;
}

function field(text: string, path: string, name: string): unknown {
  // A file that another process has only just created.
  if (text.trim() === "") return name === "peers" ? [] : {};
  const parsed = parseControlJson(text, { maxBytes: maxFileBytes });
  if (typeof parsed !== "object" || parsed === null || !(name in parsed)) throw noFile(path, name);
  return (parsed as Record<string, unknown>)[name];
}

function noFile(path: string, name: string): ZeromeshError {
  return new ZeromeshError(
    "ENCODING_FAILED",
    `${path} is not a discovery file: it must be JSON with "${name}"; move it away or give another path`,
    { details: { path } },
  );
}
