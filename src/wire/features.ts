import { type Credit, type InstanceId, isInstanceName, option, shape } from "../core/mod.ts";
import { parseControlJson, stringifyControlJson } from "./control_json.ts";
import { type PeerInfo, peerInfoFromJson, peerInfoToJson } from "./peer_info.ts";
import { encodeUtf8 } from "./utf8.ts";

/**
 * Additions to plain Velo, which peers agree on in `_hello`. Each is used only towards a peer that named it.
 *
 * - `batch`: many messages in one frame, see {@link BatchReader}.
 * - `errors`: failed calls carry code and data, see {@link errorHeaders}.
 * - `same-connection`: replies and calls use the connection the peer dialled.
 * - `deadline`: header `_ttl`, see {@link encodeTtl}.
 * - `cancel`: a message that cancels a call, see {@link encodeCancel}.
 * - `msgpack`: payloads of contracts that ask for MessagePack, marked by header `_enc`.
 * - `credit`: a window per sender and receiver, in messages and bytes, see {@link encodeCredit}.
 * - `admission`: a message for a system handler says that it used credit, see {@link withCredit}.
 * - `kind`: a request says that the caller's contract has no answer, see {@link withoutAnswer}.
 * - `metadata`: metadata above 1024 bytes precedes the payload, see {@link metadataBytesHeader}.
 */
export type Feature =
  | "batch"
  | "errors"
  | "same-connection"
  | "deadline"
  | "cancel"
  | "msgpack"
  | "credit"
  | "admission"
  | "kind"
  | "metadata";

// A missing feature does not compile.
const table: Readonly<Record<Feature, true>> = {
  batch: true,
  errors: true,
  "same-connection": true,
  deadline: true,
  cancel: true,
  msgpack: true,
  credit: true,
  admission: true,
  kind: true,
  metadata: true,
};

/** All of them. */
export const allFeatures: readonly Feature[] = Object.keys(table) as Feature[];

/** The version of zeromesh's additions, in field `v` of the `zeromesh` object. */
export const wireVersion = 1;

/** Most handler names of a hello reply or a handler list. */
export const maxHandlers = 65_536;

/** Most feature names of a peer. */
export const maxFeatures = 64;

/** The bytes that one peer may occupy, unless an instance says otherwise. */
export const presetPeerBytes: number = 32 * 1024 * 1024;

/** The time between two ZMTP heartbeats of a dialler that does not say otherwise, in milliseconds. */
export const presetPingMs: number = 1_000;

/** Handler lists may exceed the limit of other control messages. */
const maxHandlerListBytes = 8 * 1_048_576;
const maxFeatureLength = 64;

const { anything, lenient, list, of, record } = shape;
const hello = record({ peer_info: anything, handlers: anything, zeromesh: anything });
const size = of<number>(option.whole(1, Number.MAX_SAFE_INTEGER));
const isShort = (value: unknown): boolean => typeof value === "string" && value.length <= maxFeatureLength;
const negotiation = record({
  v: size,
  features: of<string[]>(
    option.kind("short names", (value) => isTextList(value, maxFeatures) && value.every(isShort)),
  ),
  instance_id: of<InstanceId>(option.instanceId),
  max_payload: lenient(of<number>(option.duration)),
  max_peer: lenient(size),
  ping: lenient(size),
  credit: lenient(list(size)),
  run: lenient(of<string>(option.kind("a short text", (value) => value !== "" && isShort(value)))),
  name: lenient(of<string>(option.kind("a name", isInstanceName))),
});

/** The `zeromesh` object that this instance sends. */
export interface Negotiation {
  /** The supported features. */
  readonly features: readonly string[];
  /** Instance id; Velo's own fields of a reply do not carry it. */
  readonly instanceId: InstanceId;
  /** The largest accepted payload, in bytes. A larger one costs the sender its connection. */
  readonly maxPayloadBytes?: number | undefined;
  /** The bytes that one peer may occupy here; sent unless they are {@link presetPeerBytes}. */
  readonly maxPeerBytes?: number | undefined;
  /**
   * The time between two ZMTP heartbeats that the dialler of the connection sends, in milliseconds; sent unless it is
   * {@link presetPingMs}.
   */
  readonly pingMs?: number | undefined;
  /** With feature `credit`: the peer's window for messages to this instance. */
  readonly credit?: Credit | undefined;
  /** A random text that distinguishes this instance from others with the same id. */
  readonly run?: string | undefined;
  /** The instance's name. */
  readonly name?: string | undefined;
}

