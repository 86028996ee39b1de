import { viewOf } from "./bytes.ts";
import { Extension, memoryKindByCode } from "./msgpack_extensions.ts";
import { NameCache } from "./names.ts";
import { maxPayloadDepth, nestsTooDeep } from "./unencodable.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Names of properties, which repeat often. */
const keys = new NameCache();
/** A Date's largest time value. */
const maxDateMs = 8.64e15;

/** The bytes are not valid MessagePack of a payload. */
export class MalformedMsgpack extends Error {}

/**
 * Decodes one MessagePack value, which must fill the bytes. The value holds copies only.
 *
 * Declared lengths are not trusted. Refused are truncated or left-over bytes, nesting beyond {@link maxPayloadDepth},
 * text that is not UTF-8, map keys that are neither text nor integers, or `__proto__`, the unused byte `c1`, and every
 * extension that is not one of {@link Extension}.
 *
 * @throws {MalformedMsgpack} If the bytes are refused.
 */
export function decodeMsgpack(bytes: Uint8Array): unknown {
  const reader = new MsgpackReader(bytes);
  const value = reader.value(0);
  reader.requireEnd(bytes.length);
  return value;
}

class MsgpackReader {
  readonly #bytes: Uint8Array;
  #view: DataView | null = null;
  #at = 0;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** Throws if the value ended elsewhere. */
  requireEnd(end: number): void {
    if (this.#at !== end) throw new MalformedMsgpack(`${end - this.#at} bytes follow the value`);
  }

  value(depth: number): unknown {
    if (this.#at >= this.#end) throw endsEarly();
    const token = this.#bytes[this.#at++] as number;
    if (token < 0x80) return token;
    if (token >= 0xe0) return token - 0x100;
    if (token < 0x90) return this.#object(token & 0x0f, depth);
    if (token < 0xa0) return this.#array(token & 0x0f, depth);
    if (token < 0xc0) return this.#text(token & 0x1f);
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#copy(this.#unsigned(1));
      case 0xc5:
        return this.#copy(this.#unsigned(2));
      case 0xc6:
        return this.#copy(this.#unsigned(4));
      case 0xc7:
        return this.#extension(this.#unsigned(1), depth);
      case 0xc8:
        return this.#extension(this.#unsigned(2), depth);
      case 0xc9:
        return this.#extension(this.#unsigned(4), depth);
      case 0xca:
        return this.#viewAt(4).getFloat32(this.#at - 4);
      case 0xcb:
        return this.#viewAt(8).getFloat64(this.#at - 8);
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (token - 0xd4), depth);
      case 0xd9:
        return this.#text(this.#unsigned(1));
      case 0xda:
        return this.#text(this.#unsigned(2));
      case 0xdb:
        return this.#text(this.#unsigned(4));
      case 0xdc:
        return this.#array(this.#unsigned(2), depth);
      case 0xdd:
        return this.#array(this.#unsigned(4), depth);
      case 0xde:
        return this.#object(this.#unsigned(2), depth);
      case 0xdf:
        return this.#object(this.#unsigned(4), depth);
      default:
        return this.#integer(token);
    }
  }

  #integer(token: number): number | bigint {
    switch (token) {
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        return exact(this.#viewAt(8).getBigUint64(this.#at - 8));
      case 0xd0:
        return this.#viewAt(1).getInt8(this.#at - 1);
      case 0xd1:
        return this.#viewAt(2).getInt16(this.#at - 2);
      case 0xd2:
        return this.#viewAt(4).getInt32(this.#at - 4);
      case 0xd3:
        return exact(this.#viewAt(8).getBigInt64(this.#at - 8));
      default:
        throw new MalformedMsgpack(`byte 0x${token.toString(16)} is not defined`);
    }
  }

  /** A view at the next `width` bytes, which are skipped. */
  #viewAt(width: number): DataView {
    this.#skip(width);
    return this.#view ??= viewOf(this.#bytes);
  }

