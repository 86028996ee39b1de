import { integerBelow, parseControlJson } from "../../wire/mod.ts";
import { handleOf, localOfHandle, type StreamHandle, workerOfHandle } from "./handle.ts";

/** Handler that attaches the sender of an anchor with one sender. */
export const attachHandler = "_anchor_attach";
/** Handler that undoes an attachment whose answer its sender could not use. */
export const abortAttachHandler = "_anchor_abort_attach";
/** Handler by which a sender leaves. */
export const detachHandler = "_anchor_detach";
/** Handler by which a sender ends an anchor. */
export const finalizeHandler = "_anchor_finalize";
/** Handler that removes an anchor. */
export const cancelHandler = "_anchor_cancel";
/** Handler that keeps anchors without a sender alive. */
export const renewHandler = "_anchor_renew";
/** Handler that attaches a sender to an anchor with many senders. */
export const attachManyHandler = "_mpsc_anchor_attach";
/** Handler by which one of many senders leaves. */
export const detachManyHandler = "_mpsc_anchor_detach";
/** Handler that removes an anchor with many senders. */
export const cancelManyHandler = "_mpsc_anchor_cancel";
/** Handler that tells a sender that its reader wants no more. */
export const cancelStreamHandler = "_stream_cancel";
/** Handler that asks a sender to finish. */
export const stopStreamHandler = "_stream_stop";

/** The transport of streams that this library has: records in messages, over the connection of the peers. */
export const muxTransport = "messenger-mux-v2";
/** Most anchors in one message of {@link renewHandler}. */
export const maxRenewals = 256;

const u64End = 1n << 64n;
const defaultHeartbeatMs = 5000;
const encoder = new TextEncoder();

/** A sender as its reader names it. */
export interface SenderName {
  /** The worker id of its instance. */
  readonly worker: bigint;
  /** Its number there. */
  readonly stream: bigint;
}

/** A sender asks to be attached. */
export interface AttachRequest {
  /** The anchor. */
  readonly handle: StreamHandle;
  /** The sender's own number for the attempt. */
  readonly session: bigint;
  /** The name for {@link cancelStreamHandler} and {@link stopStreamHandler}. */
  readonly sender: SenderName;
  /** The transports that the sender has. */
  readonly transports: readonly string[];
}

/** The terms of an attached sender. */
export interface AttachTerms {
  /** The transport that the reader has chosen. */
  readonly transport: string;
  /** Pause after which an idle sender shows that it lives. */
  readonly heartbeatMs: number;
  /** The session that the sender opens. */
  readonly session: bigint;
  /** Items that it may send before credit comes; 0 if the transport has no credit. */
  readonly items: number;
  /** Bytes that it may send before credit comes; 0 for the default. */
  readonly bytes: number;
  /** The sender's number at an anchor with many senders; null at others. */
  readonly senderId: bigint | null;
}

/** The reader's answer. */
export type AttachAnswer = { readonly terms: AttachTerms } | { readonly refused: string };

/** An anchor to keep alive. */
export interface Renewal {
  /** The anchor. */
  readonly handle: StreamHandle;
  /** The session that was bound for a sender who does not ask; null for none. */
  readonly session: bigint | null;
}

/** The request of {@link attachHandler} and {@link attachManyHandler}. */
export function encodeAttach({ handle, session, sender, transports }: AttachRequest): Uint8Array {
  return encoder.encode(
    `{"handle":${handleJson(handle)},"session_id":${session},"stream_cancel_handle":${
      senderJson(sender)
    },"supported_transport_keys":${JSON.stringify(transports)}}`,
  );
}

/** Decodes a request to be attached; null if a part is missing. Never throws. */
export function decodeAttach(bytes: Uint8Array): AttachRequest | null {
  const json = recordOf(parseControlJson(bytes));
  const handle = handleIn(json?.["handle"]);
  const session = u64(json?.["session_id"]);
  const sender = senderIn(json?.["stream_cancel_handle"]);
  const transports = json?.["supported_transport_keys"] ?? [];
  if (handle === null || session === null || sender === null || !isTexts(transports)) return null;
  return { handle, session, sender, transports };
}

/** The answer of {@link attachHandler} and {@link attachManyHandler}. */
export function encodeAttachAnswer(answer: AttachAnswer): Uint8Array {
  if ("refused" in answer) return encoder.encode(`{"Err":{"reason":${JSON.stringify(answer.refused)}}}`);
  const { transport, heartbeatMs, session, items, bytes, senderId } = answer.terms;
  return encoder.encode(
    `{"Ok":{"streaming_transport_key":${JSON.stringify(transport)},"heartbeat_interval_ms":${heartbeatMs},` +
      (senderId === null ? "" : `"sender_id":${senderId},`) +
      `"routing_session_id":${session},"initial_credit":${items},"slot_byte_budget":${bytes}}}`,
  );
}

/** Decodes an answer; null if it cannot be read. Never throws. */
export function decodeAttachAnswer(bytes: Uint8Array): AttachAnswer | null {
  const json = recordOf(parseControlJson(bytes));
  const reason = recordOf(json?.["Err"])?.["reason"];
  if (typeof reason === "string") return { refused: reason };
  const terms = termsIn(json?.["Ok"]);
  return terms === null ? null : { terms };
}

