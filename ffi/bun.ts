import process from "node:process";
import { ZeromeshError } from "../src/core/mod.ts";
import type { Backend, Handle, LibraryInfo, Region, Waiter, WaiterOptions } from "./backend.ts";
import { bunHost, type BunLibrary, type BunRegion, makeRegion, openBunLibrary } from "./bun_library.ts";
import { termAway } from "./bun_term.ts";
import { runAway } from "./bun_thread.ts";
import type { BunCalls } from "./bun_types.ts";
import { bunWaiter, type WaitingParts } from "./bun_waiter.ts";
import { cString, fromCString } from "./c_string.ts";
import { type TcpConnections, tcpConnections } from "./connection.ts";
import { Errno, SocketOption } from "./constants.ts";
import { type LibraryChoice, openLibrary } from "./library.ts";
import { countDescriptors, spareDescriptors } from "./loop_descriptor.ts";
import { keepFreedMemory, largeMessageBytes } from "./malloc.ts";
import type { zmqSymbols } from "./symbols.ts";

/** `zmq_msg_t`. */
const messageBytes = 64;
/** A Z85 key and its NUL. */
const keyBytes = 41;

/** A handle as Bun has it. */
function native(handle: Handle): number {
  return handle as unknown as number;
}

function fromNative(pointer: number): Handle {
  return pointer as unknown as Handle;
}

class BunBackend implements Backend {
  readonly runtime = "bun";
  readonly library: LibraryInfo;
  readonly tcpConnections: TcpConnections | null;
  readonly #native: BunLibrary;
  readonly #zmq: BunCalls<typeof zmqSymbols>;
  readonly #waiting: WaitingParts;
  // The kept cells; their addresses are good for as long as these fields hold the memory.
  readonly #value = makeRegion(8);
  readonly #length = makeRegion(8);
  readonly #message = makeRegion(messageBytes);
  readonly #valueWords = new Int32Array(this.#value.bytes.buffer);
  readonly #lengthWords = new Int32Array(this.#length.bytes.buffer);
  readonly #valueAt = this.#value.address;
  readonly #lengthAt = this.#length.address;
  readonly #messageAt = this.#message.address;
  #largeMessages = false;

  constructor(library: BunLibrary, info: LibraryInfo) {
    this.library = info;
    this.#native = library;
    this.tcpConnections = tcpConnections(library.system);
    this.#zmq = library.zmq;
    this.#waiting = { library, loop: undefined };
    this.#zmq.msgInit(this.#messageAt);
  }

  region(size: number): Region {
    return makeRegion(size);
  }

  errorText(errno: number): string {
    return this.#zmq.strerror(errno)?.toString() ?? `errno ${errno}`;
  }

  curveKeyPair(): { publicKey: string; secretKey: string } | null {
    const { curveKeypair } = this.#native.optional;
    const publicKey = new Uint8Array(new ArrayBuffer(keyBytes));
    const secretKey = new Uint8Array(new ArrayBuffer(keyBytes));
    if (curveKeypair === undefined || curveKeypair(publicKey, secretKey) < 0) return null;
    return { publicKey: fromCString(publicKey), secretKey: fromCString(secretKey) };
  }

  curvePublicKey(secretKey: string): string | null {
    const { curvePublic } = this.#native.optional;
    const publicKey = new Uint8Array(new ArrayBuffer(keyBytes));
    if (curvePublic === undefined || curvePublic(publicKey, cString(secretKey)) < 0) return null;
    return fromCString(publicKey);
  }

  contextNew(): Handle {
    const context = this.#zmq.ctxNew();
    if (context === null) throw new ZeromeshError("ZMQ_ERROR", "Cannot create a context: out of memory");
    this.#native.system.holdings?.add("context", BigInt(native(fromNative(context))));
    return fromNative(context);
  }

  contextSet(context: Handle, option: number, value: number): number {
    return this.#result(this.#zmq.ctxSet(native(context), option, value));
  }

  contextGet(context: Handle, option: number): number {
    return this.#result(this.#zmq.ctxGet(native(context), option));
  }

  contextShutdown(context: Handle): number {
    return this.#result(this.#zmq.ctxShutdown(native(context)));
  }

  contextTerm(context: Handle): Promise<number> {
    this.#native.system.holdings?.remove("context", BigInt(native(context)));
    return termAway(this.#native, native(context));
  }

  contextTermNow(context: Handle): number {
    this.#native.system.holdings?.remove("context", BigInt(native(context)));
    for (;;) {
      const result = this.#result(this.#zmq.ctxTerm(native(context)));
      if (result !== -Errno.EINTR) return result;
    }
  }

  socket(context: Handle, type: number): Handle | number {
    const socket = this.#zmq.socket(native(context), type);
    if (socket === null) return -this.#zmq.errno();
    this.#native.system.holdings?.add("socket", BigInt(native(fromNative(socket))));
    return fromNative(socket);
  }

  closeSocket(socket: Handle): number {
    this.#native.system.holdings?.remove("socket", BigInt(native(socket)));
    return this.#result(this.#zmq.close(native(socket)));
  }

  bind(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.bind(native(socket), cString(endpoint)));
  }

