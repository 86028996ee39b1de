import {
  type Clock,
  type Contract,
  describeIssues,
  type ErrorCode,
  errorText,
  type InstanceId,
  isInstanceId,
  issuePath,
  type SchemaIssue,
  type UnaryContract,
  validate,
  validateArrived,
  ZeromeshError,
} from "../../core/mod.ts";
import { copyBytes } from "../../transport/mod.ts";
import {
  borrowHeaders,
  decodePayload,
  encodePayload,
  isSystemHeader,
  maxHeaderValueBytes,
  maxMetadataBytes,
  metadataBytesHeader,
  metadataHeader,
  type PayloadEncoding,
  type ResponseId,
  ResponseKind,
  stringifyJson,
} from "../../wire/mod.ts";
import type { CallOptions } from "./caller.ts";
import type { CallCompanion } from "./companion.ts";
import { payloadLimit } from "./payload_limit.ts";
import type { Accept, Outcome } from "./outcome.ts";
import type { PendingCall } from "./pending.ts";
import type { SendCredit } from "../credit/send_credit.ts";
import type { Session } from "../peers/peer.ts";

const nothing = new Uint8Array(new ArrayBuffer(0));

/** A request without a connection. */
export interface Request {
  /** The awaited reply. */
  readonly kind: ResponseKind;
  /** The handler's name. */
  readonly name: Uint8Array;
  /** Whether it is a system handler. */
  readonly system: boolean;
  /** Whether a system handler has the admission of a user's. */
  readonly admitted?: boolean;
  /** The payload. */
  payload: Uint8Array;
  /** Whether the payload cannot be changed by others. */
  owned: boolean;
  /** Whether it waits for room, having its credit. */
  waits?: boolean;
  /** The caller's headers. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Bytes of metadata before the payload; undefined for none. */
  metadata?: number;
  /** Encoding of the payload. */
  readonly encoding: PayloadEncoding;
  /** Whether its contract has no answer. */
  readonly am?: boolean;
  /** A feature's part of it. */
  readonly companion?: CallCompanion | undefined;
  /** Makes the borrowed payload of a message that is confirmed under an id in it. */
  readonly confirm?: ((id: ResponseId) => Uint8Array) | undefined;
}

/** The parts of a call by contract besides the payload. */
export interface Envelope extends Pick<Request, "name" | "headers"> {
  /** The caller's metadata, encoded. */
  readonly metadata: Uint8Array | null;
  /** Whether it is a system contract. */
  readonly system?: boolean;
}

/** Milliseconds left to a call. */
export function remaining(call: PendingCall, clock: Clock): number {
  if (call.allottedMs === Infinity) return Infinity;
  // A call sent at once has all its time, and reading the clock costs as much as an FFI call.
  return call.waited ? Math.max(0, call.dueAt - clock.now()) : call.allottedMs;
}

/** Copies a request's payload, which its caller may change while it waits. */
export function ownPayload(request: Request): void {
  if (request.owned) return;
  request.payload = copyBytes(request.payload);
  request.owned = true;
}

/** Accepts an answer as bytes. */
export function keepBytes(outcome: Outcome): Uint8Array {
  return outcome.keep();
}

/** Accepts answers as a contract's output. */
export function readerOf(contract: UnaryContract, to: InstanceId): Accept {
  return (outcome, session) => readResult(contract, to, outcome, session);
}

function readResult(
  contract: UnaryContract,
  to: InstanceId,
  outcome: Outcome,
  session: Session | null,
): unknown {
  const decoded = decodePayload(outcome.payload, contract.encoding);
  const fail = (why: string, cause?: unknown) =>
    new ZeromeshError(
      "RESULT_INVALID",
      `Result of "${contract.name}" from ${session?.who ?? to} is invalid: ${why}`,
      {
        peer: to,
        handler: contract.name,
        ran: "yes",
        ...(cause === undefined ? {} : { cause }),
      },
    );
  if (decoded.error !== undefined) throw fail(decoded.error);
  const { value } = decoded;
  return validateArrived(
    contract.output,
    value,
    session?.dialect.hasUndefined !== true,
    (issues, cause) => fail(describeIssues(issues), cause),
  );
}

/** Whether a contract declares errors. */
export function declaresErrors({ errors }: Contract): boolean {
  for (const _code in errors) return true;
  return false;
}

/**
 * Reads the details of a declared failure.
 *
 * @throws The failure, or `RESULT_INVALID` when its details do not fit their schema.
 */
