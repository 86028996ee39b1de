import { type InstanceId, instanceIdFromBytes, instanceIdToBytes, isInstanceId } from "../core/mod.ts";
import { decodeWorkerAddress, encodeWorkerAddress, maxAddressBytes, readBytes } from "./address.ts";
import { copyBytes } from "./bytes.ts";
import { MsgpackCursor } from "./msgpack_cursor.ts";
import { parseControlJson } from "./control_json.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** The id and address by which one instance reaches another. */
export interface PeerInfo {
  /** The instance's id; its worker id follows from it. */
  readonly instanceId: InstanceId;
  /** The encoded worker address, see {@link encodeWorkerAddress}. */
  readonly workerAddress: Uint8Array;
  /**
   * Whether it was configured by hand: another id at its address is then an error, not a successor. Never on the wire.
   */
  readonly fixed?: boolean | undefined;
}

/** A {@link PeerInfo} as JSON, in Velo's field names; the address is one number per byte. */
export interface PeerInfoJson {
  /** The instance id in lower case. */
  readonly instance_id: string;
  /** The bytes of the worker address. */
  readonly worker_address: readonly number[];
}

/** Address key of the single endpoint that plain Velo dials. */
const zmqKey = "zmq";
/** Address key of all endpoints, best first, as the UTF-8 text of a JSON array; plain Velo ignores it. */
const zeromeshKey = "zeromesh";
/** Address key of the CURVE public key, 40 characters of Z85; plain Velo ignores it. */
const curveKey = "zeromesh-curve";
/** The handler that makes its caller a known peer. Dynamo gave it the name. */
export const registrationHandler = "_register_service";
const maxEndpoints = 16;
const maxEndpointLength = 1024;

/**
 * Makes the peer info of an instance.
 *
 * The first endpoint goes under `zmq`, where plain Velo looks. If there are more, all go under `zeromesh` as the UTF-8
 * text of a JSON array.
 *
 * @param publicKey Its CURVE public key, 40 characters of Z85, if the instance uses CURVE.
 * @throws {RangeError} If there are more than 16 endpoints, or one that is not `tcp://` or `ipc://` or is longer than
 * 1024 characters. Without endpoints the instance cannot be dialled, which is allowed.
 */
export function peerInfoOf(
  instanceId: InstanceId,
  endpoints: readonly string[],
  publicKey?: string | undefined,
): PeerInfo {
  if (endpoints.length > maxEndpoints) {
    throw new RangeError(`Cannot advertise ${endpoints.length} endpoints: at most ${maxEndpoints}`);
  }
  for (const endpoint of endpoints) {
    if (!isEndpoint(endpoint)) {
      throw new RangeError(`Cannot advertise ${JSON.stringify(endpoint)} as an endpoint`);
    }
  }
  const entries: Record<string, Uint8Array> = {};
  const [first] = endpoints;
  if (first !== undefined) entries[zmqKey] = encodeUtf8(first);
  if (endpoints.length > 1) entries[zeromeshKey] = encodeUtf8(JSON.stringify(endpoints));
  if (publicKey !== undefined) entries[curveKey] = encodeUtf8(publicKey);
  return { instanceId, workerAddress: encodeWorkerAddress(entries) };
}

/**
 * The endpoints of a peer, best first: its `zeromesh` list if that is valid, else its `zmq` endpoint, else none. Only
 * `tcp://` and `ipc://` are returned. Never throws.
 */
export function endpointsOf(peerInfo: PeerInfo): string[] {
  const entries = decodeWorkerAddress(peerInfo.workerAddress);
  if (typeof entries === "string") return [];
  const ours = entries[zeromeshKey];
  if (ours !== undefined) {
    const list = parseControlJson(ours);
    if (Array.isArray(list) && list.length > 0 && list.length <= maxEndpoints && list.every(isEndpoint)) {
      return list;
    }
  }
  const zmq = entries[zmqKey];
  const endpoint = zmq === undefined ? null : decodeUtf8(zmq, 0, zmq.length);
  return isEndpoint(endpoint) ? [endpoint] : [];
}

