import { decodeUtf8 } from "./utf8.ts";

/** Deepest nesting of arrays and maps accepted in a MessagePack payload. */
export const maxMsgpackDepth = 256;

/**
 * Walks one MessagePack value without recursion and without allocating what it declares, and says what is wrong
 * with it, or `null`. Never throws.
 *
 * Only after this walk does a payload reach the decoder, which trusts lengths and recurses. Refused are:
 * truncated or left-over bytes, nesting beyond {@link maxMsgpackDepth}, text that is not UTF-8, map keys that
 * are neither text nor integers, the unused byte `c1`, and every extension but the standard timestamp (the
 * decoder would build errors, sets, references or regular expressions from them).
 */
export function scanMsgpack(bytes: Uint8Array): string | null {
  const end = bytes.length;
  // Values still expected at each level; a map counts its keys and values.
  const left: number[] = [1];
  const inMap: boolean[] = [false];
  let at = 0;
  let depth = 0;
  for (;;) {
    while (left[depth] === 0) {
      if (depth === 0) return at === end ? null : `${end - at} bytes follow the value`;
      left.length = depth;
      inMap.length = depth;
      depth--;
    }
    const due = left[depth] as number;
    left[depth] = due - 1;
    const isKey = inMap[depth] === true && due % 2 === 0;
    if (at >= end) return "it ends early";
    const token = bytes[at++] as number;
    const shape = shapeOf(token);
    if (isKey && !shape.key) return "a map key is neither text nor an integer";
    if (shape.kind === "invalid") return `byte 0x${token.toString(16)} is not defined`;
    let size = shape.size;
    if (shape.lengthBytes > 0) {
      if (at + shape.lengthBytes > end) return "it ends early";
      size = 0;
      for (let i = 0; i < shape.lengthBytes; i++) size = size * 256 + (bytes[at++] as number);
    }
    if (shape.kind === "array" || shape.kind === "map") {
      const values = shape.kind === "map" ? size * 2 : size;
      if (values > end - at) return "it declares more elements than it has bytes";
      if (++depth > maxMsgpackDepth) return `it nests deeper than ${maxMsgpackDepth}`;
      left.push(values);
      inMap.push(shape.kind === "map");
      continue;
    }
    const start = at;
    if (shape.kind === "extension") {
      if (bytes[at++] !== 0xff || (size !== 4 && size !== 8 && size !== 12)) {
        return "it holds an unknown extension";
      }
    }
    at += size;
    if (at > end) return "it ends early";
    if (shape.kind === "text" && !isUtf8(bytes, start, at)) return "it holds text that is not UTF-8";
  }
}

interface Shape {
  readonly kind: "scalar" | "text" | "binary" | "array" | "map" | "extension" | "invalid";
  /** Whether it may be a map key. */
  readonly key: boolean;
  /** Bytes (or elements) that follow, when the token itself says so. */
  readonly size: number;
  /** Bytes of an explicit big-endian length, 0 for none. */
  readonly lengthBytes: number;
}

function shape(kind: Shape["kind"], size: number, lengthBytes = 0, key = false): Shape {
  return { kind, key, size, lengthBytes };
}

/** The shape announced by each of the 256 first bytes. */
const shapes: readonly Shape[] = Array.from({ length: 256 }, (_, token) => {
  if (token <= 0x7f || token >= 0xe0) return shape("scalar", 0, 0, true);
  if (token <= 0x8f) return shape("map", token & 0x0f);
  if (token <= 0x9f) return shape("array", token & 0x0f);
  if (token <= 0xbf) return shape("text", token & 0x1f, 0, true);
  if (token === 0xc1) return shape("invalid", 0);
  if (token <= 0xc3) return shape("scalar", 0);
  if (token <= 0xc6) return shape("binary", 0, 1 << (token - 0xc4));
  if (token <= 0xc9) return shape("extension", 0, 1 << (token - 0xc7));
  if (token <= 0xcb) return shape("scalar", token === 0xca ? 4 : 8);
  if (token <= 0xcf) return shape("scalar", 1 << (token - 0xcc), 0, true);
  if (token <= 0xd3) return shape("scalar", 1 << (token - 0xd0), 0, true);
  if (token <= 0xd8) return shape("extension", 1 << (token - 0xd4));
  if (token <= 0xdb) return shape("text", 0, 1 << (token - 0xd9), true);
  if (token <= 0xdd) return shape("array", 0, token === 0xdc ? 2 : 4);
  return shape("map", 0, token === 0xde ? 2 : 4);
});

function shapeOf(token: number): Shape {
  return shapes[token] as Shape;
}

function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if ((bytes[i] as number) >= 0x80) return decodeUtf8(bytes, i, end) !== null;
  }
  return true;
}
