import { type Backend, type Handle, ReceiveFlag, SendFlag } from "../libzmq/mod.ts";
import type { Attachment } from "./addresses.ts";
import { type Message, newPart } from "./messages.ts";

/** Sends the last part of a message. */
export const lastPart = SendFlag.DONTWAIT;
/** Sends a part that others follow. */
export const earlierPart = SendFlag.DONTWAIT | SendFlag.SNDMORE;

/** What a type of socket does in its own way. */
export interface TypeRules {
  /** Reads what a message has beside its parts, right after it was received. */
  readonly label?: () => object;
  /** Sends the parts of a message, the last of which may be such a label, or returns a negated error number. */
  readonly offer?: (socket: Handle, parts: readonly Uint8Array[]) => number;
  /** Is called before it binds or connects. */
  readonly attaching?: (socket: Handle, call: Attachment, address: string) => void;
}

/** A message that came, and is lost because there was no memory for a part of it. */
export interface Lost {
  /** The bytes of the part. */
  readonly size: number;
  /** What the runtime said. */
  readonly cause: unknown;
}

/** Reads one message. @returns Its parts, or a negated error number when there is none. */
export function takeMessage(backend: Backend, socket: Handle): Message[] | number | Lost {
  const size = backend.receiveMessage(socket, ReceiveFlag.DONTWAIT);
  return size < 0 ? size : readParts(backend, socket, size);
}

/** {@link takeMessage} of a message whose first part, of `size` bytes, was read. */
export function readParts(backend: Backend, socket: Handle, size: number): Message[] | number | Lost {
  try {
    const part = newPart(size);
    backend.messageToBytes(part, size);
    const parts = [part];
    while (backend.messageMore()) {
      size = backend.receiveMessage(socket, ReceiveFlag.DONTWAIT);
      if (size < 0) return size;
      const next = newPart(size);
      backend.messageToBytes(next, size);
      parts.push(next);
    }
    return parts;
  } catch (cause) {
    dropRest(backend, socket);
    return { size, cause };
  }
}

/** Sends the parts of a message, or returns a negated error number. */
export function offerMessage(backend: Backend, socket: Handle, parts: readonly Uint8Array[]): number {
  const last = parts.length - 1;
  let result = 0;
  for (let i = 0; i <= last; i++) {
    const sent = backend.send(socket, parts[i]!, i < last ? earlierPart : lastPart);
    if (sent >= 0) continue;
    // Only the first part can be refused completely. After it libzmq drops the rest of a message whose connection was
    // lost, and an unfinished message would be joined to the next one.
    if (i === 0) return sent;
    result = sent;
  }
  return result;
}

/** Reads the parts that follow the one that was read, so that the next message begins with its first one. */
export function dropRest(backend: Backend, socket: Handle): void {
  while (backend.messageMore() && backend.receiveMessage(socket, ReceiveFlag.DONTWAIT) >= 0);
}
