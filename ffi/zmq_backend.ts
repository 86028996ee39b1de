import { ZeromeshError } from "../src/core/mod.ts";
import type { Backend, Drafts, Handle, LibraryInfo, Region, Waiter, WaiterOptions } from "./backend.ts";
import { cString, fromCString } from "./c_string.ts";
import { type TcpConnections, tcpConnections } from "./connection.ts";
import { Errno, SocketOption } from "./constants.ts";
import { NativeDrafts } from "./drafts.ts";
import { loopWaiter } from "./loop_waiter.ts";
import { countDescriptors, spareDescriptors } from "./loop_descriptor.ts";
import { keepFreedMemory, largeMessageBytes } from "./malloc.ts";
import type { Address, NativeMemory, NativeRegion } from "./memory.ts";
import type { Native } from "./native.ts";
import type { Calls, System, zmqSymbols } from "./symbols.ts";

/** `zmq_msg_t`. */
const messageBytes = 64;
/** A Z85 key and its NUL. */
const keyBytes = 41;
const interrupted = -Errno.EINTR;
/** How often an interrupted `zmq_ctx_term` is called again. */
const mostTermTries = 100;

/**
 * libzmq through the functions of a runtime. A process has one runtime, so every call has one target, and injecting the
 * functions costs the hot calls nothing.
 */
export class ZmqBackend implements Backend {
  readonly runtime: Backend["runtime"];
  readonly library: LibraryInfo;
  readonly tcpConnections: TcpConnections | null;
  readonly #native: Native;
  readonly #system: System;
  readonly #memory: NativeMemory;
  readonly #zmq: Calls<typeof zmqSymbols>;
  // The kept cells; the fields keep their memory, and so their addresses, valid.
  readonly #value: NativeRegion;
  readonly #length: NativeRegion;
  readonly #message: NativeRegion;
  readonly #valueWords: Int32Array;
  readonly #lengthWords: Int32Array;
  readonly #messageAt: Address;
  #largeMessages = false;
  #drafts: Drafts | null | undefined;

  constructor(native: Native, library: LibraryInfo) {
    const { runtime, system, zmq } = native;
    const { memory } = system;
    this.runtime = runtime;
    this.library = library;
    this.tcpConnections = tcpConnections(system);
    this.#native = native;
    this.#system = system;
    this.#memory = memory;
    this.#zmq = zmq;
    this.#value = memory.region(8);
    this.#length = memory.region(8);
    this.#message = memory.region(messageBytes);
    this.#valueWords = new Int32Array(this.#value.bytes.buffer);
    this.#lengthWords = new Int32Array(this.#length.bytes.buffer);
    this.#messageAt = this.#message.address;
    zmq.msgInit(this.#messageAt);
  }

  region(size: number): Region {
    return this.#memory.region(size);
  }

  errorText(errno: number): string {
    return this.#memory.text(this.#zmq.strerror(errno)) ?? `errno ${errno}`;
  }

  curveKeyPair(): { publicKey: string; secretKey: string } | null {
    const { curveKeypair } = this.#native.optional;
    const publicKey = new Uint8Array(new ArrayBuffer(keyBytes));
    const secretKey = new Uint8Array(new ArrayBuffer(keyBytes));
    if (!curveKeypair || curveKeypair(publicKey, secretKey) < 0) return null;
    return { publicKey: fromCString(publicKey), secretKey: fromCString(secretKey) };
  }

  curvePublicKey(secretKey: string): string | null {
    const { curvePublic } = this.#native.optional;
    const publicKey = new Uint8Array(new ArrayBuffer(keyBytes));
    if (!curvePublic || curvePublic(publicKey, cString(secretKey)) < 0) return null;
    return fromCString(publicKey);
  }

  contextNew(): Handle {
    const context = this.#zmq.ctxNew();
    if (context === null) throw new ZeromeshError("ZMQ_ERROR", "Cannot create a context: out of memory");
    this.#system.holdings?.add("context", this.#memory.value(context));
    return context;
  }

  sharedContext(): Handle {
    return this.#system.shared?.join(() => this.#zmq.ctxNew()) ?? this.contextNew();
  }

  leaveSharedContext(): boolean {
    return this.#system.shared?.leave() ?? true;
  }

  contextSet(context: Handle, option: number, value: number): number {
    return this.#result(this.#zmq.ctxSet(context, option, value));
  }

  contextGet(context: Handle, option: number): number {
    return this.#result(this.#zmq.ctxGet(context, option));
  }

  contextShutdown(context: Handle): number {
    return this.#result(this.#zmq.ctxShutdown(context));
  }

  async contextTerm(context: Handle): Promise<number> {
    this.#system.holdings?.remove("context", this.#memory.value(context));
    for (let tries = 0; tries < mostTermTries; tries++) {
      const result = await this.#native.contextTerm(context);
      if (result !== interrupted) return result;
    }
    return interrupted;
  }

  contextTermNow(context: Handle, slow?: { readonly slowMs: number; readonly slow: () => void }): number {
    this.#system.holdings?.remove("context", this.#memory.value(context));
    const watched = slow === undefined ? null : this.#native.contextTermWatched?.(context, slow) ?? null;
    if (watched === 0) return 0;
    for (;;) {
      const result = this.#result(this.#zmq.ctxTerm(context));
      if (result !== interrupted) return result;
    }
  }

  socket(context: Handle, type: number): Handle | number {
    const socket = this.#zmq.socket(context, type);
    if (socket === null) return -this.#zmq.errno();
    this.#system.holdings?.add("socket", this.#memory.value(socket));
    return socket;
  }

  closeSocket(socket: Handle): number {
    this.#system.holdings?.remove("socket", this.#memory.value(socket));
    return this.#result(this.#zmq.close(socket));
  }

  bind(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.bind(socket, cString(endpoint)));
  }