/** The CURVE public key in a peer info, 40 characters of Z85; `null` if absent. Never throws. */
export function publicKeyOf(peerInfo: PeerInfo): string | null {
  const entries = decodeWorkerAddress(peerInfo.workerAddress);
  const bytes = typeof entries === "string" ? undefined : entries[curveKey];
  if (bytes === undefined || bytes.length !== 40) return null;
  return decodeUtf8(bytes, 0, bytes.length);
}

function isEndpoint(value: unknown): value is string {
  return typeof value === "string" && value.length <= maxEndpointLength &&
    /^(?:tcp|ipc):\/\/[^\0\s]+$/.test(value);
}

/** The JSON form of a peer info, for `_hello` and discovery files. */
export function peerInfoToJson(peerInfo: PeerInfo): PeerInfoJson {
  return { instance_id: peerInfo.instanceId, worker_address: Array.from(peerInfo.workerAddress) };
}

/**
 * Reads the JSON form of a peer info; `null` unless it has a UUID and an array of 1 to 65 536 bytes.
 *
 * The address is not decoded; {@link endpointsOf} does that. Unknown fields are ignored.
 */
export function peerInfoFromJson(value: unknown): PeerInfo | null {
  if (typeof value !== "object" || value === null) return null;
  const { instance_id, worker_address } = value as { instance_id?: unknown; worker_address?: unknown };
  const instanceId = typeof instance_id === "string" ? instance_id.toLowerCase() : undefined;
  if (!isInstanceId(instanceId) || !Array.isArray(worker_address)) return null;
  if (worker_address.length === 0 || worker_address.length > maxAddressBytes) return null;
  const workerAddress = new Uint8Array(worker_address.length);
  for (let i = 0; i < workerAddress.length; i++) {
    const byte: unknown = worker_address[i];
    if (typeof byte !== "number" || !Number.isInteger(byte) || byte < 0 || byte > 0xff) return null;
    workerAddress[i] = byte;
  }
  return { instanceId, workerAddress };
}

/**
 * The MessagePack form of a peer info in Velo's NATS discovery: `92`, then `c4 10` and the 16 bytes of the id, then the
 * address as a binary (`c4` and u8, or `c5` and u16).
 *
 * @throws {RangeError} If the address exceeds 65 535 bytes.
 */
export function encodePeerInfo(peerInfo: PeerInfo): Uint8Array {
  const { workerAddress } = peerInfo;
  const length = workerAddress.length;
  if (length > 0xffff) {
    throw new RangeError(`Cannot encode a worker address of ${length} bytes: at most 65535`);
  }
  const wide = length > 0xff;
  const bytes = new Uint8Array(19 + (wide ? 3 : 2) + length);
  bytes.set([0x92, 0xc4, 0x10]);
  let at = copyBytes(bytes, 3, instanceIdToBytes(peerInfo.instanceId), 16);
  bytes[at++] = wide ? 0xc5 : 0xc4;
  if (wide) bytes[at++] = length >> 8;
  bytes[at++] = length & 0xff;
  copyBytes(bytes, at, workerAddress, length);
  return bytes;
}

/** Decodes {@link encodePeerInfo}; `null` for other bytes. Never throws. */
export function decodePeerInfo(bytes: Uint8Array): PeerInfo | null {
  if (bytes.length > maxAddressBytes + 32) return null;
  const cursor = new MsgpackCursor(bytes, 0, bytes.length);
  if (cursor.readArraySize() !== 2) return null;
  const id = cursor.readBinary();
  if (id < 0 || cursor.at - id !== 16) return null;
  const workerAddress = readBytes(bytes, cursor);
  if (workerAddress === null || workerAddress.length === 0 || cursor.at !== bytes.length) return null;
  return { instanceId: instanceIdFromBytes(bytes, id), workerAddress };
}
