import { MsgpackCursor } from "./msgpack_cursor.ts";
import { decodeUtf8 } from "./utf8.ts";

/** A network interface that a Velo node listens on, from its `tcp`, `grpc` or `tcp-stream` address entry. */
export interface InterfaceEndpoint {
  /** The interface's name, such as `eth0`. */
  readonly name: string;
  /** Its IP address as text. */
  readonly address: string;
  /** The TCP port, 0 to 65 535. */
  readonly port: number;
  /** Bits of the network prefix, 0 to 128. */
  readonly prefixBits: number;
  /** The NUMA node of the interface, if known. */
  readonly numaNode: number | null;
}

const maxInterfaces = 256;

/**
 * Decodes the value of a `tcp`, `grpc` or `tcp-stream` entry of a worker address: a MessagePack array of
 * `[name, address, port, prefix bits, NUMA node or nil]`. `null` for other bytes, such as the older plain text. Never
 * throws. Only for display: this library dials `zmq` entries.
 */
export function decodeInterfaceEndpoints(bytes: Uint8Array): InterfaceEndpoint[] | null {
  const cursor = new MsgpackCursor(bytes, 0, bytes.length);
  const size = cursor.readArraySize();
  if (size < 0 || size > maxInterfaces) return null;
  const list: InterfaceEndpoint[] = [];
  for (let i = 0; i < size; i++) {
    if (cursor.readArraySize() !== 5) return null;
    const name = readText(bytes, cursor);
    const address = readText(bytes, cursor);
    if (name === null || address === null) return null;
    const port = cursor.readUnsigned();
    const prefixBits = cursor.readUnsigned();
    if (port < 0 || port > 0xffff || prefixBits < 0 || prefixBits > 128) return null;
    let numaNode: number | null = null;
    if (cursor.peek() === 0xc0) cursor.at++;
    else if ((numaNode = cursor.readUnsigned()) < 0) return null;
    list.push({ name, address, port, prefixBits, numaNode });
  }
  return cursor.at === bytes.length ? list : null;
}

function readText(bytes: Uint8Array, cursor: MsgpackCursor): string | null {
  const start = cursor.readString();
  return start < 0 ? null : decodeUtf8(bytes, start, cursor.at);
}
