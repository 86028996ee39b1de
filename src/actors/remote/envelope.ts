import { ZeromeshError } from "../../core/mod.ts";
import { decodeHeaders, encodeHeaders, encodeUtf8, type NameCache } from "../../wire/mod.ts";
import { noChain, noHeaders } from "../cell/origin.ts";
import { type ValueEncoding, valueEncodings } from "../contract/values.ts";

/** The most bytes of a message's name. */
export const maxMessageNameBytes = 255;
/** The most handlers that may wait for each other in one chain of asks. */
export const maxChainLength = 64;

const targetIsId = 1;
const hasSender = 2;
const hasHeaders = 4;
const hasChain = 16;
const encodingShift = 5;
const unknownFlags = 0x88;

const idBytes = 16;
/** Bytes of a link of the chain: actor, instance, turn. */
const linkBytes = 36;

/** What a message for an actor of another instance carries besides its value. */
export interface EnvelopeParts {
  /** The actor's id or name. */
  readonly target: string;
  /** The message's name. */
  readonly name: string;
  /** How the value is encoded. */
  readonly encoding: ValueEncoding;
  /** The actor that sent it, an id or an address by id; null for others. Its instance is the connection's. */
  readonly sender: string | null;
  /** Headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** The handlers that wait for this message, outermost first, as `id@instance#turn`. */
  readonly chain: readonly string[];
}

/** A received {@link EnvelopeParts}, decoded in place. */
export class Envelope implements EnvelopeParts {
  target = "";
  name = "";
  encoding: ValueEncoding = "json";
  sender: string | null = null;
  headers: Readonly<Record<string, string>> = noHeaders;
  chain: readonly string[] = noChain;
  /** Where the value begins. */
  valueAt = 0;
}

const nothing = new Uint8Array(new ArrayBuffer(0));
const encoder = new TextEncoder();

// Memory for messages that are copied on their way; larger ones get their own.
const scratchBytes = 2 * 1024 * 1024;

/**
 * Encodes messages for actors.
 *
 * | bytes | content |
 * |---|---|
 * | 1 | flags: 1 the target is an id, 2 sender, 4 headers, 16 chain; 32 and 64 the encoding of the value (0 JSON, 1 MessagePack, 2 bytes) |
 * | 16, or 1 and so many | the target: an id, or the length of a name and the name |
 * | 1 and so many | length of the message's name, and the name, UTF-8 |
 * | 16 | with flag 2: id of the actor that sent it |
 * | 2 and so many | with flag 4: length of the headers, little-endian, and the headers as in a request |
 * | 1 and 36 each | with flag 16: number of links of the chain of asks; of each the ids of actor and instance, and the number of the turn, little-endian |
 * | rest | the value |
 *
 * Ids are 16 bytes in RFC 9562 order.
 */
export class EnvelopeWriter {
  readonly #names: NameCache;
  #scratch: Uint8Array = nothing;
  // The envelope at the start of the memory, if it can be used again. Most messages have that of the last one.
  #known = false;
  #sender: string | null = null;
  #target = "";
  #name = "";
  #encoding: ValueEncoding = "json";
  #valueAt = 0;
  // Views of the last message: a view costs as much as the rest.
  #rest: Uint8Array = nothing;
  #view: Uint8Array = nothing;
  /** Whether the last message is in memory that the next one overwrites. */
  borrowed = false;

  constructor(names: NameCache) {
    this.#names = names;
  }

