import { Buffer } from "node:buffer";
import type { TimeSlice } from "../core/mod.ts";
import {
  type Backend,
  type Handle,
  type MemoryReturn,
  MessageProperty,
  MessageText,
  ReceiveFlag,
  type Region,
} from "../libzmq/mod.ts";
import type { DropCounters } from "./drops.ts";

const dontWait = ReceiveFlag.DONTWAIT;

// Offsets in the one buffer for the small frames. A request header is at most 22 + 65 535 + 16 384 bytes.
const idAt = 0;
const idCapacity = 256;
const typeAt = idAt + idCapacity;
const typeCapacity = 8;
const headerAt = typeAt + typeCapacity;
const headerCapacity = 84 * 1024;
/**
 * Payloads up to this size are lent to the receiver in a buffer that the next message overwrites. They are read
 * whatever `maxPayloadBytes` is, since they take no memory: a batch or a handshake may be larger than a small one.
 */
export const smallFrameBytes = 64 * 1024;
// How often it is told how many bytes came.
const tellEveryBytes = 1024 * 1024;
// A message with thousands of parts is hostile; it is discarded in portions, so that others get a turn.
const discardsAtOnce = 32;

// What libzmq writes for the other end of a Unix socket: a name, user, group and process. No IP address looks so.
const unixAddress = /^[^:]*:\d+:\d+:\d+$/;

// IPv4 as a listener for IPv6 sees it.
const mappedAddress = /^::ffff:(?=[\d.]+$)/;

const nothing = new Uint8Array(new ArrayBuffer(0));

/**
 * A message as it came in. One object serves all: whoever needs something longer than the call copies it.
 */
export class InboundMessage {
  /** The message type byte. */
  type = 0;
  /** The bytes in which the header lies. */
  header: Uint8Array = nothing;
  /** A view of the same buffer as {@link header}, with the same offsets. */
  headerView: DataView = new DataView(nothing.buffer);
  /** Where the header starts. */
  headerStart = 0;
  /** Where it ends. */
  headerEnd = 0;
  /** The bytes in which the payload lies. */
  source: Uint8Array = nothing;
  /** Where the payload starts in {@link source}. */
  payloadStart = 0;
  /** Where it ends. */
  payloadEnd = 0;
  /** Whether {@link source} is the payload and belongs to the receiver for good. */
  owned = false;

  /** Whether the payload was too large to be read: {@link source} is empty, and only its length is known. */
  get unread(): boolean {
    return this.payloadEnd > this.source.length;
  }

  /** The payload. Lent for the length of the call unless {@link owned}. */
  get payload(): Uint8Array {
    if (this.owned) return this.source;
    return this.source.subarray(this.payloadStart, this.payloadEnd);
  }

  /** The payload in memory that the receiver may keep. Copies at most once. */
  keep(): Uint8Array {
    if (this.owned) return this.source;
    // Measured: one slice() of the big buffer costs half of a view and a copy on Bun, and no more on Deno.
    return this.own(this.source.slice(this.payloadStart, this.payloadEnd));
  }

  /** The same message in memory that nobody else writes. */
  copy(): InboundMessage {
    const copy = new InboundMessage();
    copy.type = this.type;
    copy.header = this.header.slice(this.headerStart, this.headerEnd);
    copy.headerView = new DataView(copy.header.buffer);
    copy.headerEnd = copy.header.length;
    if (this.unread) copy.payloadEnd = this.payloadEnd - this.payloadStart;
    else copy.own(this.keep());
    return copy;
  }

  /** Takes bytes as the payload, for good. */
  own(bytes: Uint8Array): Uint8Array {
    this.owned = true;
    this.payloadStart = 0;
    this.payloadEnd = bytes.length;
    return this.source = bytes;
  }
}

/** A copy. Nobody keeps its address, so it need not lie over an explicit buffer, which costs 200 ns on Bun. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Memory for a large payload, not zeroed: at 1 MiB that takes 27 instead of 83 µs on Bun. */
function uninitialized(size: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(size);
  return new Uint8Array(buffer, byteOffset, size);
}

/** The outcome of {@link FrameReader.readRest}. */
export const ReadResult = { message: 0, dropped: 1, discarding: 2 } as const;

/**
 * Reads messages frame by frame: type, header, payload, each checked for what must follow.
 *
 * One reader serves all sockets of a transport, since messages are handled one at a time.
 */
export class FrameReader {
  /** The message that was read last. */
  readonly message = new InboundMessage();
  readonly #backend: Backend;
  readonly #small: Region;
  readonly #payload: Region;
  readonly #maxPayloadBytes: number;
  readonly #drops: DropCounters;
  readonly #memory: Pick<MemoryReturn, "passed">;
  readonly #slice: TimeSlice;
  #bytes = 0;

  /**
   * @param maxPayloadBytes Larger payloads that are not small are not read, so that they take no memory.
   * @param memory Is told how many bytes came, now and then.
   * @param slice The time of the pass, within which messages of too many parts are discarded.
   */
  constructor(
    backend: Backend,
    maxPayloadBytes: number,
    drops: DropCounters,
    memory: Pick<MemoryReturn, "passed">,
    slice: TimeSlice,
  ) {
    this.#backend = backend;
    this.#slice = slice;
    this.#small = backend.region(headerAt + headerCapacity);
    this.#payload = backend.region(smallFrameBytes);
    this.#maxPayloadBytes = Math.max(maxPayloadBytes, smallFrameBytes);
    this.#drops = drops;
    this.#memory = memory;
  }

