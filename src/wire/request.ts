import { isSystemName, ZeromeshError } from "../core/mod.ts";
import { copyBytes } from "./bytes.ts";
import type { DropReason } from "./frame.ts";
import { maxHeadersBytes } from "./headers.ts";
import type { NameCache } from "./names.ts";
import { readResponseId, type ResponseId, writeResponseId } from "./response_id.ts";
import { encodeUtf8 } from "./utf8.ts";

/** The reply that a request's caller awaits: none, an ack when the handler has finished, or its result. */
export const ResponseKind = { fire: 0, ack: 1, unary: 2 } as const;

/** One of the values of {@link ResponseKind}: the second byte of a request header. */
export type ResponseKind = 0 | 1 | 2;

/**
 * Flag beside the {@link ResponseKind} for a caller whose contract has no answer, towards peers with feature `kind`: a
 * handler with an answer then does not run.
 */
export const withoutAnswer = 0x80;

/**
 * Flag beside {@link ResponseKind}.fire for a message to a system handler that used credit, towards peers with feature
 * `admission`. Messages to users' handlers always use credit.
 */
export const withCredit = 0x40;

/** The version byte every request header starts with. */
export const requestSchemaVersion = 1;

/** Longest handler name in UTF-8 bytes, the range of its u16 length. */
export const maxNameBytes = 0xffff;

/** Version, kind, response id and both length fields; name and header map are added. */
const fixedBytes = 22;

/**
 * A request header, decoded in place; one object serves every message.
 *
 * Layout, little-endian:
 *
 * | offset | bytes | content |
 * |---|---|---|
 * | 0 | 1 | schema version, 1 |
 * | 1 | 1 | {@link ResponseKind}, {@link withoutAnswer} and {@link withCredit} |
 * | 2 | 16 | {@link ResponseId} |
 * | 18 | 2 | length n of the handler name, 1 to 65 535 |
 * | 20 | n | handler name, UTF-8 |
 * | 20 + n | 2 | length h of the header map, 0 to 16 384 |
 * | 22 + n | h | header map, see {@link encodeHeaders} |
 *
 * No header map (h = 0) and an empty one (h = 1, byte `80`) are both valid. Bytes after the map are ignored. A message
 * of type `shuttingDown` carries the header of the request it refuses.
 *
 * @see ARCHITECTURE.md, "Wire"; Velo 0.9.0 and 0.21.0 use the same bytes
 */
export class RequestHeader implements ResponseId {
  /** The awaited reply. */
  kind: ResponseKind = 0;
  /** The second byte: {@link kind}, with {@link withoutAnswer} and {@link withCredit}. */
  said = 0;
  /** Low half of the requester's worker id. */
  id0 = 0;
  /** High half of the requester's worker id. */
  id1 = 0;
  /** Slot, and the lowest 16 bits of the generation. */
  id2 = 0;
  /** Upper 32 bits of the generation. */
  id3 = 0;
  /** The handler's name. */
  name = "";
  /** Offset of the header map in the decoded bytes. */
  headersStart = 0;
  /** Offset behind it; equal to `headersStart` without a map. */
  headersEnd = 0;
  /** The offset behind the header; bytes from here on were ignored. */
  end = 0;

  /** Whether it is for a system handler. */
  get system(): boolean {
    return isSystemName(this.name);
  }

  /** Whether the caller's contract has no answer. */
  get am(): boolean {
    return this.said >= withoutAnswer;
  }

  /** Whether it used credit although it is for a system handler. */
  get credited(): boolean {
    return (this.said & withCredit) !== 0;
  }

  /** Whether it has used up credit. */
  get usesCredit(): boolean {
    return this.kind === ResponseKind.fire && (this.credited || !this.system);
  }
}

/**
 * Decodes the request header in `bytes[start..end)` into `out`. Never throws.
 *
 * The header map is delimited and its size checked, but not decoded: {@link decodeHeaders} does that on demand. When a
 * reason is returned, `out` is unspecified.
 *
 * @param bytes The header frame, or a buffer with it. Not retained.
 * @param view A view with the same offsets as `bytes`.
 * @param start Offset of the first byte.
 * @param end Offset behind the last byte.
 * @param out Written in place.
 * @param names Cache of known names.
 * @returns `null`, or why the message is dropped.
 */
