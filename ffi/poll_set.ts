import process from "node:process";
import { Errno } from "./constants.ts";
import { zmqError } from "./errno.ts";
import type { NativeRegion, Size } from "./memory.ts";
import type { DarwinCalls, LinuxCalls, LinuxSystem, System } from "./symbols.ts";

/**
 * A set of descriptors behind one, which is readable while one of them is: epoll or kqueue, with a bell in it.
 * Level-triggered, with the bell.
 */
export interface PollSet {
  /** The set's descriptor. */
  readonly fd: number;
  /** Adds a descriptor; {@link fired} returns its `token`. */
  add(fd: number, token: number): void;
  /** Removes a descriptor; a missing one is no error. */
  remove(fd: number): void;
  /** Writes the tokens of readable descriptors and returns their number; clears the bell. */
  fired(out: Int32Array): number;
  /** Makes the set readable. */
  ring(): void;
  /** Closes the set and the bell. */
  close(): void;
}

/** Most events of one call; later calls return the others in turn. */
const batch = 64;
/** The token of the bell; users' tokens are not negative. */
const bellToken = -1;

const EPOLL_CLOEXEC = 0o2000000;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;

/** A set made of epoll and an eventfd. */
class EpollSet implements PollSet {
  readonly fd: number;
  readonly #calls: LinuxCalls;
  readonly #holdings: LinuxSystem["holdings"];
  readonly #bell: number;
  readonly #event: NativeRegion;
  readonly #eventWords: Int32Array;
  readonly #events: NativeRegion;
  readonly #eventsWords: Int32Array;
  readonly #counter: NativeRegion;
  readonly #counterSize: Size;
  /** `epoll_event` in words of 4 bytes: packed on x86-64, aligned elsewhere. */
  readonly #stride: number;
  readonly #dataAt: number;
  #rung = false;
  #closed = false;