  unbind(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.unbind(native(socket), cString(endpoint)));
  }

  connect(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.connect(native(socket), cString(endpoint)));
  }

  disconnect(socket: Handle, endpoint: string): number {
    return this.#result(this.#zmq.disconnect(native(socket), cString(endpoint)));
  }

  setOption(socket: Handle, option: number, value: Uint8Array): number {
    return this.#result(this.#zmq.setsockopt(native(socket), option, value, value.length));
  }

  getOption(socket: Handle, option: number, into: Uint8Array): number {
    this.#lengthWords[0] = into.length;
    const result = this.#zmq.getsockoptView(native(socket), option, into, this.#lengthAt);
    return result < 0 ? -this.#zmq.errno() : this.#lengthWords[0]!;
  }

  monitor(socket: Handle, endpoint: string | null, events: number): number {
    const name = endpoint === null ? null : cString(endpoint);
    return this.#result(this.#zmq.monitor(native(socket), name, events));
  }

  events(socket: Handle): number {
    return this.#intOption(socket, SocketOption.EVENTS);
  }

  send(socket: Handle, bytes: Uint8Array, flags: number): number {
    if (bytes.length > largeMessageBytes) this.#expectLargeMessages();
    for (;;) {
      const sent = this.#zmq.sendView(native(socket), bytes, bytes.length, flags);
      if (sent >= 0) return sent;
      const errno = this.#zmq.errno();
      if (errno !== Errno.EINTR) return -errno;
    }
  }

  sendRegion(socket: Handle, region: BunRegion, offset: number, length: number, flags: number): number {
    for (;;) {
      const sent = this.#zmq.send(native(socket), region.address + offset, length, flags);
      if (sent >= 0) return sent;
      const errno = this.#zmq.errno();
      if (errno !== Errno.EINTR) return -errno;
    }
  }

  receive(socket: Handle, region: BunRegion, offset: number, capacity: number, flags: number): number {
    for (;;) {
      const size = this.#zmq.recv(native(socket), region.address + offset, capacity, flags);
      if (size >= 0) return size;
      const errno = this.#zmq.errno();
      if (errno !== Errno.EINTR) return -errno;
    }
  }

  receiveMore(socket: Handle): number {
    return this.#intOption(socket, SocketOption.RCVMORE);
  }

  receiveMessage(socket: Handle, flags: number): number {
    for (;;) {
      const size = this.#zmq.msgRecv(this.#messageAt, native(socket), flags);
      if (size >= 0) return size;
      const errno = this.#zmq.errno();
      if (errno !== Errno.EINTR) return -errno;
    }
  }

  messageMore(): boolean {
    return this.#zmq.msgMore(this.#messageAt) === 1;
  }

  messageToRegion(region: BunRegion, offset: number, size: number): void {
    if (size > 0) this.#zmq.memcpy(region.address + offset, this.#zmq.msgData(this.#messageAt), size);
  }

  messageToBytes(target: Uint8Array, size: number): void {
    if (size > largeMessageBytes) this.#expectLargeMessages();
    if (size > 0) this.#zmq.memcpyView(target, this.#zmq.msgData(this.#messageAt), size);
  }

  messageProperty(property: number): number {
    return this.#zmq.msgGet(this.#messageAt, property);
  }

  messageText(name: string): string | null {
    return this.#zmq.msgGets(this.#messageAt, cString(name))?.toString() ?? null;
  }

  waiter(options: WaiterOptions): Promise<Waiter> {
    return bunWaiter(this.#waiting, options);
  }

  endDeadThreads(): AsyncDisposable | null {
    return this.#native.system.holdings?.watch(this) ?? null;
  }

  descriptors(): { limit: number; open: number } | null {
    return countDescriptors(this.#native.system);
  }

  spareDescriptors(count: number): number {
    return spareDescriptors(this.#native.system, count);
  }

  release(): boolean {
    // Nothing counts what is loaded here.
    return false;
  }

  returnMemory(): Promise<void> | null {
    const { mallocTrim } = this.#native.optional;
    if (mallocTrim === undefined) return null;
    return runAway(this.#native, mallocTrim, 0)?.then(() => {}) ?? null;
  }

  userId(): number | null {
    return this.#native.system.calls.getuid();
  }

  #expectLargeMessages(): void {
    if (this.#largeMessages) return;
    this.#largeMessages = true;
    keepFreedMemory(this.#native.optional.mallopt);
  }

  #intOption(socket: Handle, option: number): number {
    for (;;) {
      this.#lengthWords[0] = 4;
      const result = this.#zmq.getsockopt(native(socket), option, this.#valueAt, this.#lengthAt);
      if (result >= 0) return this.#valueWords[0]!;
      const errno = this.#zmq.errno();
      // A signal may come after libzmq took in the command that announces a message: whoever does not ask again
      // never hears of it.
      if (errno !== Errno.EINTR) return -errno;
    }
  }

  /** The negated errno of a call that failed just now. */
  #result(result: number): number {
    return result < 0 ? -this.#zmq.errno() : result;
  }
}

/** Older ones crash when Workers open libraries, and cannot open one that a program carries. */
const oldestBun = [1, 4] as const;

/** Finds and opens libzmq. @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`, `FEATURE_UNAVAILABLE`. */
export function openBackend(choice: LibraryChoice): Backend {
  const running = process.versions["bun"] ?? "0";
  const [major = 0, minor = 0] = running.split(".").map(Number);
  if (major < oldestBun[0] || (major === oldestBun[0] && minor < oldestBun[1])) {
    const message = `Cannot open libzmq: this is Bun ${running}, and ${
      oldestBun.join(".")
    } or newer is needed`;
    throw new ZeromeshError("FEATURE_UNAVAILABLE", message);
  }
  const { library, info } = openLibrary({
    choice,
    host: bunHost,
    open: (path) => {
      const library = openBunLibrary(path);
      return { library, zmq: library.zmq };
    },
  });
  return new BunBackend(library, info);
}
