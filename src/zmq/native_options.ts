import process from "node:process";
import { type Backend, Errno, type Handle, SocketOption } from "../libzmq/mod.ts";
import { errnoError } from "./errors.ts";

/** Storage of an option's value. */
export type Storage = "Int32" | "Uint32" | "Int64" | "Uint64" | "String";

const textBytes = 1_024;
// libzmq gives a key as text only into memory of exactly this size.
const keyBytes = 41;
const keys: ReadonlySet<number> = new Set([
  SocketOption.CURVE_PUBLICKEY,
  SocketOption.CURVE_SECRETKEY,
  SocketOption.CURVE_SERVERKEY,
]);
const noKey = "0".repeat(40);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Reads an option. A closed socket has none. @throws {ErrnoError} */
export function readOption(
  backend: Backend,
  handle: Handle | null,
  option: number,
  type: Storage,
): number | string | null {
  if (handle === null) throw errnoError(Errno.ENOTSOCK);
  const size = keys.has(option) ? keyBytes : type === "String" ? textBytes : type.endsWith("64") ? 8 : 4;
  const into = new Uint8Array(new ArrayBuffer(size));
  const length = backend.getOption(handle, option, into);
  if (length < 0) throw errnoError(-length);
  const view = new DataView(into.buffer);
  switch (type) {
    case "Int32":
      return view.getInt32(0, little);
    case "Uint32":
      return view.getUint32(0, little);
    case "Int64":
      return Number(view.getBigInt64(0, little));
    case "Uint64":
      return Number(view.getBigUint64(0, little));
    case "String": {
      const end = into.subarray(0, length).indexOf(0);
      const text = decoder.decode(into.subarray(0, end < 0 ? length : end));
      return text === "" || (text === noKey && keys.has(option)) ? null : text;
    }
  }
}

/** Sets an option. A closed socket has none. @throws {ErrnoError} */
export function writeOption(
  backend: Backend,
  handle: Handle | null,
  option: number,
  type: Storage,
  value: number | string | ArrayBufferView | null,
): void {
  if (handle === null) throw errnoError(Errno.ENOTSOCK);
  const result = backend.setOption(handle, option, encoded(type, value));
  if (result < 0) throw errnoError(-result);
}

function encoded(type: Storage, value: number | string | ArrayBufferView | null): Uint8Array | null {
  if (typeof value === "number") return encodedNumber(type, value);
  if (value === null) return null;
  if (typeof value === "string") return encoder.encode(value);
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
}

function encodedNumber(type: Storage, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(type.endsWith("64") ? 8 : 4));
  if (type === "Int64") view.setBigInt64(0, limited(value, -(2n ** 63n), 2n ** 63n - 1n), little);
  else if (type === "Uint64") {
    if (value > Number.MAX_SAFE_INTEGER) {
      process.emitWarning(
        "Value is larger than Number.MAX_SAFE_INTEGER and may have been rounded inaccurately.",
      );
    }
    view.setBigUint64(0, limited(value, 0n, 2n ** 64n - 1n), little);
  } else view.setInt32(0, value, little);
  return new Uint8Array(view.buffer);
}

/** The nearest integer in a range. */
function limited(value: number, least: bigint, most: bigint): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= Number(most)) return most;
  if (value <= Number(least)) return least;
  return BigInt(Math.trunc(value));
}