  /**
   * Writes a message; the result may be valid only until the next one ({@link borrowed}).
   *
   * @param value The encoded value, which is copied, or its text.
   * @throws {ZeromeshError} `NAME_INVALID`, `HEADERS_TOO_LARGE`, `LIMIT_REACHED`.
   */
  write(
    target: string,
    name: string,
    encoding: ValueEncoding,
    origin: Carried,
    value: Uint8Array | string,
  ): Uint8Array {
    if (typeof value === "string" && 3 * value.length > scratchBytes) value = encodeUtf8(value);
    // A unit of text takes at most three bytes.
    const most = typeof value === "string" ? 3 * value.length : value.length;
    const again = this.#known && target === this.#target && name === this.#name &&
      origin.sender === this.#sender && encoding === this.#encoding && carriesNothing(origin) &&
      this.#valueAt + most <= this.#scratch.length;
    const bytes = again ? this.#scratch : this.#begin(target, name, encoding, origin, most);
    const valueAt = this.#valueAt;
    let size = valueAt + most;
    if (typeof value !== "string") bytes.set(value, valueAt);
    else {
      if (this.#rest.length === 0) this.#rest = bytes.subarray(valueAt);
      size = valueAt + encoder.encodeInto(value, this.#rest).written;
    }
    if (bytes.length === size) return bytes;
    return this.#view.length === size ? this.#view : this.#view = bytes.subarray(0, size);
  }

  /** Writes the envelope. Returns the memory. */
  #begin(
    target: string,
    name: string,
    encoding: ValueEncoding,
    origin: Carried,
    most: number,
  ): Uint8Array {
    const { sender, headers, chain } = origin;
    const names = this.#names;
    const id = isId(target);
    const targetBytes = id ? nothing : names.encode(target);
    const nameBytes = names.encode(name);
    if (targetBytes.length > 255) throw tooLong("an actor's name", target, 255);
    if (nameBytes.length > maxMessageNameBytes) {
      throw tooLong("the name of a message", name, maxMessageNameBytes);
    }
    const plain = carriesNothing(origin);
    const rest = plain && sender === null ? null : restOf(name, sender, headers, chain);
    const valueAt = 2 + nameBytes.length + (id ? idBytes : 1 + targetBytes.length) + (rest?.size ?? 0);
    const bytes = this.#memory(valueAt + most);
    bytes[0] = (id ? targetIsId : 0) | (rest?.flags ?? 0) |
      (valueEncodings.indexOf(encoding) << encodingShift);
    let at = id ? writeId(bytes, 1, target, 0) : writeShort(bytes, 1, targetBytes);
    at = writeShort(bytes, at, nameBytes);
    if (rest !== null) writeRest(bytes, at, rest);
    this.#known = plain && this.borrowed;
    this.#sender = sender;
    this.#target = target;
    this.#name = name;
    this.#encoding = encoding;
    this.#valueAt = valueAt;
    this.#rest = nothing;
    return bytes;
  }

  #memory(size: number): Uint8Array {
    this.borrowed = size <= scratchBytes;
    if (!this.borrowed) {
      this.#view = nothing;
      return new Uint8Array(size);
    }
    if (this.#scratch.length < size) {
      this.#view = nothing;
      this.#scratch = new Uint8Array(Math.max(1024, 2 ** Math.ceil(Math.log2(size))));
    }
    return this.#scratch;
  }
}

/** What few messages carry. */
type Carried = Pick<EnvelopeParts, "sender" | "headers" | "chain">;

function carriesNothing({ headers, chain }: Carried): boolean {
  return chain.length === 0 && (headers === noHeaders || isEmpty(headers));
}

interface Rest {
  readonly flags: number;
  readonly size: number;
  readonly sender: string | null;
  readonly headers: Uint8Array;
  readonly chain: readonly string[];
}

function restOf(
  name: string,
  sender: string | null,
  given: EnvelopeParts["headers"],
  chain: readonly string[],
): Rest {
  if (chain.length > maxChainLength) throw tooDeep(name);
  const headers = isEmpty(given) ? nothing : encodeHeaders(given);
  const flags = (sender === null ? 0 : hasSender) | (headers.length === 0 ? 0 : hasHeaders) |
    (chain.length === 0 ? 0 : hasChain);
  const size = (sender === null ? 0 : idBytes) + (headers.length === 0 ? 0 : 2 + headers.length) +
    (chain.length === 0 ? 0 : 1 + chain.length * linkBytes);
  return { flags, size, sender, headers, chain };
}

function writeRest(bytes: Uint8Array, at: number, { sender, headers, chain }: Rest): void {
  if (sender !== null) at = writeId(bytes, at, sender, 0);
  if (headers.length > 0) {
    bytes[at] = headers.length & 0xff;
    bytes[at + 1] = headers.length >> 8;
    bytes.set(headers, at + 2);
    at += 2 + headers.length;
  }
  if (chain.length > 0) {
    bytes[at++] = chain.length;
    for (const link of chain) at = writeLink(bytes, at, link);
  }
}

/**
 * Decodes `bytes[start..end)` into `out`. Never throws.
 *
 * @returns Null, or why it is no message for an actor.
 */
export function decodeEnvelope(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Envelope,
  names: NameCache,
): string | null {
  if (start >= end || end > bytes.length) return "it is empty";
  const flags = bytes[start]!;
  const encoding = valueEncodings[(flags >> encodingShift) & 3];
  if ((flags & unknownFlags) !== 0 || encoding === undefined) return "its flags are unknown";
  out.encoding = encoding;
  let at = start + 1;
  if ((flags & targetIsId) !== 0) {
    if (at + idBytes > end) return cutOff;
    out.target = readId(bytes, at);
    at += idBytes;
  } else {
    const stop = shortEnd(bytes, at, end);
    if (stop <= at + 1) return stop < 0 ? cutOff : "its target is empty";
    const target = names.decode(bytes, at + 1, stop);
    if (target === null) return notUtf8;
    out.target = target;
    at = stop;
  }
  const stop = shortEnd(bytes, at, end);
  if (stop < 0) return cutOff;
  const name = names.decode(bytes, at + 1, stop);
  if (name === null) return notUtf8;
  out.name = name;
  at = stop;
  out.sender = null;
  out.headers = noHeaders;
  out.chain = noChain;
  if ((flags & ~(targetIsId | (3 << encodingShift))) !== 0) return decodeRest(bytes, at, end, flags, out);
  out.valueAt = at;
  return null;
}

