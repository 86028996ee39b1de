import { instanceId } from "../../core/mod.ts";
import { formatEndpoint, isCurveKey, parseEndpoint } from "../../transport/mod.ts";
import { type PeerInfo, peerInfoFromJson, type PeerInfoJson, peerInfoOf } from "../../wire/mod.ts";

/** An instance configured by hand: its id and its address. */
export interface PeerLocation {
  /** Its id. When another one answers there, calls fail with `IDENTITY_MISMATCH`. */
  readonly instanceId: string;
  /** Its endpoint: `tcp://HOST:PORT` or `ipc://PATH`. */
  readonly endpoint?: string | undefined;
  /** Several endpoints, preferred first, instead of `endpoint`. */
  readonly endpoints?: readonly string[] | undefined;
  /** Its CURVE public key, Z85, if instances use CURVE. */
  readonly serverKey?: string | undefined;
}

/** The forms of a peer: the result of `peerInfo()`, decoded or as JSON, or configured by hand. */
export type PeerEntry = PeerInfo | PeerInfoJson | PeerLocation;

const locationNames = new Set(["instanceId", "endpoint", "endpoints", "serverKey"]);

/**
 * The peer info of an entry.
 *
 * @param verb The failed action for the error.
 * @throws {TypeError} If it has none of the forms.
 * @throws {RangeError} If it has more than 16 endpoints.
 * @throws {ZeromeshError} `ENDPOINT_INVALID`.
 */
export function peerInfoOfEntry(entry: PeerEntry, verb: string): PeerInfo {
  const refuse = (why: string): never => {
    throw new TypeError(
      `Cannot ${verb}: ${why}; expected { instanceId, endpoint, serverKey } or what peerInfo() gives`,
    );
  };
  if (typeof entry !== "object" || entry === null) {
    return refuse(`got ${entry === null ? "null" : typeof entry}`);
  }
  if ("workerAddress" in entry) return entry;
  if (!("instanceId" in entry)) return peerInfoFromJson(entry) ?? refuse("it is no peer info");
  const unknown = Object.keys(entry).find((name) => !locationNames.has(name));
  if (unknown !== undefined) return refuse(`a peer has no "${unknown}"`);
  const { endpoint, endpoints, serverKey } = entry;
  if ((endpoint === undefined) === (endpoints === undefined)) return refuse("it needs endpoint or endpoints");
  const list: unknown = endpoints ?? [endpoint];
  if (!Array.isArray(list) || list.length === 0) {
    return refuse("endpoints must be an array with at least one");
  }
  if (serverKey !== undefined && !isCurveKey(serverKey)) {
    return refuse("serverKey must be 40 characters of Z85");
  }
  const checked = list.map((one: string) => formatEndpoint(parseEndpoint(one, "dial")));
  return { ...peerInfoOf(instanceId(entry.instanceId), checked, serverKey), fixed: true };
}
