import { ZeromeshError } from "../src/core/mod.ts";
import type { Backend, Handle, LibraryInfo, Region, Waiter, WaiterOptions } from "./backend.ts";
import { cString, fromCString } from "./c_string.ts";
import { type TcpConnections, tcpConnections } from "./connection.ts";
import { Errno, SocketOption } from "./constants.ts";
import {
  deno,
  denoHost,
  type DenoLibrary,
  type DenoRegion,
  makeRegion,
  openDenoLibrary,
} from "./deno_library.ts";
import type { DenoCalls, PointerObject } from "./deno_types.ts";
import { denoWaiter } from "./deno_waiter.ts";
import { type LibraryChoice, openLibrary } from "./library.ts";
import { countDescriptors, spareDescriptors } from "./loop_descriptor.ts";
import { keepFreedMemory, largeMessageBytes } from "./malloc.ts";
import type { zmqSymbols } from "./symbols.ts";

/** `zmq_msg_t`. */
const messageBytes = 64;
/** A Z85 key and its NUL. */
const keyBytes = 41;
/** How often an interrupted `zmq_ctx_term` is called again. */
const mostTermTries = 100;

/** A handle as Deno has it. */
function native(handle: Handle): PointerObject {
  return handle as unknown as PointerObject;
}

function fromNative(pointer: PointerObject): Handle {
  return pointer as unknown as Handle;
}

/** An address inside a region. */
function at(region: DenoRegion, offset: number): bigint {
  return offset === 0 ? region.address : region.address + BigInt(offset);
}

function text(pointer: PointerObject | null): string | null {
  return pointer === null ? null : deno.UnsafePointerView.getCString(pointer);
}

class DenoBackend implements Backend {
  readonly runtime = "deno";
  readonly library: LibraryInfo;
  readonly tcpConnections: TcpConnections | null;
  readonly #native: DenoLibrary;
  readonly #zmq: DenoCalls<typeof zmqSymbols>;
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

  constructor(library: DenoLibrary, info: LibraryInfo) {
    this.library = info;
    this.#native = library;
    this.tcpConnections = tcpConnections(library.system);
    this.#zmq = library.zmq;
    this.#zmq.msgInit(this.#messageAt);
  }

  region(size: number): Region {
    return makeRegion(size);
  }

  errorText(errno: number): string {
    return text(this.#zmq.strerror(errno)) ?? `errno ${errno}`;
  }

  curveKeyPair(): { publicKey: string; secretKey: string } | null {
    const { curveKeypair } = this.#native.optional;
    const publicKey = new Uint8Array(new ArrayBuffer(keyBytes));
    const secretKey = new Uint8Array(new ArrayBuffer(keyBytes));
    if (curveKeypair === null || curveKeypair(publicKey, secretKey) < 0) return null;
    return { publicKey: fromCString(publicKey), secretKey: fromCString(secretKey) };
  }

  curvePublicKey(secretKey: string): string | null {
    const { curvePublic } = this.#native.optional;
    const publicKey = new Uint8Array(new ArrayBuffer(keyBytes));
    if (curvePublic === null || curvePublic(publicKey, cString(secretKey)) < 0) return null;
    return fromCString(publicKey);
  }

  contextNew(): Handle {
    const context = this.#zmq.ctxNew();
    if (context === null) throw new ZeromeshError("ZMQ_ERROR", "Cannot create a context: out of memory");
    this.#native.system.holdings?.add("context", deno.UnsafePointer.value(native(fromNative(context))));
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

  async contextTerm(context: Handle): Promise<number> {
    this.#native.system.holdings?.remove("context", deno.UnsafePointer.value(native(context)));
    // The errno stays on the thread that ran it; with a living context only a signal makes it fail.
    for (let tries = 0; tries < mostTermTries; tries++) {
      if (await this.#zmq.ctxTermAway(native(context)) >= 0) return 0;
    }
    return -Errno.EINTR;
  }

  contextTermNow(context: Handle): number {
    this.#native.system.holdings?.remove("context", deno.UnsafePointer.value(native(context)));
    for (;;) {
      const result = this.#result(this.#zmq.ctxTerm(native(context)));
      if (result !== -Errno.EINTR) return result;
    }
  }

  socket(context: Handle, type: number): Handle | number {
    const socket = this.#zmq.socket(native(context), type);
    if (socket === null) return -this.#zmq.errno();
    this.#native.system.holdings?.add("socket", deno.UnsafePointer.value(native(fromNative(socket))));
    return fromNative(socket);
  }

  closeSocket(socket: Handle): number {
    this.#native.system.holdings?.remove("socket", deno.UnsafePointer.value(native(socket)));
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
    return this.#result(this.#zmq.setsockopt(native(socket), option, value, BigInt(value.length)));
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
      const sent = this.#zmq.sendView(native(socket), bytes, BigInt(bytes.length), flags);
      if (sent >= 0) return sent;
      const errno = this.#zmq.errno();
      if (errno !== Errno.EINTR) return -errno;
    }
  }

  sendRegion(socket: Handle, region: DenoRegion, offset: number, length: number, flags: number): number {
    for (;;) {
      const sent = this.#zmq.send(native(socket), at(region, offset), BigInt(length), flags);
      if (sent >= 0) return sent;
      const errno = this.#zmq.errno();
      if (errno !== Errno.EINTR) return -errno;
    }
  }

  receive(socket: Handle, region: DenoRegion, offset: number, capacity: number, flags: number): number {
    for (;;) {
      const size = this.#zmq.recv(native(socket), at(region, offset), BigInt(capacity), flags);
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

  messageToRegion(region: DenoRegion, offset: number, size: number): void {
    if (size > 0) this.#zmq.memcpy(at(region, offset), this.#zmq.msgData(this.#messageAt), BigInt(size));
  }

  messageToBytes(target: Uint8Array, size: number): void {
    if (size > largeMessageBytes) this.#expectLargeMessages();
    if (size > 0) this.#zmq.memcpyView(target, this.#zmq.msgData(this.#messageAt), BigInt(size));
  }

  messageProperty(property: number): number {
    return this.#zmq.msgGet(this.#messageAt, property);
  }

  messageText(name: string): string | null {
    return text(this.#zmq.msgGets(this.#messageAt, cString(name)));
  }

  waiter(options: WaiterOptions): Promise<Waiter> {
    return denoWaiter(this.#native, options);
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
    this.#native.close();
    return true;
  }

  returnMemory(): Promise<void> | null {
    const { mallocTrimAway } = this.#native.optional;
    return mallocTrimAway === null ? null : mallocTrimAway(null).then(() => {});
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

/** Finds and opens libzmq. @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`. */
export function openBackend(choice: LibraryChoice): Backend {
  const tried: DenoLibrary[] = [];
  try {
    const { library, info } = openLibrary({
      choice,
      host: denoHost,
      open: (path) => {
        const library = openDenoLibrary(path);
        tried.push(library);
        return { library, zmq: library.zmq };
      },
    });
    for (const other of tried) if (other !== library) other.close();
    return new DenoBackend(library, info);
  } catch (error) {
    // Asked afterwards: until then Deno may still have asked the person at the terminal.
    if (
      !(error instanceof ZeromeshError) || deno.permissions.querySync({ name: "ffi" }).state === "granted"
    ) {
      throw error;
    }
    throw new ZeromeshError(
      "LIBZMQ_NOT_FOUND",
      "Cannot load libzmq: this Deno process has no permission to call foreign functions; " +
        "run it with --allow-ffi, without a path, and with --allow-read and --allow-env",
      { details: error.details, cause: error },
    );
  }
}