/** The `zeromesh` object of a peer. */
export interface PeerNegotiation {
  /** Version of its additions, 1 or more. */
  readonly v: number;
  /** The features it supports; unknown names are kept. */
  readonly features: ReadonlySet<string>;
  /** Its instance id. */
  readonly instanceId: InstanceId;
  /** The largest payload it accepts, in bytes; `Infinity` if absent. */
  readonly maxPayloadBytes: number;
  /** The bytes that this instance may occupy there. */
  readonly maxPeerBytes: number;
  /** The time between two ZMTP heartbeats of the dialler, in milliseconds. */
  readonly pingMs: number;
  /** This instance's window for messages to the peer; `null` if absent or invalid. */
  readonly credit: Credit | null;
  /** Distinguishes it from other instances with its id; `null` if absent. */
  readonly run: string | null;
  /** Its name; `null` if absent or invalid. */
  readonly name: string | null;
}

/** A decoded `_hello`. */
export interface Hello {
  /** Id and address of the sender. */
  readonly peerInfo: PeerInfo;
  /** `null` for a plain Velo peer, and for a malformed object. */
  readonly negotiation: PeerNegotiation | null;
}

/** A decoded answer to `_hello`. */
export interface HelloReply {
  /** Names of the peer's handlers, with system handlers, in no order. */
  readonly handlers: string[];
  /** `null` for a plain Velo peer, and for a malformed object. */
  readonly negotiation: PeerNegotiation | null;
}

/**
 * The payload of `_hello`, UTF-8 JSON:
 * `{"peer_info":{"instance_id":…,"worker_address":[…]},"zeromesh":{"v":1,"features":[…],"instance_id":…}}`.
 *
 * Without `negotiation` the field `zeromesh` is absent, and the bytes are those of plain Velo.
 */
export function encodeHello(
  hello: { peerInfo: PeerInfo; negotiation?: Negotiation | undefined },
): Uint8Array {
  return encodeJson({
    peer_info: peerInfoToJson(hello.peerInfo),
    zeromesh: negotiationJson(hello.negotiation),
  });
}

/**
 * Decodes the payload of `_hello`; `null` unless it has a peer info. Unknown fields are ignored. Never throws.
 *
 * The caller checks that `peerInfo` and `negotiation` name the same instance.
 */
export function decodeHello(bytes: Uint8Array): Hello | null {
  const said = shape.read(hello, parseControlJson(bytes));
  const peerInfo = peerInfoFromJson(said?.peer_info);
  return peerInfo === null ? null : { peerInfo, negotiation: negotiationOf(said?.zeromesh) };
}

/**
 * The payload of the answer to `_hello`, UTF-8 JSON: `{"handlers":[…],"zeromesh":{…}}`, the second field as in
 * {@link encodeHello}.
 *
 * @throws {RangeError} If there are more than {@link maxHandlers} handlers.
 */
export function encodeHelloReply(
  reply: { handlers: readonly string[]; negotiation?: Negotiation | undefined },
): Uint8Array {
  if (reply.handlers.length > maxHandlers) {
    throw new RangeError(`Cannot list ${reply.handlers.length} handlers: at most ${maxHandlers}`);
  }
  return encodeJson({ handlers: reply.handlers, zeromesh: negotiationJson(reply.negotiation) });
}

/** Decodes the answer to `_hello`; `null` unless it has a list of names. Unknown fields are ignored. Never throws. */
export function decodeHelloReply(bytes: Uint8Array): HelloReply | null {
  const said = shape.read(hello, parseControlJson(bytes, { maxBytes: maxHandlerListBytes }));
  const handlers = said?.handlers;
  return isTextList(handlers, maxHandlers) ? { handlers, negotiation: negotiationOf(said?.zeromesh) } : null;
}

function encodeJson(value: unknown): Uint8Array {
  return encodeUtf8(stringifyControlJson(value));
}

function negotiationJson(ours: Negotiation | undefined): Record<string, unknown> | undefined {
  if (ours === undefined) return undefined;
  return {
    v: wireVersion,
    features: ours.features,
    instance_id: ours.instanceId,
    max_payload: ours.maxPayloadBytes,
    max_peer: ours.maxPeerBytes === presetPeerBytes ? undefined : ours.maxPeerBytes,
    ping: ours.pingMs === presetPingMs ? undefined : ours.pingMs,
    credit: ours.features.includes("credit")
      ? ours.credit && [ours.credit.count, ours.credit.bytes]
      : undefined,
    run: ours.run,
    name: ours.name,
  };
}

function negotiationOf(value: unknown): PeerNegotiation | null {
  const said = shape.read(negotiation, value);
  if (said === undefined) return null;
  const { max_payload: maxPayloadBytes = Infinity, max_peer: maxPeerBytes = presetPeerBytes } = said;
  const { ping: pingMs = presetPingMs, credit = [], run = null, name = null } = said;
  const [count, bytes] = credit;
  return {
    v: said.v,
    features: new Set(said.features),
    instanceId: said.instance_id,
    maxPayloadBytes,
    maxPeerBytes,
    pingMs: Math.max(presetPingMs, pingMs),
    credit: count === undefined || bytes === undefined || credit.length > 2 ? null : { count, bytes },
    run,
    name,
  };
}

function isTextList(value: unknown, max: number): value is string[] {
  return Array.isArray(value) && value.length <= max && value.every((item) => typeof item === "string");
}
