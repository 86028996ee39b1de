/**
 * Reads the MessagePack shapes of wire headers and addresses, without throwing and without trusting a length.
 *
 * Every `read…` returns -1 when the bytes hold something else or end too early; the cursor is invalid then. Ranges are
 * returned as the start offset, with `at` behind the end. Lengths are big-endian.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export class MsgpackCursor {
  /** The offset of the next byte. */
  at: number;
  /** The offset behind the last byte. */
  readonly end: number;
  readonly #bytes: Uint8Array;

  /** A cursor over `bytes[start..end)`, which it borrows. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.at = start;
    this.end = Math.min(end, bytes.length);
  }

  /** The number of pairs of a map: fixmap, map 16 or map 32. More pairs than remaining bytes give -1. */
  readMapSize(): number {
    const token = this.#next();
    let size = -1;
    if (token >= 0x80 && token <= 0x8f) size = token & 0x0f;
    else if (token === 0xde) size = this.#unsigned(2);
    else if (token === 0xdf) size = this.#unsigned(4);
    return size * 2 <= this.end - this.at ? size : -1;
  }

  /** The number of elements of an array: fixarray, array 16 or array 32. More than the remaining bytes give -1. */
  readArraySize(): number {
    const token = this.#next();
    let size = -1;
    if (token >= 0x90 && token <= 0x9f) size = token & 0x0f;
    else if (token === 0xdc) size = this.#unsigned(2);
    else if (token === 0xdd) size = this.#unsigned(4);
    return size <= this.end - this.at ? size : -1;
  }

  /** The start of a string's bytes (fixstr, str 8, 16 or 32); `at` is behind them. */
  readString(): number {
    const token = this.#next();
    if (token >= 0xa0 && token <= 0xbf) return this.#range(token & 0x1f);
    if (token === 0xd9) return this.#range(this.#unsigned(1));
    if (token === 0xda) return this.#range(this.#unsigned(2));
    if (token === 0xdb) return this.#range(this.#unsigned(4));
    return -1;
  }

  /** The start of a binary's bytes (bin 8, 16 or 32); `at` is behind them. */
  readBinary(): number {
    const token = this.#next();
    if (token === 0xc4) return this.#range(this.#unsigned(1));
    if (token === 0xc5) return this.#range(this.#unsigned(2));
    if (token === 0xc6) return this.#range(this.#unsigned(4));
    return -1;
  }

  /** An unsigned integer up to 32 bits: positive fixint, uint 8, 16 or 32. */
  readUnsigned(): number {
    const token = this.#next();
    if (token >= 0 && token < 0x80) return token;
    if (token === 0xcc) return this.#unsigned(1);
    if (token === 0xcd) return this.#unsigned(2);
    if (token === 0xce) return this.#unsigned(4);
    return -1;
  }

  /** The next byte without moving, or -1 at the end. */
  peek(): number {
    return this.at < this.end ? this.#bytes[this.at] as number : -1;
  }

  #next(): number {
    return this.at < this.end ? this.#bytes[this.at++] as number : -1;
  }

  #unsigned(width: number): number {
    if (width > this.end - this.at) return -1;
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + (this.#bytes[this.at++] as number);
    return value;
  }

  #range(length: number): number {
    if (length < 0 || length > this.end - this.at) return -1;
    const start = this.at;
    this.at += length;
    return start;
  }
}