export async function readFailure(
  contract: Contract,
  failure: unknown,
  textOf: (peer: InstanceId) => string,
): Promise<never> {
  if (!(failure instanceof ZeromeshError) || failure.ran !== "yes") throw failure;
  const { code, peer, details } = failure;
  const schema = Object.hasOwn(contract.errors, code) ? contract.errors[code] : null;
  if (schema === null || schema === undefined) throw failure;
  const value = await validate(schema, details, (issues) => {
    const from = peer === undefined ? "" : ` from ${textOf(peer as InstanceId)}`;
    const why = `Details of ${code} of "${contract.name}"${from} are invalid: ${describeIssues(issues)}`;
    return new ZeromeshError("RESULT_INVALID", why, {
      cause: failure,
      peer,
      handler: contract.name,
      ran: "yes",
    });
  });
  // The same error object, since its stack shows the call.
  throw Object.assign(failure, { details: value });
}

/** The payload of a call by name, as bytes. */
export function rawPayload(handler: string, options: CallOptions): Uint8Array {
  const { payload, rawPayload } = options;
  if (rawPayload !== undefined) {
    if (payload !== undefined) {
      throw new TypeError(`Cannot call "${handler}" with both payload and rawPayload`);
    }
    return rawPayload;
  }
  if (payload === undefined) return nothing;
  return encodeInput(handler, options.to, payload, "json");
}

/**
 * Encodes a call's payload.
 *
 * @throws {ZeromeshError} `ENCODING_FAILED`, with the path of the value that cannot be encoded.
 */
export function encodeInput(
  handler: string,
  to: unknown,
  value: unknown,
  encoding: PayloadEncoding,
): Uint8Array {
  try {
    return encodePayload(value, encoding);
  } catch (error) {
    const { cause, details } = error as ZeromeshError;
    throw new ZeromeshError(
      "ENCODING_FAILED",
      `Payload of "${handler}" cannot be encoded: ${errorText(cause)}`,
      {
        cause,
        peer: typeof to === "string" ? to : undefined,
        handler,
        details,
      },
    );
  }
}

/** The headers of a call, with its metadata or the metadata's length. */
export function headersOf(
  handler: string,
  headers: Readonly<Record<string, string>> | undefined,
  metadata: Uint8Array | null,
): Readonly<Record<string, string>> | undefined {
  checkHeaders(handler, headers);
  if (metadata === null) return headers;
  const said = metadata.length > maxHeaderValueBytes
    ? { [metadataBytesHeader]: String(metadata.length) }
    : { [metadataHeader]: new TextDecoder().decode(metadata) };
  const all = { ...headers, ...said };
  borrowHeaders(all); // throws if they are too large
  return all;
}

/**
 * Encodes a call's metadata.
 *
 * @throws {ZeromeshError} `ENCODING_FAILED`; `HEADERS_TOO_LARGE` above {@link maxMetadataBytes}.
 */
export function encodeMetadata(handler: string, metadata: unknown): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new TextEncoder().encode(stringifyJson(metadata));
  } catch (cause) {
    const why = `Metadata of "${handler}" cannot be encoded: ${errorText(cause)}`;
    throw new ZeromeshError("ENCODING_FAILED", why, { cause, handler });
  }
  if (bytes.length > maxMetadataBytes) {
    throw metadataTooLarge(handler, null, bytes.length, maxMetadataBytes);
  }
  return bytes;
}

/** Puts metadata that exceeds a header before the payload. */
export function addMetadata(request: Request, metadata: Uint8Array): void {
  if (metadata.length <= maxHeaderValueBytes) return;
  const all = new Uint8Array(metadata.length + request.payload.length);
  all.set(metadata);
  all.set(request.payload, metadata.length);
  request.payload = all;
  request.owned = true;
  request.metadata = metadata.length;
}

function metadataTooLarge(
  handler: string,
  session: Session | null,
  bytes: number,
  limit: number,
): ZeromeshError {
  const whose = session === null ? "are allowed" : `${session.who} takes (it lacks feature metadata)`;
  const peer = session?.peer?.instanceId;
  return new ZeromeshError(
    "HEADERS_TOO_LARGE",
    `Cannot call "${handler}": its metadata has ${bytes} bytes of JSON, more than the ${limit} that ${whose}`,
    { peer, handler, details: { bytes, limit } },
  );
}

