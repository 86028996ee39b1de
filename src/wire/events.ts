import { type InstanceId, isInstanceId } from "../core/mod.ts";
import { integerBelow, parseControlJson } from "./control_json.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Handler of a subscription: awaiter to owner, fire-and-forget. See {@link encodeSubscribe}. */
export const subscribeHandler = "_event_subscribe";
/** Handler of a withdrawn subscription; feature `events`. Its payload is that of a subscription. */
export const unsubscribeHandler = "_event_unsubscribe";
/** Handler of a completion: owner to subscriber, fire-and-forget. See {@link encodeCompletion}. */
export const completionHandler = "_event_trigger";
/** Handler of a request to complete: each instance to the owner. See {@link encodeCompletionRequest}. */
export const completionRequestHandler = "_event_trigger_request";

/** A request to be told of an event's completion. */
export interface EventSubscription {
  /** The event. */
  readonly handle: bigint;
  /** The subscriber's worker id. */
  readonly worker: bigint;
  /** The subscriber. */
  readonly instance: InstanceId;
}

/** The completion of an event. */
export interface EventCompletion {
  /** The event. */
  readonly handle: bigint;
  /** The poison reason; null when it was triggered. */
  readonly poisoned: string | null;
}

/** A request to complete an event. */
export interface EventCompletionRequest {
  /** The event. */
  readonly handle: bigint;
  /** The requester's worker id. */
  readonly worker: bigint;
  /** The requester. */
  readonly instance: InstanceId;
  /** The poison reason; null to trigger it. */
  readonly poisoned: string | null;
  /** The id under which the requester awaits an ack, as an integer; null for none. */
  readonly responseId: bigint | null;
}

const limit = 1n << 128n;
const u64Limit = 1n << 64n;
const integer = "(0|[1-9]\\d{0,38})";
const uuid = "([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})";
// The form that Velo and this library write. Other JSON takes the slow way.
const subscribePattern = new RegExp(
  `^\\{"handle":${integer},"subscriber_worker":${integer},"subscriber_instance":"${uuid}"\\}$`,
);
const triggeredPattern = new RegExp(`^\\{"handle":${integer},"poisoned":null\\}$`);
const requestPattern = new RegExp(
  `^\\{"handle":${integer},"requester_worker":${integer},"requester_instance":"${uuid}",` +
    `"poisoned":null,"response_id":${integer}\\}$`,
);

/** `{"handle":u128,"subscriber_worker":u64,"subscriber_instance":"uuid"}`, integers bare. */
export function encodeSubscribe(subscription: EventSubscription): Uint8Array<ArrayBuffer> {
  return encodeUtf8(
    `{"handle":${subscription.handle},"subscriber_worker":${subscription.worker},` +
      `"subscriber_instance":"${subscription.instance}"}`,
  );
}

/** Decodes a subscription; `null` unless it has a handle and a subscriber. Never throws. */
export function decodeSubscribe(bytes: Uint8Array): EventSubscription | null {
  const source = decodeUtf8(bytes, 0, bytes.length);
  if (source === null) return null;
  const quick = subscribePattern.exec(source);
  if (quick !== null) {
    return identified(BigInt(quick[1]!), BigInt(quick[2]!), quick[3]!);
  }
  const json = objectOf(source);
  return json === null
    ? null
    : identified(json["handle"], json["subscriber_worker"], json["subscriber_instance"]);
}

/** `{"handle":u128,"poisoned":null | "reason"}`. */
export function encodeCompletion({ handle, poisoned }: EventCompletion): Uint8Array<ArrayBuffer> {
  return encodeUtf8(`{"handle":${handle},"poisoned":${poisoned === null ? "null" : jsonText(poisoned)}}`);
}

/** Decodes a completion; `null` unless it has a handle and an outcome. Never throws. */
export function decodeCompletion(bytes: Uint8Array): EventCompletion | null {
  const source = decodeUtf8(bytes, 0, bytes.length);
  if (source === null) return null;
  const quick = triggeredPattern.exec(source);
  if (quick !== null) return completion(BigInt(quick[1]!), null);
  const json = objectOf(source);
  return json === null ? null : completion(json["handle"], json["poisoned"] ?? null);
}

/**
 * `{"handle":u128,"requester_worker":u64,"requester_instance":"uuid","poisoned":null | "reason","response_id":u128 |
 * null}`.
 */
export function encodeCompletionRequest(request: EventCompletionRequest): Uint8Array<ArrayBuffer> {
  const { handle, worker, instance, poisoned, responseId } = request;
  return encodeUtf8(
    `{"handle":${handle},"requester_worker":${worker},"requester_instance":"${instance}",` +
      `"poisoned":${poisoned === null ? "null" : jsonText(poisoned)},"response_id":${responseId}}`,
  );
}

/** Decodes a request to complete; `null` unless it has a handle and a requester. Never throws. */
export function decodeCompletionRequest(bytes: Uint8Array): EventCompletionRequest | null {
  const source = decodeUtf8(bytes, 0, bytes.length);
  if (source === null) return null;
  const quick = requestPattern.exec(source);
  if (quick !== null) {
    const who = identified(BigInt(quick[1]!), BigInt(quick[2]!), quick[3]!);
    const id = integerBelow(BigInt(quick[4]!), limit);
    return who === null || id === null ? null : { ...who, poisoned: null, responseId: id };
  }
  const json = objectOf(source);
  if (json === null) return null;
  const who = identified(json["handle"], json["requester_worker"], json["requester_instance"]);
  const poisoned = json["poisoned"] ?? null;
  const asked = json["response_id"] ?? null;
  const responseId = asked === null ? null : integerBelow(asked, limit);
  if (who === null || (poisoned !== null && typeof poisoned !== "string")) return null;
  if (asked !== null && responseId === null) return null;
  return { ...who, poisoned, responseId };
}

function identified(handle: unknown, worker: unknown, instance: unknown): EventSubscription | null {
  const handleBits = integerBelow(handle, limit);
  const workerBits = integerBelow(worker, u64Limit);
  if (handleBits === null || workerBits === null || !isInstanceId(instance)) return null;
  return { handle: handleBits, worker: workerBits, instance };
}

function completion(handle: unknown, poisoned: unknown): EventCompletion | null {
  const bits = integerBelow(handle, limit);
  if (bits === null || (poisoned !== null && typeof poisoned !== "string")) return null;
  return { handle: bits, poisoned };
}

function objectOf(source: string): Record<string, unknown> | null {
  const json = parseControlJson(source);
  return typeof json === "object" && json !== null && !Array.isArray(json)
    ? json as Record<string, unknown>
    : null;
}

/** JSON of a text. A lone surrogate is not UTF-8 and would arrive changed. */
function jsonText(value: string): string {
  return JSON.stringify(value.toWellFormed());
}
