import { Extension, memoryKinds } from "./msgpack_extensions.ts";
import {
  isPlain,
  kindOf,
  maxPayloadDepth,
  nestedTooDeep,
  tagOf,
  type Trail,
  unencodable,
} from "./unencodable.ts";

/** Up to this many units a loop over ASCII is faster than the runtime's encoder. */
const loopUnits = 40;
/** Most bytes of a writer that is kept for reuse. */
const maxKeptBytes = 1 << 18;

const encoder = new TextEncoder();
let spare: MsgpackWriter | null = null;

/**
 * Encodes a value as MessagePack, in new memory.
 *
 * @param standard Whether the bytes are for programs that do not know the {@link Extension}s of this library: integers
 * have up to 64 bits, and `undefined` is nil. A larger bigint, `Date`, `Map`, `Set` and memory other than a `Uint8Array`
 * have no form then.
 * @throws {Unencodable} With the path of a value without a form: functions, symbols, instances of classes, text with
 * lone surrogates, detached memory, `__proto__` as a key, holes in arrays, cycles.
 */
export function encodeMsgpack(value: unknown, standard = false): Uint8Array<ArrayBuffer> {
  return borrowMsgpack(value, standard).slice();
}

/** The same in memory that the next call writes again. @throws {Unencodable} Like {@link encodeMsgpack}. */
export function borrowMsgpack(value: unknown, standard = false): Uint8Array<ArrayBuffer> {
  // A getter of the value may encode another value meanwhile, which needs its own writer.
  const writer = spare ?? new MsgpackWriter();
  spare = null;
  try {
    return writer.encode(value, standard);
  } finally {
    if (writer.capacity <= maxKeptBytes) spare = writer;
  }
}

class MsgpackWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #root: unknown = undefined;
  #standard = false;
  readonly #trail: Trail = [];

  get capacity(): number {
    return this.#bytes.length;
  }

  encode(value: unknown, standard: boolean): Uint8Array<ArrayBuffer> {
    this.#at = 0;
    this.#standard = standard;
    this.#root = value;
    this.#trail.length = 0;
    try {
      this.#value(value, 0);
      return this.#bytes.subarray(0, this.#at);
    } finally {
      this.#root = undefined;
    }
  }

  #value(value: unknown, depth: number): void {
    if (this.#at + 16 > this.#bytes.length) this.#grow(16);
    switch (typeof value) {
      case "string":
        return this.#text(value, depth);
      case "number":
        return this.#number(value);
      case "boolean":
        this.#bytes[this.#at++] = value ? 0xc3 : 0xc2;
        return;
      case "object":
        if (value !== null) return this.#object(value, depth);
        this.#bytes[this.#at++] = 0xc0;
        return;
      case "bigint":
        return this.#standard ? this.#integer(value, depth) : this.#bigint(value);
      case "undefined":
        if (this.#standard) {
          this.#bytes[this.#at++] = 0xc0;
          return;
        }
        this.#bytes[this.#at++] = 0xd4;
        this.#bytes[this.#at++] = Extension.undefined;
        this.#bytes[this.#at++] = 0;
        return;
      default:
        throw this.#refused(kindOf(value), depth);
    }
  }

  #number(value: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) {
      if (value < 0x80) bytes[this.#at++] = value;
      else if (value < 0x100) {
        bytes[at] = 0xcc;
        bytes[at + 1] = value;
        this.#at = at + 2;
      } else if (value < 0x10000) {
        bytes[at] = 0xcd;
        bytes[at + 1] = value >> 8;
        bytes[at + 2] = value;
        this.#at = at + 3;
      } else {
        bytes[at] = 0xce;
        this.#view.setUint32(at + 1, value);
        this.#at = at + 5;
      }
    } else if (value >> 0 === value && value < 0) {
      if (value >= -0x20) bytes[this.#at++] = value;
      else if (value >= -0x80) {
        bytes[at] = 0xd0;
        bytes[at + 1] = value;
        this.#at = at + 2;
      } else if (value >= -0x8000) {
        bytes[at] = 0xd1;
        bytes[at + 1] = value >> 8;
        bytes[at + 2] = value;
        this.#at = at + 3;
      } else {
        bytes[at] = 0xd2;
        this.#view.setInt32(at + 1, value);
        this.#at = at + 5;
      }
    } else if (this.#standard && Number.isSafeInteger(value)) {
      this.#integer(BigInt(value), 0);
    } else {
      bytes[at] = 0xcb;
      this.#view.setFloat64(at + 1, value);
      this.#at = at + 9;
    }
  }

  #text(text: string, depth: number): void {
    const { length } = text;
    if (length <= loopUnits) {
      if (this.#at + length + 2 > this.#bytes.length) this.#grow(length + 2);
      const bytes = this.#bytes;
      const start = this.#at + (length < 32 ? 1 : 2);
      let i = 0;
      for (; i < length; i++) {
        const unit = text.charCodeAt(i);
        if (unit >= 0x80) break;
        bytes[start + i] = unit;
      }
      if (i === length) {
        if (length < 32) bytes[this.#at] = 0xa0 | length;
        else {
          bytes[this.#at] = 0xd9;
          bytes[this.#at + 1] = length;
        }
        this.#at = start + length;
        return;
      }
    }
    if (!text.isWellFormed()) throw this.#refused("text with a lone surrogate", depth);
    if (this.#at + length * 3 + 5 > this.#bytes.length) this.#grow(length * 3 + 5);
    // Most text is ASCII: its header is the one for as many bytes as units.
    const expected = textHeaderSize(length);
    const start = this.#at + expected;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    const size = textHeaderSize(written);
    if (size !== expected) this.#bytes.copyWithin(this.#at + size, start, start + written);
    this.#header(written, 0xa0, 32, 0xd9);
    this.#at += written;
  }

  /**
   * Writes a length: inside the token below `small`, otherwise after one of three tokens, of which `wide` is the first.
   */
  #header(length: number, fixed: number, small: number, wide: number): void {
    const bytes = this.#bytes;
    if (length < small) bytes[this.#at++] = fixed | length;
    else if (length < 0x100 && wide !== 0xdb && wide !== 0xdd) {
      bytes[this.#at++] = wide;
      bytes[this.#at++] = length;
    } else if (length < 0x10000) {
      bytes[this.#at++] = wide + 1;
      bytes[this.#at++] = length >> 8;
      bytes[this.#at++] = length;
    } else {
      bytes[this.#at] = wide + 2;
      this.#view.setUint32(this.#at + 1, length);
      this.#at += 5;
    }
  }

  #object(value: object, depth: number): void {
    if (depth >= maxPayloadDepth) throw nestedTooDeep(this.#root, this.#trail);
    if (Array.isArray(value)) return this.#array(value, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#properties(value, depth);
    this.#instance(value, prototype, depth);
  }

  #array(value: readonly unknown[], depth: number): void {
    const { length } = value;
    this.#header(length, 0x90, 16, 0xdb);
    for (let i = 0; i < length; i++) {
      const item = value[i];
      this.#trail[depth] = i;
      if (item === undefined && !(i in value)) throw this.#refused("a hole in an array", depth + 1);
      this.#value(item, depth + 1);
    }
  }

  #properties(value: object, depth: number): void {
    const keys = Object.keys(value);
    const start = this.#at;
    this.#header(keys.length, 0x80, 16, 0xdd);
    const headerEnd = this.#at;
    let count = 0;
    for (const key of keys) {
      const item = (value as Record<string, unknown>)[key];
      if (item === undefined) continue;
      this.#trail[depth] = key;
      if (key === "__proto__") throw this.#refused("a property that no decoder may set", depth + 1);
      if (this.#at + 16 > this.#bytes.length) this.#grow(16);
      this.#text(key, depth + 1);
      this.#value(item, depth + 1);
      count++;
    }
    if (count !== keys.length) this.#shorten(start, headerEnd, count);
  }

  /** Rewrites a map's header after properties without a value were left out. */
  #shorten(start: number, headerEnd: number, count: number): void {
    const end = this.#at;
    this.#at = start;
    this.#header(count, 0x80, 16, 0xdd);
    if (this.#at !== headerEnd) this.#bytes.copyWithin(this.#at, headerEnd, end);
    this.#at += end - headerEnd;
  }

  #instance(value: object, prototype: unknown, depth: number): void {
    if (value instanceof Uint8Array) return this.#binary(value, depth);
    const tag = tagOf(value);
    if (this.#standard && tag !== "Object") throw this.#refused(kindOf(value), depth);
    if (prototype === Date.prototype) return this.#date(value as Date, depth);
    if (prototype === Map.prototype) return this.#map(value as Map<unknown, unknown>, depth);
    if (prototype === Set.prototype) return this.#set(value as Set<unknown>, depth);
    if (ArrayBuffer.isView(value) || tag === "ArrayBuffer") {
      return this.#memory(value as ArrayBuffer | ArrayBufferView, tag, depth);
    }
    if (tag === "Object" && isPlain(value)) return this.#properties(value, depth);
    throw this.#refused(kindOf(value), depth);
  }

  #binary(value: Uint8Array, depth: number): void {
    const { length } = value;
    // Reading its buffer costs an allocation on Bun.
    if (length === 0) this.#requireAttached(value, depth);
    if (this.#at + length + 5 > this.#bytes.length) this.#grow(length + 5);
    this.#header(length, 0, 0, 0xc4);
    this.#bytes.set(value, this.#at);
    this.#at += length;
  }

  #memory(value: ArrayBuffer | ArrayBufferView, tag: string, depth: number): void {
    const kind = memoryKinds.get(tag);
    if (kind === undefined) throw this.#refused(kindOf(value), depth);
    this.#requireAttached(value, depth);
    const view = ArrayBuffer.isView(value);
    const bytes = view
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
    if (this.#at + bytes.length + 7 > this.#bytes.length) this.#grow(bytes.length + 7);
    this.#header(bytes.length + 1, 0, 0, 0xc7);
    this.#bytes[this.#at++] = Extension.memory;
    this.#bytes[this.#at++] = kind.code;
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Refuses detached memory, which looks like empty memory. */
  #requireAttached(value: ArrayBuffer | ArrayBufferView, depth: number): void {
    const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
    const { detached } = buffer as { detached?: boolean };
    if (detached === true) throw this.#refused(`a detached ${tagOf(value)}`, depth);
  }

  #date(value: Date, depth: number): void {
    const ms = value.getTime();
    if (Number.isNaN(ms)) throw this.#refused("an invalid Date", depth);
    const seconds = Math.floor(ms / 1000);
    const nanoseconds = (ms - seconds * 1000) * 1e6;
    const bytes = this.#bytes;
    const view = this.#view;
    const at = this.#at;
    const fits = seconds >= 0 && seconds < 2 ** 34;
    if (fits && nanoseconds === 0 && seconds < 2 ** 32) {
      bytes[at] = 0xd6;
      bytes[at + 1] = Extension.timestamp;
      view.setUint32(at + 2, seconds);
      this.#at = at + 6;
    } else if (fits) {
      bytes[at] = 0xd7;
      bytes[at + 1] = Extension.timestamp;
      view.setUint32(at + 2, nanoseconds * 4 + Math.floor(seconds / 2 ** 32));
      view.setUint32(at + 6, seconds % 2 ** 32);
      this.#at = at + 10;
    } else {
      bytes[at] = 0xc7;
      bytes[at + 1] = 12;
      bytes[at + 2] = Extension.timestamp;
      view.setUint32(at + 3, nanoseconds);
      view.setBigInt64(at + 7, BigInt(seconds));
      this.#at = at + 15;
    }
  }

  /** An integer of up to 64 bits. */
  #integer(value: bigint, depth: number): void {
    const unsigned = value >= 0n;
    if (unsigned ? value >> 64n !== 0n : value < -(1n << 63n)) {
      throw this.#refused("a bigint of more than 64 bits", depth);
    }
    this.#bytes[this.#at] = unsigned ? 0xcf : 0xd3;
    this.#view.setBigUint64(this.#at + 1, BigInt.asUintN(64, value));
    this.#at += 9;
  }

  #bigint(value: bigint): void {
    // The sign needs one bit.
    const digits = (value < 0n ? ~value : value).toString(16);
    const hex = (digits.length % 2 === 0 ? digits : `0${digits}`).replace(/^(?=[89a-f])/, "00");
    const length = hex.length / 2;
    if (this.#at + length + 6 > this.#bytes.length) this.#grow(length + 6);
    this.#header(length, 0, 0, 0xc7);
    this.#bytes[this.#at++] = Extension.bigint;
    const flip = value < 0n ? 0xff : 0;
    for (let i = 0; i < length; i++) {
      this.#bytes[this.#at++] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16) ^ flip;
    }
  }

  #map(value: Map<unknown, unknown>, depth: number): void {
    const start = this.#open(Extension.map);
    this.#header(value.size * 2, 0x90, 16, 0xdb);
    let count = 0;
    for (const [key, item] of value) {
      this.#trail[depth] = typeof key === "string" || typeof key === "number" ? key : `(key ${count})`;
      this.#value(key, depth + 1);
      this.#value(item, depth + 1);
      count++;
    }
    if (count !== value.size) throw this.#refused("a Map that changed while it was read", depth);
    this.#close(start);
  }

  #set(value: Set<unknown>, depth: number): void {
    const start = this.#open(Extension.set);
    this.#header(value.size, 0x90, 16, 0xdb);
    let count = 0;
    for (const item of value) {
      this.#trail[depth] = count++;
      this.#value(item, depth + 1);
    }
    if (count !== value.size) throw this.#refused("a Set that changed while it was read", depth);
    this.#close(start);
  }

  /** Begins an extension; its length is written at the end. */
  #open(type: number): number {
    const start = this.#at;
    this.#bytes[start] = 0xc9;
    this.#bytes[start + 5] = type;
    this.#at = start + 6;
    return start;
  }

  #close(start: number): void {
    this.#view.setUint32(start + 1, this.#at - start - 6);
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + needed + 64));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  #refused(kind: string, depth: number): Error {
    return unencodable(this.#trail, depth, `${kind}, which MessagePack cannot carry`);
  }
}

function textHeaderSize(bytes: number): number {
  return bytes < 32 ? 1 : bytes < 0x100 ? 2 : bytes < 0x10000 ? 3 : 5;
}