/** The parts that few messages have. */
function decodeRest(bytes: Uint8Array, at: number, end: number, flags: number, out: Envelope): string | null {
  if ((flags & hasSender) !== 0) {
    if (at + idBytes > end) return cutOff;
    out.sender = readId(bytes, at);
    at += idBytes;
  }
  if ((flags & hasHeaders) !== 0) {
    if (at + 2 > end) return cutOff;
    const stop = at + 2 + (bytes[at]! | (bytes[at + 1]! << 8));
    if (stop > end) return cutOff;
    const headers = decodeHeaders(bytes, at + 2, stop);
    if (typeof headers === "string") return "its headers cannot be read";
    out.headers = Object.freeze(headers);
    at = stop;
  }
  if ((flags & hasChain) !== 0) {
    const count = at < end ? bytes[at]! : 0;
    if (count === 0 || count > maxChainLength) return "its chain of asks has a wrong length";
    if (at + 1 + count * linkBytes > end) return cutOff;
    const chain: string[] = [];
    for (at++; chain.length < count; at += linkBytes) chain.push(readLink(bytes, at));
    out.chain = chain;
  }
  out.valueAt = at;
  return null;
}

const cutOff = "it is cut off";
const notUtf8 = "a name is not UTF-8";

function isEmpty(headers: Readonly<Record<string, string>>): boolean {
  for (const _name in headers) return false;
  return true;
}

function tooLong(what: string, text: string, limit: number): ZeromeshError {
  const short = JSON.stringify(text.slice(0, 40));
  return new ZeromeshError(
    "NAME_INVALID",
    `Cannot send to an actor: ${what} is longer than ${limit} bytes: ${short}`,
  );
}

function tooDeep(name: string): ZeromeshError {
  return new ZeromeshError(
    "LIMIT_REACHED",
    `Cannot ask "${name}": ${maxChainLength} handlers already wait for each other; defer an answer (ctx.defer)`,
    { handler: name },
  );
}

/** Whether a target is an id: names have no such form. */
function isId(target: string): boolean {
  return target.length === 36 && idPattern.test(target);
}

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function writeShort(bytes: Uint8Array, at: number, text: Uint8Array): number {
  bytes[at++] = text.length;
  for (let i = 0; i < text.length; i++) bytes[at++] = text[i]!;
  return at;
}

/** The end of a text whose length is the byte at `at`; −1 if there is less. */
function shortEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const stop = at + 1 + bytes[at]!;
  return stop > end ? -1 : stop;
}

// The value of each hexadecimal digit by its character code.
const digits = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) digits[digit.toString(16).charCodeAt(0)] = digit;

// The text of each byte.
const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Writes the id whose text begins at `from`. */
function writeId(bytes: Uint8Array, at: number, text: string, from: number): number {
  for (let i = 0; i < idBytes; i++, from += 2) {
    // A hyphen stands before these bytes.
    if (i === 4 || i === 6 || i === 8 || i === 10) from++;
    bytes[at++] = (digits[text.charCodeAt(from) & 0x7f]! << 4) | digits[text.charCodeAt(from + 1) & 0x7f]!;
  }
  return at;
}

function readId(bytes: Uint8Array, at: number): string {
  const b = (offset: number): string => pairs[bytes[at + offset]!]!;
  return `${b(0)}${b(1)}${b(2)}${b(3)}-${b(4)}${b(5)}-${b(6)}${b(7)}-${b(8)}${b(9)}-${b(10)}${b(11)}${b(12)}${
    b(13)
  }${b(14)}${b(15)}`;
}

const idChars = 36;

function writeLink(bytes: Uint8Array, at: number, link: string): number {
  at = writeId(bytes, at, link, 0);
  at = writeId(bytes, at, link, idChars + 1);
  let turn = Number(link.slice(2 * idChars + 2)) >>> 0;
  for (let i = 0; i < 4; i++, turn >>>= 8) bytes[at++] = turn & 0xff;
  return at;
}

function readLink(bytes: Uint8Array, at: number): string {
  const turnAt = at + 2 * idBytes;
  const turn =
    (bytes[turnAt]! | (bytes[turnAt + 1]! << 8) | (bytes[turnAt + 2]! << 16) | (bytes[turnAt + 3]! << 24)) >>>
    0;
  return `${readId(bytes, at)}@${readId(bytes, at + idBytes)}#${turn}`;
}