  /** A view of a message's {@link InboundMessage.source}, with the same offsets. */
  viewOf(source: Uint8Array): DataView {
    if (source === this.#payload.bytes) return this.#payload.view;
    return new DataView(source.buffer, source.byteOffset, source.length);
  }

  /** The bytes in which {@link readId} leaves the routing id, from 0 on. */
  get idBytes(): Uint8Array {
    return this.#small.bytes;
  }

  /** A view of {@link idBytes}. */
  get idView(): DataView {
    return this.#small.view;
  }

  /** Receives a routing id: its length, or a negated errno. */
  readId(socket: Handle): number {
    return this.#backend.receive(socket, this.#small, idAt, idCapacity, dontWait);
  }

  /** Receives a type frame: its length, or a negated errno. */
  readType(socket: Handle): number {
    return this.#backend.receive(socket, this.#small, typeAt, typeCapacity, dontWait);
  }

  /**
   * Receives a type frame of a connection that is seen for the first time.
   *
   * @returns Its length, or a negated errno; {@link sourceFd} tells the connection's descriptor.
   */
  readTypeOfStranger(socket: Handle): number {
    const size = this.#backend.receiveMessage(socket, dontWait);
    if (size >= 0) {
      this.sourceFd = this.#backend.messageProperty(MessageProperty.SRCFD);
      this.sourceKey = this.secure ? this.#backend.messageText(MessageText.USER_ID) : null;
      const address = this.#backend.messageText(MessageText.PEER_ADDRESS);
      this.sourceAddress = address !== null && unixAddress.test(address)
        ? "ipc"
        : address?.replace(mappedAddress, "") ?? null;
      this.#backend.messageToRegion(this.#small, typeAt, Math.min(size, typeCapacity));
    }
    return size;
  }

  /**
   * Whether connections have proved to own a key. Without CURVE a client could write any `User-Id` into its
   * handshake.
   */
  secure = false;

  /** The key of the connection that {@link readTypeOfStranger} saw, or null. */
  sourceKey: string | null = null;

  /** Where the connection that {@link readTypeOfStranger} saw comes from: `"ipc"` or an IP address; null if unknown. */
  sourceAddress: string | null = null;

  /** Whether the message that {@link readRest} read last has a fourth part, which no message of ours has. */
  tooManyParts = false;

  /** The descriptor of the connection that {@link readTypeOfStranger} saw, or −1. */
  sourceFd = -1;

  /**
   * Receives header and payload after a type frame of `typeSize` bytes into {@link message}.
   *
   * @returns A value of {@link ReadResult}; with `discarding` the rest goes to {@link discard} later.
   */
  readRest(socket: Handle, typeSize: number): number {
    const backend = this.#backend;
    this.tooManyParts = false;
    if (typeSize !== 1) return this.#refuse(socket, "typeLength");
    if (backend.receiveMore(socket) !== 1) return this.#refuse(socket, "frameCount");
    const headerSize = backend.receive(socket, this.#small, headerAt, headerCapacity, dontWait);
    if (headerSize < 0 || backend.receiveMore(socket) !== 1) return this.#refuse(socket, "frameCount");
    const payloadSize = backend.receiveMessage(socket, dontWait);
    this.tooManyParts = payloadSize >= 0 && backend.messageMore();
    if (payloadSize < 0 || this.tooManyParts) return this.#refuse(socket, "frameCount");
    if (headerSize > headerCapacity) return this.#refuse(socket, "headerTooLarge");
    this.#bytes += payloadSize;
    if (this.#bytes >= tellEveryBytes) {
      this.#memory.passed(this.#bytes);
      this.#bytes = 0;
    }
    const message = this.message;
    message.type = this.#small.bytes[typeAt]!;
    message.header = this.#small.bytes;
    message.headerView = this.#small.view;
    message.headerStart = headerAt;
    message.headerEnd = headerAt + headerSize;
    if (payloadSize === 0) message.own(nothing);
    else if (payloadSize > this.#maxPayloadBytes) {
      // Whoever asked, or waits for this answer, is to be told.
      message.source = nothing;
      message.payloadStart = 0;
      message.payloadEnd = payloadSize;
      message.owned = false;
    } else if (payloadSize <= smallFrameBytes) {
      backend.messageToRegion(this.#payload, 0, payloadSize);
      message.source = this.#payload.bytes;
      message.payloadStart = 0;
      message.payloadEnd = payloadSize;
      message.owned = false;
    } else {
      const own = uninitialized(payloadSize);
      backend.messageToBytes(own, payloadSize);
      message.own(own);
    }
    return ReadResult.message;
  }

  /**
   * Receives and forgets the remaining parts of a message, until the time of the pass is over. Returns whether it
   * reached the end.
   */
  discard(socket: Handle): boolean {
    const backend = this.#backend;
    if (backend.receiveMore(socket) !== 1) return true;
    do {
      for (let i = 0; i < discardsAtOnce; i++) {
        if (backend.receiveMessage(socket, dontWait) < 0 || !backend.messageMore()) return true;
        // Behind this one and the one that was refused comes a fourth at least.
        if (i === 1) this.tooManyParts = true;
      }
    } while (!this.#slice.spend());
    return false;
  }

  #refuse(
    socket: Handle,
    reason: "typeLength" | "frameCount" | "headerTooLarge",
  ): number {
    this.#drops.count(reason);
    return this.discard(socket) ? ReadResult.dropped : ReadResult.discarding;
  }
}