  /** Skips bytes and returns the offset of the first. */
  #skip(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) throw endsEarly();
    this.#at = start + length;
    return start;
  }

  #unsigned(width: number): number {
    let at = this.#skip(width);
    let value = 0;
    while (at < this.#at) value = value * 256 + (this.#bytes[at++] as number);
    return value;
  }

  #text(length: number): string {
    const start = this.#skip(length);
    const text = decodeUtf8(this.#bytes, start, this.#at);
    if (text === null) throw new MalformedMsgpack("it holds text that is not UTF-8");
    return text;
  }

  #copy(length: number): Uint8Array<ArrayBuffer> {
    const start = this.#skip(length);
    const copy = new Uint8Array(length);
    copy.set(this.#bytes.subarray(start, this.#at));
    return copy;
  }

  /** Checks that this many values can follow, and the depth of nesting. */
  #enter(values: number, depth: number): void {
    if (values > this.#end - this.#at) {
      throw new MalformedMsgpack("it declares more elements than it has bytes");
    }
    if (depth >= maxPayloadDepth) throw new MalformedMsgpack(nestsTooDeep);
  }

  #array(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    const array: unknown[] = [];
    for (let i = 0; i < length; i++) array.push(this.value(depth + 1));
    return array;
  }

  #object(pairs: number, depth: number): Record<string | number, unknown> {
    this.#enter(pairs * 2, depth);
    const object: Record<string | number, unknown> = {};
    for (let i = 0; i < pairs; i++) {
      const key = this.#key();
      object[key] = this.value(depth + 1);
    }
    return object;
  }

  #key(): string | number {
    if (this.#at >= this.#end) throw endsEarly();
    const token = this.#bytes[this.#at++] as number;
    if (token < 0x80) return token;
    if (token >= 0xe0) return token - 0x100;
    let length = -1;
    if (token >= 0xa0 && token < 0xc0) length = token & 0x1f;
    else if (token >= 0xd9 && token <= 0xdb) length = this.#unsigned(1 << (token - 0xd9));
    else if (token >= 0xcc && token <= 0xd3) return String(this.#integer(token));
    if (length < 0) throw new MalformedMsgpack("a map key is neither text nor an integer");
    const start = this.#skip(length);
    const key = keys.decode(this.#bytes, start, this.#at);
    if (key === null) throw new MalformedMsgpack("it holds text that is not UTF-8");
    if (key === "__proto__") throw new MalformedMsgpack("a map key is __proto__");
    return key;
  }

  #extension(length: number, depth: number): unknown {
    const type = this.#unsigned(1);
    const start = this.#skip(length);
    switch (type) {
      case Extension.timestamp:
        return this.#date(start, length);
      case Extension.bigint:
        return this.#bigint(start, length);
      case Extension.undefined:
        if (length === 1) return undefined;
        break;
      case Extension.map:
      case Extension.set:
        return this.#collection(type, start, depth);
      case Extension.memory:
        return this.#memory(start, length);
    }
    throw unknownExtension();
  }

  #date(start: number, length: number): Date {
    const view = this.#view ??= viewOf(this.#bytes);
    let seconds: number;
    let nanoseconds = 0;
    if (length === 4) seconds = view.getUint32(start);
    else if (length === 8) {
      const high = view.getUint32(start);
      nanoseconds = high >>> 2;
      seconds = (high & 3) * 2 ** 32 + view.getUint32(start + 4);
    } else if (length === 12) {
      nanoseconds = view.getUint32(start);
      seconds = Number(view.getBigInt64(start + 4));
    } else throw unknownExtension();
    const ms = seconds * 1000 + Math.floor(nanoseconds / 1e6);
    if (nanoseconds >= 1e9 || Math.abs(ms) > maxDateMs) {
      throw new MalformedMsgpack("it holds no possible time");
    }
    return new Date(ms);
  }

  #bigint(start: number, length: number): bigint {
    if (length === 0) throw unknownExtension();
    const negative = (this.#bytes[start] as number) >= 0x80;
    const flip = negative ? 0xff : 0;
    let hex = "0x";
    for (let at = start; at < start + length; at++) {
      hex += ((this.#bytes[at] as number) ^ flip).toString(16).padStart(2, "0");
    }
    return negative ? ~BigInt(hex) : BigInt(hex);
  }

  /** Decodes a Map or a Set from its array, which fills the extension. */
  #collection(type: number, start: number, depth: number): unknown {
    const outer = this.#end;
    const end = this.#at;
    this.#at = start;
    this.#end = end;
    const items = this.value(depth);
    if (!Array.isArray(items)) throw unknownExtension();
    this.requireEnd(end);
    this.#end = outer;
    if (type === Extension.set) return new Set(items);
    if (items.length % 2 !== 0) throw unknownExtension();
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
    return map;
  }

  #memory(start: number, length: number): unknown {
    const kind = length === 0 ? undefined : memoryKindByCode.get(this.#bytes[start] as number);
    if (kind === undefined || (length - 1) % kind.width !== 0) throw unknownExtension();
    const copy = new Uint8Array(length - 1);
    copy.set(this.#bytes.subarray(start + 1, start + length));
    return kind.make(copy.buffer);
  }
}

/** A 64-bit integer as a number if that is exact. */
function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function endsEarly(): MalformedMsgpack {
  return new MalformedMsgpack("it ends early");
}

function unknownExtension(): MalformedMsgpack {
  return new MalformedMsgpack("it holds an unknown extension");
}