export function decodeRequest(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  out: RequestHeader,
  names: NameCache,
): DropReason | null {
  if (end - start < fixedBytes || end > bytes.length) return "headerTruncated";
  if (bytes[start] !== requestSchemaVersion) return "schemaVersion";
  const said = bytes[start + 1] as number;
  const kind = said & 0x3f;
  // A caller that awaits a result has a contract with an answer, and only a message without an answer uses credit.
  if (said < withCredit) {
    if (kind > ResponseKind.unary) return "responseType";
  } else if (kind > ((said & withCredit) === 0 ? ResponseKind.ack : ResponseKind.fire)) return "responseType";
  readResponseId(view, start + 2, out);
  const nameBytes = view.getUint16(start + 18, true);
  if (nameBytes === 0) return "nameEmpty";
  const nameEnd = start + 20 + nameBytes;
  const headersStart = nameEnd + 2;
  if (headersStart > end) return "headerTruncated";
  const headerBytes = view.getUint16(nameEnd, true);
  if (headerBytes > maxHeadersBytes) return "headersTooLarge";
  const headersEnd = headersStart + headerBytes;
  if (headersEnd > end) return "headerTruncated";
  const name = names.decode(bytes, start + 20, nameEnd);
  if (name === null) return "nameEncoding";
  out.kind = kind as ResponseKind;
  out.said = said;
  out.name = name;
  out.headersStart = headersStart;
  out.headersEnd = headersEnd;
  out.end = headersEnd;
  return null;
}

/** Bytes of a request header with a name and a header map of these sizes (0 for no map). */
export function requestSize(nameBytes: number, headerBytes: number): number {
  return fixedBytes + nameBytes + headerBytes;
}

/**
 * Writes a request header at `at`; the layout is at {@link RequestHeader}.
 *
 * @param into Has room for {@link requestSize} bytes from `at` on.
 * @param view A view with the same offsets as `into`.
 * @param at Offset of the first byte.
 * @param kind The awaited reply, with {@link withoutAnswer} and {@link withCredit}.
 * @param id The response id; fire-and-forget carries one too, since it holds the sender's worker id.
 * @param name Encoded by {@link validateHandlerName} or {@link NameCache}.
 * @param headers Encoded by {@link encodeHeaders}, or `null` for no map.
 * @returns The offset behind the last byte written.
 */
export function encodeRequest(
  into: Uint8Array,
  view: DataView,
  at: number,
  kind: number,
  id: ResponseId,
  name: Uint8Array,
  headers: Uint8Array | null,
): number {
  into[at] = requestSchemaVersion;
  into[at + 1] = kind;
  writeResponseId(view, at + 2, id);
  view.setUint16(at + 18, name.length, true);
  const nameEnd = copyBytes(into, at + 20, name, name.length);
  if (headers === null) {
    view.setUint16(nameEnd, 0, true);
    return nameEnd + 2;
  }
  view.setUint16(nameEnd, headers.length, true);
  return copyBytes(into, nameEnd + 2, headers, headers.length);
}

/** Options of {@link validateHandlerName}. */
export interface HandlerNameOptions {
  /** Whether a leading `_`, reserved for the library, is allowed. @default {false} */
  system?: boolean | undefined;
}

/**
 * Checks a handler name and returns its UTF-8 bytes: 1 to 65 535 of them.
 *
 * @throws {ZeromeshError} `NAME_INVALID` if the name is empty, too long, not well-formed text, or starts with `_`
 * without `system`.
 */
export function validateHandlerName(name: string, options: HandlerNameOptions = {}): Uint8Array {
  if (typeof name !== "string" || name === "") throw invalidName(String(name), "it is empty");
  if (isSystemName(name) && options.system !== true) {
    throw invalidName(name, "names that start with '_' belong to the library");
  }
  if (!name.isWellFormed()) throw invalidName(name, "it holds a lone surrogate");
  const bytes = encodeUtf8(name);
  if (bytes.length > maxNameBytes) {
    throw invalidName(name, `it has ${bytes.length} bytes, more than ${maxNameBytes}`);
  }
  return bytes;
}

function invalidName(name: string, why: string): ZeromeshError {
  const shown = name.length > 64 ? `${name.slice(0, 64).toWellFormed()}…` : name.toWellFormed();
  return new ZeromeshError("NAME_INVALID", `Cannot use ${JSON.stringify(shown)} as a handler name: ${why}`, {
    handler: shown,
  });
}
