import { Buffer } from "node:buffer";
import {
  type Backend,
  Errno,
  type Handle,
  PollEvent,
  SendFlag,
  SocketOption,
  SocketType,
} from "../libzmq/mod.ts";
import { attachError, type Attachment, refusedAddress } from "./addresses.ts";
import type { TypeRules } from "./transfer.ts";

/** libzmq copies a datagram into a buffer of this size, and does not check. */
const mostDatagramBytes = 8_192;
/** libzmq reads the length of a group in a datagram as a number with sign, and aborts when it is negative. */
const mostDatagramGroupBytes = 127;

/** A routing id as a part, in the order of the network. */
const routingIdBytes = 4;

const dontWait = SendFlag.DONTWAIT;

/** What a type of socket does in its own way; null for one without labels. */
export function rulesOf(backend: Backend, type: number): TypeRules | null {
  switch (type) {
    case SocketType.SERVER:
      return serverRules(backend);
    case SocketType.RADIO:
      return radioRules(backend);
    case SocketType.DISH:
      return dishRules(backend);
    case SocketType.DGRAM:
      return datagramRules(backend);
    default:
      return null;
  }
}

function serverRules(backend: Backend): TypeRules {
  const drafts = backend.drafts!;
  return {
    label: () => ({ routingId: drafts.messageRoutingId() }),
    offer(socket, parts) {
      const [bytes, label] = parts;
      // libzmq takes no message of several parts here.
      if (bytes === undefined || label?.length !== routingIdBytes || parts.length !== 2) return -Errno.EINVAL;
      return drafts.sendTo(socket, bytes, viewOf(label).getInt32(0), dontWait);
    },
  };
}

function radioRules(backend: Backend): TypeRules {
  const drafts = backend.drafts!;
  let overUdp = false;
  return {
    attaching(_socket, call, address) {
      if (!isUdp(address)) return;
      checkDescriptor(backend, "Radio", call, address);
      overUdp = true;
    },
    offer(socket, parts) {
      const [bytes, group] = parts;
      // The name of a group is a text of C.
      if (bytes === undefined || group?.at(-1) !== 0 || parts.length !== 2) return -Errno.EINVAL;
      if (overUdp) {
        // The NUL is not sent, and a byte for its length is.
        const tooLong = group.length - 1 > mostDatagramGroupBytes ||
          bytes.length + group.length > mostDatagramBytes;
        if (tooLong) return -Errno.EMSGSIZE;
      }
      return drafts.sendToGroup(socket, bytes, group, dontWait);
    },
  };
}

function dishRules(backend: Backend): TypeRules {
  const drafts = backend.drafts!;
  return {
    attaching(_socket, call, address) {
      if (isUdp(address)) checkDescriptor(backend, "Dish", call, address);
    },
    label: () => ({ group: Buffer.from(drafts.messageGroup().buffer) }),
  };
}

function datagramRules(backend: Backend): TypeRules {
  let broken = false;
  const hasRoom = (socket: Handle): boolean => {
    const events = backend.events(socket);
    return events > 0 && (events & PollEvent.POLLOUT) !== 0;
  };
  return {
    attaching(socket, call, address) {
      // libzmq has asserts for what other transports would bring.
      if (!isUdp(address)) {
        throw refusedAddress(
          Errno.ENOCOMPATPROTO,
          "Datagram",
          call,
          address,
          "its addresses are like udp://*:5555",
        );
      }
      if (usesIpv6(backend, socket)) {
        const reason =
          "libzmq would end the process at the first datagram that comes over IPv6: leave ipv6 at false";
        throw refusedAddress(Errno.EAFNOSUPPORT, "Datagram", call, address, reason);
      }
      checkDescriptor(backend, "Datagram", call, address);
    },
    offer(socket, parts) {
      if (parts.length !== 2 || broken) return -Errno.EINVAL;
      if (parts[1]!.length > mostDatagramBytes) return -Errno.EMSGSIZE;
      // Without a peer libzmq refuses a part without an error number.
      if (!hasRoom(socket)) return -Errno.EAGAIN;
      const sent = backend.send(socket, parts[0]!, SendFlag.DONTWAIT | SendFlag.SNDMORE);
      if (sent < 0) return sent;
      const second = backend.send(socket, parts[1]!, dontWait);
      // libzmq would take the second part of the next message for an address, and abort.
      if (second < 0) broken = true;
      return second;
    },
  };
}

function isUdp(address: string): boolean {
  return address.startsWith("udp:");
}

function usesIpv6(backend: Backend, socket: Handle): boolean {
  const cell = new Uint8Array(new ArrayBuffer(4));
  return backend.getOption(socket, SocketOption.IPV6, cell) >= 0 && cell.some((byte) => byte !== 0);
}

/** libzmq aborts the process when it has no descriptor for a socket of UDP. */
function checkDescriptor(backend: Backend, name: string, call: Attachment, address: string): void {
  if (backend.spareDescriptors(1) < 1) throw attachError(Errno.EMFILE, name, call, address);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