  constructor({ calls, memory, holdings }: LinuxSystem) {
    const packed = process.arch === "x64";
    this.#calls = calls;
    this.#holdings = holdings;
    this.#stride = packed ? 3 : 4;
    this.#dataAt = packed ? 1 : 2;
    this.#event = memory.region(16);
    this.#eventWords = new Int32Array(this.#event.bytes.buffer);
    this.#events = memory.region(batch * 16);
    this.#eventsWords = new Int32Array(this.#events.bytes.buffer);
    this.#counter = memory.region(8);
    this.#counterSize = memory.size(8);
    this.fd = calls.epollCreate(EPOLL_CLOEXEC);
    if (this.fd < 0) throw zmqError(-calls.errno(), "epoll_create1");
    this.#bell = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (this.#bell < 0) {
      const error = zmqError(-calls.errno(), "eventfd");
      calls.close(this.fd);
      throw error;
    }
    this.add(this.#bell, bellToken);
    holdings?.add("descriptor", BigInt(this.fd));
    holdings?.add("bell", BigInt(this.#bell));
  }

  add(fd: number, token: number): void {
    this.#eventWords.fill(0);
    this.#eventWords[0] = EPOLLIN;
    this.#eventWords[this.#dataAt] = token;
    if (this.#calls.epollControl(this.fd, EPOLL_CTL_ADD, fd, this.#event.address) < 0) {
      throw zmqError(-this.#calls.errno(), "epoll_ctl");
    }
  }

  remove(fd: number): void {
    if (this.#calls.epollControl(this.fd, EPOLL_CTL_DEL, fd, this.#event.address) >= 0) return;
    const errno = this.#calls.errno();
    if (errno !== Errno.ENOENT && errno !== Errno.EBADF) throw zmqError(-errno, "epoll_ctl");
  }

  fired(out: Int32Array): number {
    // One more than fits, since the bell may be among them.
    const most = Math.min(batch, out.length + 1);
    const count = this.#calls.epollWait(this.fd, this.#events.address, most, 0);
    let tokens = 0;
    for (let index = 0; index < count; index++) {
      const token = this.#eventsWords[index * this.#stride + this.#dataAt]!;
      if (token === bellToken) {
        this.#calls.read(this.#bell, this.#counter.address, this.#counterSize);
        this.#rung = false;
      } else if (tokens < out.length) {
        out[tokens++] = token;
      }
    }
    return tokens;
  }

  ring(): void {
    if (this.#rung) return;
    this.#rung = true;
    this.#counter.view.setBigUint64(0, 1n, true);
    this.#calls.write(this.#bell, this.#counter.address, this.#counterSize);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#holdings?.remove("descriptor", BigInt(this.fd));
    this.#holdings?.remove("bell", BigInt(this.#bell));
    this.#calls.close(this.fd);
    this.#calls.close(this.#bell);
  }
}

const EVFILT_READ = -1;
const EV_ADD = 0x0001;
const EV_DELETE = 0x0002;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** `struct kevent`: ident u64, filter i16, flags u16, fflags u32, data i64, udata pointer. */
const keventBytes = 32;

/** A set made of kqueue and a pipe. */
class KqueueSet implements PollSet {
  readonly fd: number;
  readonly #calls: DarwinCalls;
  readonly #bell: { readonly read: number; readonly write: number };
  readonly #change: NativeRegion;
  readonly #events: NativeRegion;
  readonly #byte: NativeRegion;
  readonly #one: Size;
  readonly #noTime: NativeRegion;
  #rung = false;
  #closed = false;

  constructor({ calls, memory }: Exclude<System, LinuxSystem>) {
    this.#calls = calls;
    this.#change = memory.region(keventBytes);
    this.#events = memory.region(batch * keventBytes);
    this.#byte = memory.region(8);
    this.#one = memory.size(1);
    this.#noTime = memory.region(16);
    this.fd = calls.kqueue();
    if (this.fd < 0) throw zmqError(-calls.errno(), "kqueue");
    const ends = memory.region(8);
    if (calls.pipe(ends.address) < 0) {
      const error = zmqError(-calls.errno(), "pipe");
      calls.close(this.fd);
      throw error;
    }
    this.#bell = { read: ends.view.getInt32(0, true), write: ends.view.getInt32(4, true) };
    for (const fd of [this.fd, this.#bell.read, this.#bell.write]) calls.fcntl(fd, F_SETFD, FD_CLOEXEC);
    this.add(this.#bell.read, bellToken);
  }

  add(fd: number, token: number): void {
    if (this.#control(fd, EV_ADD, token) < 0) throw zmqError(-this.#calls.errno(), "kevent");
  }

  remove(fd: number): void {
    if (this.#control(fd, EV_DELETE, 0) >= 0) return;
    const errno = this.#calls.errno();
    if (errno !== Errno.ENOENT && errno !== Errno.EBADF) throw zmqError(-errno, "kevent");
  }

  fired(out: Int32Array): number {
    const most = Math.min(batch, out.length + 1);
    const count = this.#calls.kevent(
      this.fd,
      this.#change.address,
      0,
      this.#events.address,
      most,
      this.#noTime.address,
    );
    let tokens = 0;
    for (let index = 0; index < count; index++) {
      const token = this.#events.view.getInt32(index * keventBytes + 24, true);
      if (token === bellToken) {
        this.#calls.read(this.#bell.read, this.#byte.address, this.#one);
        this.#rung = false;
      } else if (tokens < out.length) {
        out[tokens++] = token;
      }
    }
    return tokens;
  }

  ring(): void {
    if (this.#rung) return;
    this.#rung = true;
    this.#calls.write(this.#bell.write, this.#byte.address, this.#one);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of [this.fd, this.#bell.read, this.#bell.write]) this.#calls.close(fd);
  }

  #control(fd: number, flags: number, token: number): number {
    const { view, address } = this.#change;
    view.setBigUint64(0, BigInt(fd), true);
    view.setInt16(8, EVFILT_READ, true);
    view.setUint16(10, flags, true);
    view.setUint32(12, 0, true);
    view.setBigInt64(16, 0n, true);
    view.setBigInt64(24, BigInt(token), true);
    return this.#calls.kevent(this.fd, address, 1, address, 0, this.#noTime.address);
  }
}

/**
 * Makes a set for this platform.
 *
 * @param system libc.
 * @throws {ZeromeshError} `LIMIT_REACHED` without free descriptors.
 */
export function pollSet(system: System): PollSet {
  return system.platform === "linux" ? new EpollSet(system) : new KqueueSet(system);
}