  unbind(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.unbind(socket, cString(endpoint)));
  }

  connect(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.connect(socket, cString(endpoint)));
  }

  disconnect(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.disconnect(socket, cString(endpoint)));
  }

  setOption(socket: Handle, option: number, value: Uint8Array | null): number {
    const size = this.#memory.size(value?.length ?? 0);
    return this.#result(this.#zmq.setsockopt(socket, option, value, size));
  }

  getOption(socket: Handle, option: number, into: Uint8Array): number {
    this.#lengthWords[0] = into.length;
    const result = this.#result(this.#zmq.getsockoptView(socket, option, into, this.#length.address));
    return result < 0 ? result : this.#lengthWords[0]!;
  }

  monitor(socket: Handle, endpoint: string | null, events: number): number {
    const name = endpoint === null ? null : cString(endpoint);
    return this.#result(this.#zmq.monitor(socket, name, events));
  }

  events(socket: Handle): number {
    return this.#intOption(socket, SocketOption.EVENTS);
  }

  send(socket: Handle, bytes: Uint8Array, flags: number): number {
    if (bytes.length > largeMessageBytes) this.#expectLargeMessages();
    const size = this.#memory.size(bytes.length);
    for (;;) {
      const sent = this.#result(this.#zmq.sendView(socket, bytes, size, flags));
      if (sent !== interrupted) return sent;
    }
  }

  sendRegion(socket: Handle, region: NativeRegion, offset: number, length: number, flags: number): number {
    const at = this.#memory.at(region, offset);
    const size = this.#memory.size(length);
    for (;;) {
      const sent = this.#result(this.#zmq.send(socket, at, size, flags));
      if (sent !== interrupted) return sent;
    }
  }

  receive(socket: Handle, region: NativeRegion, offset: number, capacity: number, flags: number): number {
    const at = this.#memory.at(region, offset);
    const most = this.#memory.size(capacity);
    for (;;) {
      const size = this.#result(this.#zmq.recv(socket, at, most, flags));
      if (size !== interrupted) return size;
    }
  }

  receiveMore(socket: Handle): number {
    return this.#intOption(socket, SocketOption.RCVMORE);
  }

  receiveMessage(socket: Handle, flags: number): number {
    for (;;) {
      const size = this.#result(this.#zmq.msgRecv(this.#messageAt, socket, flags));
      if (size !== interrupted) return size;
    }
  }

  sendMessage(socket: Handle, flags: number): number {
    for (;;) {
      const size = this.#result(this.#zmq.msgSend(this.#messageAt, socket, flags));
      if (size !== interrupted) return size;
    }
  }

  messageMore(): boolean {
    return this.#zmq.msgMore(this.#messageAt) === 1;
  }

  messageToRegion(region: NativeRegion, offset: number, size: number): void {
    if (size === 0) return;
    if (size > largeMessageBytes) this.#expectLargeMessages();
    const target = this.#memory.at(region, offset);
    this.#zmq.memcpy(target, this.#zmq.msgData(this.#messageAt), this.#memory.size(size));
  }

  messageToBytes(target: Uint8Array, size: number): void {
    if (size > largeMessageBytes) this.#expectLargeMessages();
    if (size > 0) this.#zmq.memcpyView(target, this.#zmq.msgData(this.#messageAt), this.#memory.size(size));
  }

  messageProperty(property: number): number {
    return this.#zmq.msgGet(this.#messageAt, property);
  }

  messageText(name: string): string | null {
    return this.#memory.text(this.#zmq.msgGets(this.#messageAt, cString(name)));
  }

  get drafts(): Drafts | null {
    return this.#drafts === undefined ? this.#drafts = this.#openDrafts() : this.#drafts;
  }

  closePoller(poller: Handle): void {
    this.drafts?.closePoller(poller);
  }

  waiter(options: WaiterOptions): Promise<Waiter> {
    return loopWaiter(this.#native, this.library.path, options);
  }

  endDeadThreads(): AsyncDisposable | null {
    return this.#system.holdings?.watch(this) ?? null;
  }

  descriptors(): { limit: number; open: number } | null {
    return countDescriptors(this.#system);
  }

  spareDescriptors(count: number): number {
    return spareDescriptors(this.#system, count);
  }

  release(): boolean {
    return this.#native.release();
  }

  returnMemory(): Promise<void> | null {
    return this.#native.returnMemory()?.then(() => {}) ?? null;
  }

  userId(): number | null {
    return this.#system.calls.getuid();
  }

  #openDrafts(): Drafts | null {
    if (!this.library.capabilities.includes("draft")) return null;
    try {
      const calls = this.#native.drafts();
      return new NativeDrafts({ calls, zmq: this.#zmq, system: this.#system, kept: this.#messageAt });
    } catch {
      return null;
    }
  }

  #expectLargeMessages(): void {
    if (this.#largeMessages) return;
    this.#largeMessages = true;
    keepFreedMemory(this.#native.optional.mallopt);
  }

  #intOption(socket: Handle, option: number): number {
    for (;;) {
      this.#lengthWords[0] = 4;
      const { address } = this.#value;
      const result = this.#result(this.#zmq.getsockopt(socket, option, address, this.#length.address));
      if (result >= 0) return this.#valueWords[0]!;
      // The signal may come after libzmq has processed the command that announces a message: without a retry the
      // message would go unnoticed.
      if (result !== interrupted) return result;
    }
  }

  /** The negated errno of a call that failed just now. */
  #result(result: number): number {
    return result < 0 ? -this.#zmq.errno() : result;
  }
}