/** Reads terms, as an answer or a ticket of Velo has them; null if a part is missing or wrong. Never throws. */
export function termsIn(value: unknown): AttachTerms | null {
  const terms = recordOf(value);
  const transport = terms?.["streaming_transport_key"];
  const heartbeatMs = terms?.["heartbeat_interval_ms"] ?? defaultHeartbeatMs;
  const session = u64(terms?.["routing_session_id"] ?? 0);
  const items = terms?.["initial_credit"] ?? 0;
  const budget = terms?.["slot_byte_budget"] ?? 0;
  const senderId = u64(terms?.["sender_id"] ?? 0);
  if (typeof transport !== "string" || session === null || senderId === null) return null;
  if (!isSize(heartbeatMs) || !isSize(items) || !isSize(budget)) return null;
  return {
    transport,
    heartbeatMs,
    session,
    items,
    bytes: budget,
    senderId: terms?.["sender_id"] === undefined ? null : senderId,
  };
}

/** A request that only names an anchor: detach, finalize, cancel. */
export function encodeHandle(handle: StreamHandle): Uint8Array {
  return encoder.encode(`{"handle":${handleJson(handle)}}`);
}

/** Decodes a request that names an anchor; null if it does not. Never throws. */
export function decodeHandle(bytes: Uint8Array): StreamHandle | null {
  return handleIn(recordOf(parseControlJson(bytes))?.["handle"]);
}

/** The request of {@link abortAttachHandler}. */
export function encodeAbort(handle: StreamHandle, sender: SenderName): Uint8Array {
  return encoder.encode(`{"handle":${handleJson(handle)},"stream_cancel_handle":${senderJson(sender)}}`);
}

/** Decodes a request to undo an attachment; null if a part is missing. Never throws. */
export function decodeAbort(
  bytes: Uint8Array,
): { readonly handle: StreamHandle; readonly sender: SenderName } | null {
  const json = recordOf(parseControlJson(bytes));
  const handle = handleIn(json?.["handle"]);
  const sender = senderIn(json?.["stream_cancel_handle"]);
  return handle === null || sender === null ? null : { handle, sender };
}

/** The request of {@link detachManyHandler}. */
export function encodeDetachMany(handle: StreamHandle, senderId: bigint): Uint8Array {
  return encoder.encode(`{"handle":${handleJson(handle)},"sender_id":${senderId}}`);
}

/** Decodes the leaving of one of many senders; null if a part is missing. Never throws. */
export function decodeDetachMany(
  bytes: Uint8Array,
): { readonly handle: StreamHandle; readonly senderId: bigint } | null {
  const json = recordOf(parseControlJson(bytes));
  const handle = handleIn(json?.["handle"]);
  const senderId = u64(json?.["sender_id"]);
  return handle === null || senderId === null ? null : { handle, senderId };
}

/** The message of {@link cancelStreamHandler} and {@link stopStreamHandler}. */
export function encodeSenderMessage(stream: bigint): Uint8Array {
  return encoder.encode(`{"sender_stream_id":${stream}}`);
}

/** Decodes a message to a sender; null if it names none. Never throws. */
export function decodeSenderMessage(bytes: Uint8Array): bigint | null {
  return u64(recordOf(parseControlJson(bytes))?.["sender_stream_id"]);
}

/** The request of {@link renewHandler}. */
export function encodeRenewals(renewals: readonly Renewal[]): Uint8Array {
  const each = renewals.map(({ handle, session }) => `{"handle":${handleJson(handle)},"session":${session}}`);
  return encoder.encode(`[${each.join(",")}]`);
}

/** Decodes anchors to keep alive; null if one cannot be read, or there are more than {@link maxRenewals}. Never throws. */
export function decodeRenewals(bytes: Uint8Array): readonly Renewal[] | null {
  const json = parseControlJson(bytes);
  if (!Array.isArray(json) || json.length > maxRenewals) return null;
  const renewals: Renewal[] = [];
  for (const one of json as readonly unknown[]) {
    const record = recordOf(one);
    const handle = handleIn(record?.["handle"]);
    const given = record?.["session"] ?? null;
    const session = given === null ? null : u64(given);
    if (handle === null || (given !== null && session === null)) return null;
    renewals.push({ handle, session });
  }
  return renewals;
}

/** The answer `null` of a handler that only confirms. */
export const confirmed: Uint8Array = encoder.encode("null");

function handleJson(handle: StreamHandle): string {
  return `{"hi":${workerOfHandle(handle)},"lo":${localOfHandle(handle)}}`;
}

function senderJson({ worker, stream }: SenderName): string {
  return `{"hi":${worker},"lo":${stream}}`;
}

function pairIn(value: unknown): { readonly hi: bigint; readonly lo: bigint } | null {
  const record = recordOf(value);
  const hi = u64(record?.["hi"]);
  const lo = u64(record?.["lo"]);
  return hi === null || lo === null ? null : { hi, lo };
}

function handleIn(value: unknown): StreamHandle | null {
  const pair = pairIn(value);
  return pair === null ? null : handleOf(pair.hi, pair.lo);
}

function senderIn(value: unknown): SenderName | null {
  const pair = pairIn(value);
  return pair === null ? null : { worker: pair.hi, stream: pair.lo };
}

function u64(value: unknown): bigint | null {
  return integerBelow(value, u64End);
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Readonly<Record<string, unknown>>
    : null;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
