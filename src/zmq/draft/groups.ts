import { Errno } from "../../libzmq/mod.ts";
import { errnoError } from "../errors.ts";

const mostBytes = 255;
const encoder = new TextEncoder();

/**
 * The name of a group for libzmq: its bytes and a final NUL. It ends before the first NUL that it has itself.
 *
 * @throws {TypeError} If it is neither a text nor bytes.
 * @throws {ErrnoError} `EINVAL` if there is none, or if it has more than 255 bytes.
 */
export function groupName(group: unknown): Uint8Array {
  if (group === undefined) throw errnoError(Errno.EINVAL, { reason: "a message needs the name of a group" });
  const given = bytesOf(group);
  const end = given.indexOf(0);
  const bytes = end < 0 ? given : given.subarray(0, end);
  if (bytes.length > mostBytes) {
    const reason = `the name of a group has ${bytes.length} bytes, and the most is ${mostBytes}`;
    throw errnoError(Errno.EINVAL, { reason });
  }
  // The memory of the argument may be shared with other threads, or changed while a message waits.
  const name = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  name.set(bytes);
  return name;
}

function bytesOf(group: unknown): Uint8Array {
  if (typeof group === "string") return encoder.encode(group);
  if (ArrayBuffer.isView(group)) return new Uint8Array(group.buffer, group.byteOffset, group.byteLength);
  throw new TypeError("Value must be a string or buffer");
}
