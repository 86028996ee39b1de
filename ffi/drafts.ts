import { Errno } from "./constants.ts";
import type { Address, Handle, NativeMemory, NativeRegion } from "./memory.ts";
import type { Calls, draftSymbols, System, zmqSymbols } from "./symbols.ts";

/** `zmq_msg_t`. */
const messageBytes = 64;
/** A group's name, without its final NUL. */
const mostGroupBytes = 255;
/** `ZMQ_POLLIN` and `ZMQ_POLLOUT`. */
const bothEvents = 3;
/** So many signals are read at once where each of them is a byte. */
const signalBytes = 64;
const interrupted = -Errno.EINTR;

/** Tells by a descriptor that something happened to a socket without `ZMQ_FD`. */
export interface SocketPoller {
  /** Is readable from the event on until {@link clear}. */
  readonly fd: number;
  /** Takes back the signals, after which the socket has to be looked at. */
  clear(): void;
  /** Frees the descriptor. To be called before the socket is closed. Idempotent. */
  close(): void;
}

/**
 * What only draft sockets have. A call returns a non-negative result, or the negated errno.
 *
 * A group is its name in bytes, and a final NUL.
 */
export interface Drafts {
  /** `zmq_join`. */
  join(socket: Handle, group: Uint8Array): number;
  /** `zmq_leave`. */
  leave(socket: Handle, group: Uint8Array): number;
  /** Sends a message with a routing id, a number of 32 bits. */
  sendTo(socket: Handle, bytes: Uint8Array, routingId: number, flags: number): number;
  /** Sends a message to a group. */
  sendToGroup(socket: Handle, bytes: Uint8Array, group: Uint8Array, flags: number): number;
  /** `zmq_msg_routing_id` of the kept message. */
  messageRoutingId(): number;
  /** `zmq_msg_group` of the kept message, without the NUL. */
  messageGroup(): Uint8Array;
  /** Makes a descriptor for a thread-safe socket. */
  poller(socket: Handle): SocketPoller | number;
  /** Destroys the poller of a terminated Worker. */
  closePoller(poller: Handle): void;
}

/** The parts of {@link NativeDrafts}. */
export interface DraftParts {
  /** The functions. */
  readonly calls: Calls<typeof draftSymbols>;
  /** Functions of every libzmq. */
  readonly zmq: Calls<typeof zmqSymbols>;
  /** libc. */
  readonly system: System;
  /** The message that the backend keeps. */
  readonly kept: Address;
}

/** {@link Drafts} through the functions of a runtime. */
export class NativeDrafts implements Drafts {
  readonly #parts: DraftParts;
  readonly #memory: NativeMemory;
  /** The message that is sent. */
  readonly #message: NativeRegion;
  /** A pointer, or a descriptor. */
  readonly #cell: NativeRegion;
  readonly #signals: NativeRegion;

  constructor(parts: DraftParts) {
    const { memory } = parts.system;
    this.#parts = parts;
    this.#memory = memory;
    this.#message = memory.region(messageBytes);
    this.#cell = memory.region(8);
    this.#signals = memory.region(signalBytes);
  }

  join(socket: Handle, group: Uint8Array): number {
    return this.#result(this.#parts.calls.join(socket, group));
  }

  leave(socket: Handle, group: Uint8Array): number {
    return this.#result(this.#parts.calls.leave(socket, group));
  }

  sendTo(socket: Handle, bytes: Uint8Array, routingId: number, flags: number): number {
    const begun = this.#begin(bytes);
    if (begun < 0) return begun;
    // The bits are the same, and foreign functions take a number without sign for too large.
    return this.#send(socket, this.#parts.calls.msgSetRoutingId(this.#message.address, routingId | 0), flags);
  }

  sendToGroup(socket: Handle, bytes: Uint8Array, group: Uint8Array, flags: number): number {
    const begun = this.#begin(bytes);
    if (begun < 0) return begun;
    return this.#send(socket, this.#parts.calls.msgSetGroup(this.#message.address, group), flags);
  }

  messageRoutingId(): number {
    return this.#parts.calls.msgRoutingId(this.#parts.kept) >>> 0;
  }

  messageGroup(): Uint8Array {
    const { calls, kept, zmq } = this.#parts;
    const name = calls.msgGroup(kept);
    const length = name === null ? 0 : calls.strnlen(name, this.#memory.size(mostGroupBytes));
    const group = new Uint8Array(new ArrayBuffer(length));
    if (length > 0) zmq.memcpyView(group, name, this.#memory.size(length));
    return group;
  }

  poller(socket: Handle): SocketPoller | number {
    const { calls, system } = this.#parts;
    const poller = calls.pollerNew();
    if (poller === null) return -this.#parts.zmq.errno();
    const cell = this.#cell;
    let result = this.#result(calls.pollerAdd(poller, socket, null, bothEvents));
    if (result >= 0) result = this.#result(calls.pollerFd(poller, cell.address));
    if (result < 0) {
      this.closePoller(poller);
      return result;
    }
    const fd = cell.view.getInt32(0, true);
    const held = this.#memory.value(poller);
    system.holdings?.add("poller", held);
    const size = this.#memory.size(signalBytes);
    let open = true;
    return {
      fd,
      // zmq_poller_wait takes back one signal in a call.
      clear: () => void system.calls.read(fd, this.#signals.address, size),
      close: () => {
        if (!open) return;
        open = false;
        system.holdings?.remove("poller", held);
        this.closePoller(poller);
      },
    };
  }

  closePoller(poller: Handle): void {
    this.#cell.view.setBigUint64(0, this.#memory.value(poller), true);
    this.#parts.calls.pollerDestroy(this.#cell.address);
  }

  /** Makes the message of a `send`. */
  #begin(bytes: Uint8Array): number {
    const { calls, zmq } = this.#parts;
    const { address } = this.#message;
    const size = this.#memory.size(bytes.length);
    const made = this.#result(calls.msgInitSize(address, size));
    if (made >= 0 && bytes.length > 0) calls.memcpyIn(zmq.msgData(address)!, bytes, size);
    return made;
  }

  /** Sends the message, unless its label was refused. */
  #send(socket: Handle, labelled: number, flags: number): number {
    const { calls, zmq } = this.#parts;
    const { address } = this.#message;
    let result = this.#result(labelled);
    while (result >= 0) {
      result = this.#result(zmq.msgSend(address, socket, flags));
      if (result >= 0) return result;
      if (result === interrupted) result = 0;
    }
    calls.msgClose(address);
    return result;
  }

  /** The negated errno of a call that failed just now. */
  #result(result: number): number {
    return result < 0 ? -this.#parts.zmq.errno() : result;
  }
}
