import process from "node:process";
import { Errno, SocketOption } from "../libzmq/mod.ts";
import { type ErrnoError, errnoError, socketError } from "./errors.ts";
import type { SocketCore } from "./socket_core.ts";
import { checkPrefix } from "./subscriptions.ts";

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
/** Beyond them a number of 32 bits would become another one; one of 64 bits becomes the nearest. */
const ranges: { readonly [S in Storage]: readonly [number, number] } = {
  Int32: [-(2 ** 31), 2 ** 31 - 1],
  Uint32: [0, 2 ** 32 - 1],
  Int64: [-Infinity, Infinity],
  Uint64: [-Infinity, Infinity],
  String: [-Infinity, Infinity],
};
const noKey = "0".repeat(40);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Reads an option. A closed socket has none. @param name Its name in errors. @throws {ErrnoError} */
export function readOption(
  core: SocketCore,
  option: number,
  type: Storage,
  name: string,
): number | string | null {
  const { backend, openHandle: handle } = core;
  if (handle === null) throw closedError(core, `read ${name}`);
  const size = keys.has(option) ? keyBytes : type === "String" ? textBytes : type.endsWith("64") ? 8 : 4;
  const into = new Uint8Array(new ArrayBuffer(size));
  const length = backend.getOption(handle, option, into);
  if (length < 0) throw socketError(-length, core.name, `read ${name}`);
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

/** Sets an option. A closed socket has none. @param name Its name in errors. @throws {ErrnoError} */
export function writeOption(
  core: SocketCore,
  option: number,
  type: Storage,
  value: number | string | ArrayBufferView | null,
  name: string,
): void {
  // Texts may be secrets.
  const action = `set ${name}${typeof value === "number" ? ` to ${value}` : ""}`;
  const { backend, openHandle: handle } = core;
  if (handle === null) throw closedError(core, action);
  const [least, most] = ranges[type];
  if (typeof value === "number" && !(value >= least && value <= most)) {
    const reason = `the ${core.name} cannot ${action}; it is a number from ${least} to ${most}`;
    throw errnoError(Errno.EINVAL, { reason });
  }
  const bytes = encoded(type, value);
  if (option === SocketOption.SUBSCRIBE && bytes !== null) checkPrefix(core.name, bytes);
  const result = backend.setOption(handle, option, bytes);
  if (result < 0) throw socketError(-result, core.name, action);
}

function closedError(core: SocketCore, action: string): ErrnoError {
  return socketError(Errno.ENOTSOCK, core.name, action, { hint: "it is closed" });
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
  if (value >= Number(most)) return most;
  if (value <= Number(least)) return least;
  return BigInt(Math.trunc(value));
}