/** Refuses headers that are reserved, too many or too large. */
export function checkHeaders(handler: string, headers: Readonly<Record<string, string>> | undefined): void {
  if (headers === undefined) return;
  for (const key of Object.keys(headers)) {
    if (!isSystemHeader(key)) continue;
    throw new ZeromeshError(
      "NAME_INVALID",
      `Cannot call "${handler}" with header "${key}": names that start with "_" belong to the library`,
      { handler },
    );
  }
  borrowHeaders(headers); // throws before other work
}

/** The error of an unknown id. */
export function unknownPeer(handler: string, to: unknown): Error {
  if (typeof to !== "string") return new TypeError(`Cannot call "${handler}": "to" must be an instance id`);
  const hint = isInstanceId(to) ? "connect to it or register it first" : "it is not an instance id";
  const message = `Cannot call "${handler}": this instance knows no peer ${to}; ${hint}`;
  return new ZeromeshError("PEER_UNKNOWN", message, { peer: to, handler });
}

/** The error of a payload that fails its schema. */
export function payloadInvalid(
  contract: Contract,
  to: InstanceId,
  issues: readonly SchemaIssue[],
  cause?: unknown,
): ZeromeshError {
  return new ZeromeshError(
    "PAYLOAD_INVALID",
    `Payload of "${contract.name}" is invalid: ${describeIssues(issues)}`,
    {
      peer: to,
      handler: contract.name,
      details: issues.map((issue) => ({ path: issuePath(issue), message: issue.message })),
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

function unsent(
  code: ErrorCode,
  handler: string,
  { peer }: Session,
  why: string,
  details?: object,
): ZeromeshError {
  const about = { peer: peer?.instanceId, handler, details };
  return new ZeromeshError(code, `Cannot call "${handler}": ${why}`, about);
}

/** The error of a connection lost before sending. */
export function lostBeforeSending(handler: string, session: Session): ZeromeshError {
  const why = `the connection to ${session.who} was lost before it was sent`;
  return unsent("PEER_DISCONNECTED", handler, session, why);
}

/** The error of a full queue. */
export function queueFull(handler: string, session: Session): ZeromeshError {
  const { who, link: { queuedMessages, queuedBytes } } = session;
  const full = `the queue of ${who} is full (${queuedMessages} messages, ${queuedBytes} bytes)`;
  const why = `${full}; it reads too slowly: send less, or wait (overflow: "wait")`;
  return unsent("QUEUE_FULL", handler, session, why);
}

/** The error of used-up credit. */
export function creditUsedUp(handler: string, session: Session): ZeromeshError {
  const { count, bytes } = session.credit!.window.spent;
  const why =
    `${session.who} takes no more messages before its handlers have finished earlier ones; send less, or wait ` +
    '(overflow: "wait")';
  return unsent("QUEUE_FULL", handler, session, why, { sentMessages: count, sentBytes: bytes });
}

/** The error of too many waiting sends. */
export function tooManyWait(handler: string, session: Session): ZeromeshError {
  const why =
    `the limit of sends to ${session.who} that wait is reached (maxWaitingSends, maxWaitingBytes); await the ` +
    "promises of amSend before you send more";
  return unsent("QUEUE_FULL", handler, session, why);
}

/** The credit that a request needs: if it has no answer, and its handler the admission of a user's. */
export function creditFor(request: Request, session: Session): SendCredit | null {
  if (request.kind !== ResponseKind.fire) return null;
  if (request.system && !(request.admitted === true && session.admission)) return null;
  return session.credit;
}

/** Refuses a payload above `maxPayloadBytes` of this instance or, with a session, of its other end. */
export function checkPayload(
  handler: string,
  { system, payload: { length: bytes } }: Request,
  maxPayloadBytes: number,
  peer: string | undefined,
  session: Session | null = null,
): void {
  const limit = payloadLimit(system, maxPayloadBytes);
  if (bytes <= limit) return;
  const whose = `maxPayloadBytes${session === null ? "" : ` of ${session.who}`} (${limit})`;
  const message = `Cannot call "${handler}": the payload has ${bytes} bytes, more than ${whose}`;
  throw new ZeromeshError("PAYLOAD_TOO_LARGE", message, { peer, handler, details: { bytes, limit } });
}

/** Refuses metadata that the peer cannot read, and a payload for which it would cut the connection. */
export function checkPeerLimit(handler: string, request: Request, session: Session): void {
  if (request.metadata !== undefined && !session.metadata) {
    throw metadataTooLarge(handler, session, request.metadata, maxHeaderValueBytes);
  }
  checkPayload(handler, request, session.maxPayloadBytes, session.peer?.instanceId, session);
}
