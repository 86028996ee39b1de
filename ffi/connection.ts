import type { Region } from "./backend.ts";
import type { LinuxSystem, System } from "./symbols.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const SHUT_RDWR = 2;
/** Where `tcpi_bytes_received` lies in `struct tcp_info` (linux/tcp.h), and where it ends. */
const receivedAt = 128;
const infoBytes = receivedAt + 8;
/** `sockaddr_storage`. */
const addressBytes = 128;

/**
 * Looks at TCP connections by their descriptors, which belong to libzmq.
 *
 * A descriptor may be closed and given to something else at any moment. So {@link TcpConnections.name} comes
 * first and again before {@link TcpConnections.shutdown}: two connections that live at the same time never have
 * the same name.
 */
export interface TcpConnections {
  /** Both addresses of a TCP connection as one text; null for anything else. */
  name(fd: number): string | null;
  /** The port of this side of a TCP connection, or −1. */
  localPort(fd: number): number;
  /** Bytes that the kernel has received on it, or −1. */
  received(fd: number): number;
  /** Ends both directions; its owner learns of it as of any loss. */
  shutdown(fd: number): void;
}

/** {@link TcpConnections} on Linux; null elsewhere, where the kernel counts otherwise. */
export function tcpConnections(system: System): TcpConnections | null {
  return system.platform === "linux" ? new LinuxConnections(system) : null;
}

class LinuxConnections implements TcpConnections {
  readonly #calls: LinuxSystem["calls"];
  readonly #address: Region;
  readonly #info: Region;
  readonly #length: Region;

  constructor({ calls, region }: LinuxSystem) {
    this.#calls = calls;
    this.#address = region(addressBytes);
    this.#info = region(infoBytes);
    this.#length = region(8);
  }

  name(fd: number): string | null {
    const own = this.#ask(this.#calls.getsockname, fd);
    const other = own === null ? null : this.#ask(this.#calls.getpeername, fd);
    return other === null ? null : `${own} ${other}`;
  }

  localPort(fd: number): number {
    // `sin_port` and `sin6_port` lie at the same place, in network order.
    return this.#ask(this.#calls.getsockname, fd) === null ? -1 : this.#address.view.getUint16(2);
  }

  received(fd: number): number {
    this.#length.view.setUint32(0, infoBytes, true);
    const { getsockopt } = this.#calls;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, this.#info.address, this.#length.address) < 0) return -1;
    // Kernels before 4.1 fill in less.
    if (this.#length.view.getUint32(0, true) < infoBytes) return -1;
    return Number(this.#info.view.getBigUint64(receivedAt, true));
  }

  shutdown(fd: number): void {
    this.#calls.shutdown(fd, SHUT_RDWR);
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
