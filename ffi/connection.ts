import { cString } from "./c_string.ts";
import { Errno } from "./constants.ts";
import type { NativeRegion } from "./memory.ts";
import type { LinuxSystem, System } from "./symbols.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const SOL_SOCKET = 1;
const SO_MEMINFO = 55;
const SHUT_WR = 1;
const SHUT_RDWR = 2;
const F_DUPFD_CLOEXEC = 1030;
const RLIMIT_NOFILE = 7;
/** Offsets of `tcpi_bytes_acked` and `tcpi_bytes_received` in `struct tcp_info` (linux/tcp.h), and their end. */
const ackedAt = 120;
const receivedAt = 128;
const infoBytes = receivedAt + 8;
/** `sockaddr_storage`. */
const addressBytes = 128;
/** Offsets of `SK_MEMINFO_RMEM_ALLOC`, `SK_MEMINFO_WMEM_ALLOC` and `SK_MEMINFO_WMEM_QUEUED` in the result of `SO_MEMINFO`, and their end. */
const waitingAt = 0;
const allocatedAt = 8;
const queuedAt = 20;
const memoryInfoBytes = queuedAt + 4;
/** Enough for `socket:[NUMBER]`. */
const linkBytes = 64;
/** Descriptors that stay free for others: libzmq aborts the process without one. */
const reserve = 64;
const discardBytes = 64 * 1024;
/** Most reads of one {@link TcpConnections.discard}. */
const mostDiscards = 64;

/**
 * Reads connections by their descriptors, which belong to libzmq.
 *
 * A descriptor may be closed and reused at each moment. So {@link TcpConnections.name} is read first, and again before
 * {@link TcpConnections.shutdown}: two simultaneous connections never have the same name.
 */
export interface TcpConnections {
  /** Both addresses of a TCP connection as one text; null for other descriptors. */
  name(fd: number): string | null;
  /** Bytes that the kernel has received on it, or −1. */
  received(fd: number): number;
  /** Bytes that the other end's system has acknowledged, or −1. */
  acked(fd: number): number;
  /** Bytes of system memory for written data that has not arrived, or on a Unix socket was not read; or −1. */
  unread(fd: number): number;
  /** Bytes of system memory for received data that its owner has not read, or −1. */
  waiting(fd: number): number;
  /** Identity of the socket among all open ones of this system, of whatever kind; null without `/proc`. */
  identity(fd: number): string | null;
  /** Ends both directions; the owner sees it as a loss. */
  shutdown(fd: number): void;
  /** A duplicate descriptor, which stays open when the owner closes its own; −1 when few are left. */
  duplicate(fd: number): number;
  /** Ends this side's direction: the other end reads the sent data, and then its end. */
  endWriting(fd: number): void;
  /**
   * Drops received data. Returns whether no more can come: the other end has closed the connection, or it is broken.
   */
  discard(fd: number): boolean;
  /** Closes a descriptor of {@link TcpConnections.duplicate}. */
  close(fd: number): void;
}

/** {@link TcpConnections} on Linux; null elsewhere, where the kernel's counters differ. */
export function tcpConnections(system: System): TcpConnections | null {
  return system.platform === "linux" ? new LinuxConnections(system) : null;
}

class LinuxConnections implements TcpConnections {
  readonly #calls: LinuxSystem["calls"];
  readonly #address: NativeRegion;
  readonly #info: NativeRegion;
  readonly #length: NativeRegion;
  readonly #link: NativeRegion;
  readonly #system: LinuxSystem;
  #discarded: NativeRegion | null = null;
  #highest = -1;

  constructor(system: LinuxSystem) {
    const { calls, memory } = system;
    this.#system = system;
    this.#calls = calls;
    this.#address = memory.region(addressBytes);
    this.#info = memory.region(infoBytes);
    this.#length = memory.region(8);
    this.#link = memory.region(linkBytes);
  }

  name(fd: number): string | null {
    const own = this.#ask(this.#calls.getsockname, fd);
    const other = own === null ? null : this.#ask(this.#calls.getpeername, fd);
    return other === null ? null : `${own} ${other}`;
  }

  received(fd: number): number {
    return this.#counted(fd, receivedAt);
  }

  acked(fd: number): number {
    return this.#counted(fd, ackedAt);
  }

  unread(fd: number): number {
    const length = this.#option(fd, SOL_SOCKET, SO_MEMINFO, memoryInfoBytes);
    if (length < memoryInfoBytes) return -1;
    return this.#info.view.getUint32(allocatedAt, true) + this.#info.view.getUint32(queuedAt, true);
  }

  waiting(fd: number): number {
    const length = this.#option(fd, SOL_SOCKET, SO_MEMINFO, memoryInfoBytes);
    return length < memoryInfoBytes ? -1 : this.#info.view.getUint32(waitingAt, true);
  }

  identity(fd: number): string | null {
    const { address, bytes } = this.#link;
    const size = this.#system.memory.size(linkBytes);
    const length = this.#calls.readlink(cString(`/proc/self/fd/${fd}`), address, size);
    return length <= 0 ? null : String.fromCharCode(...bytes.subarray(0, length));
  }

  shutdown(fd: number): void {
    this.#calls.shutdown(fd, SHUT_RDWR);
  }

  duplicate(fd: number): number {
    const copy = this.#calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return -1;
    this.#system.holdings?.add("descriptor", BigInt(copy));
    // The lowest free number is used, so its distance from the limit bounds the number of free ones.
    if (copy <= this.#highestDuplicate()) return copy;
    this.close(copy);
    return -1;
  }

  endWriting(fd: number): void {
    this.#calls.shutdown(fd, SHUT_WR);
  }

  discard(fd: number): boolean {
    const { memory } = this.#system;
    const { address } = this.#discarded ??= memory.region(discardBytes);
    const size = memory.size(discardBytes);
    for (let i = 0; i < mostDiscards; i++) {
      const length = this.#calls.read(fd, address, size);
      if (length === 0) return true;
      if (length < 0) return this.#calls.errno() !== Errno.EAGAIN;
    }
    return false;
  }

  close(fd: number): void {
    this.#system.holdings?.remove("descriptor", BigInt(fd));
    this.#calls.close(fd);
  }

  #highestDuplicate(): number {
    if (this.#highest >= 0) return this.#highest;
    const limit = this.#system.memory.region(16);
    if (this.#calls.getrlimit(RLIMIT_NOFILE, limit.address) < 0) return 0;
    return this.#highest = Number(limit.view.getBigUint64(0, true)) - reserve;
  }

  #counted(fd: number, at: number): number {
    const length = this.#option(fd, IPPROTO_TCP, TCP_INFO, infoBytes);
    // Kernels before 4.1 fill in less.
    return length < infoBytes ? -1 : Number(this.#info.view.getBigUint64(at, true));
  }

  /** Reads an option into {@link #info}: its length, or −1. */
  #option(fd: number, level: number, name: number, bytes: number): number {
    this.#length.view.setUint32(0, bytes, true);
    const { getsockopt } = this.#calls;
    if (getsockopt(fd, level, name, this.#info.address, this.#length.address) < 0) return -1;
    return this.#length.view.getUint32(0, true);
  }

  #ask(call: LinuxSystem["calls"]["getsockname"], fd: number): string | null {
    this.#length.view.setUint32(0, addressBytes, true);
    if (call(fd, this.#address.address, this.#length.address) < 0) return null;
    const family = this.#address.view.getUint16(0, true);
    if (family !== AF_INET && family !== AF_INET6) return null;
    const length = Math.min(this.#length.view.getUint32(0, true), addressBytes);
    return this.#address.bytes.subarray(0, length).join();
  }
}
