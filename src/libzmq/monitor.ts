import {
  type Backend,
  type Handle,
  isFailure,
  MonitorEvent,
  ReceiveFlag,
  type Region,
  SocketOption,
  SocketType,
  zmqError,
} from "../../ffi/mod.ts";
import type { Registration, Source } from "./source.ts";

/**
 * Called for each event of a monitored socket, by the reactor.
 *
 * @param event A bit of `MonitorEvent`.
 * @param value A descriptor, an errno, a ZAP status or a protocol error, depending on the event.
 */
export type MonitorListener = (event: number, value: number) => void;

/** Ends a monitor. Must be called before its socket is closed. Idempotent. */
export type StopMonitor = () => void;

/** Reads the monitors of all sockets of a context. */
export interface MonitorHub {
  /** How events are read: by one ROUTER for all sockets, or by a PAIR for each. */
  readonly kind: "shared" | "pairs";
  /** Starts a monitor. */
  watch(socket: Handle, events: number, listener: MonitorListener): StopMonitor;
  /** Reads and delivers the available events. Returns their number. */
  drain(): number;
  /** Closes the readers. All monitored sockets must be closed. */
  close(): void;
}

/** The context of a hub. */
export interface MonitorHost {
  /** libzmq. */
  readonly backend: Backend;
  /** The native context. */
  readonly handle: Handle;
  /** Adds a reader to the reactor, before all other sockets. */
  attachReader(socket: Handle, source: Source, first: boolean): Registration;
  /** Checks a reader before the next wait: calls on it may have consumed its wake-up. */
  touchReader(registration: Registration): void;
  /** Undoes {@link attachReader}. */
  detachReader(registration: Registration): void;
}

const eventBytes = 6;
const endpointCapacity = 512;
// The most events of one pass; there may be more after thousands of connections have come and gone.
const drainedAtOnce = 4_096;

/**
 * Makes the hub of a context: the shared one, or pairs if a probe shows that it does not work.
 *
 * The shared hub depends on inproc not checking socket types, which libzmq does not document.
 */
export function openMonitorHub(host: MonitorHost, prefix: string): MonitorHub {
  const shared = new SharedMonitorHub(host, `${prefix}-m`);
  if (shared.probe()) return shared;
  shared.close();
  return new PairMonitorHub(host, `${prefix}-p`);
}

interface Watched {
  listener: MonitorListener | null;
}

/** One ROUTER reads all monitors; each event arrives as [token, event, endpoint]. */
class SharedMonitorHub implements MonitorHub, Source {
  readonly kind = "shared";
  readonly #host: MonitorHost;
  readonly #prefix: string;
  readonly #reader: Handle;
  readonly #registration: Registration;
  readonly #region: Region;
  readonly #watched = new Map<number, Watched>();
  // Never reused: two pipes with one token abort the process.
  #lastToken = 0;
  #closed = false;

  constructor(host: MonitorHost, prefix: string) {
    this.#host = host;
    this.#prefix = prefix;
    this.#region = host.backend.region(16 + 16 + endpointCapacity);
    this.#reader = openReader(host, SocketType.ROUTER);
    this.#registration = host.attachReader(this.#reader, this, true);
  }

  watch(socket: Handle, events: number, listener: MonitorListener): StopMonitor {
    const backend = this.#host.backend;
    const token = ++this.#lastToken;
    const endpoint = `inproc://${this.#prefix}-${token}`;
    const result = backend.monitor(socket, endpoint, events | MonitorEvent.MONITOR_STOPPED);
    if (result < 0) throw zmqError(result, "zmq_socket_monitor", endpoint);
    const id = new Uint8Array(new ArrayBuffer(5));
    id[0] = 1; // a routing id must not start with 0
    new DataView(id.buffer).setUint32(1, token, true);
    backend.setOption(this.#reader, SocketOption.CONNECT_ROUTING_ID, id);
    const connected = backend.connect(this.#reader, endpoint);
    if (connected < 0) {
      stopUnread(this.#host, socket, endpoint);
      throw zmqError(connected, "zmq_connect", endpoint);
    }
    const watched: Watched = { listener };
    this.#watched.set(token, watched);
    // The calls above consume received commands, and the first event of a new pipe wakes no wait.
    this.#host.touchReader(this.#registration);
    return () => {
      if (watched.listener === null) return;
      watched.listener = null;
      backend.monitor(socket, null, 0);
    };
  }

  /** Starts and ends a monitor on a socket without connections; its last event must carry its token. */
  probe(): boolean {
    const backend = this.#host.backend;
    const socket = backend.socket(this.#host.handle, SocketType.PAIR);
    if (isFailure(socket)) return true; // no sockets left, which the caller's next call reports
    let stop: StopMonitor;
    try {
      stop = this.watch(socket, MonitorEvent.MONITOR_STOPPED, () => {});
    } catch {
      backend.closeSocket(socket);
      return false;
    }
    stop();
    this.drain();
    backend.closeSocket(socket);
    return this.#watched.size === 0;
  }

  receive(budget: number): number {
    const backend = this.#host.backend;
    const region = this.#region;
    for (let count = 0; count < budget; count++) {
      const idSize = backend.receive(this.#reader, region, 0, 16, ReceiveFlag.DONTWAIT);
      if (idSize < 0) return count;
      backend.receive(this.#reader, region, 16, eventBytes, ReceiveFlag.DONTWAIT);
      if (backend.receiveMore(this.#reader) === 1) {
        backend.receive(this.#reader, region, 32, endpointCapacity, ReceiveFlag.DONTWAIT);
      }
      const token = region.view.getUint32(1, true);
      const event = region.view.getUint16(16, true);
      const value = region.view.getUint32(18, true);
      const watched = this.#watched.get(token);
      if (event === MonitorEvent.MONITOR_STOPPED) this.#watched.delete(token);
      else watched?.listener?.(event, value);
    }
    return budget;
  }

  drain(): number {
    if (this.#closed) return 0;
    const count = this.receive(drainedAtOnce);
    // The call may have consumed the wake-up for the remaining events.
    if (count === drainedAtOnce) this.#host.touchReader(this.#registration);
    return count;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#host.detachReader(this.#registration);
    this.#host.backend.closeSocket(this.#reader);
  }
}

/** A PAIR for each monitored socket. */
class PairMonitorHub implements MonitorHub {
  readonly kind = "pairs";
  readonly #host: MonitorHost;
  readonly #prefix: string;
  readonly #readers = new Set<PairReader>();
  #count = 0;

  constructor(host: MonitorHost, prefix: string) {
    this.#host = host;
    this.#prefix = prefix;
  }

  watch(socket: Handle, events: number, listener: MonitorListener): StopMonitor {
    const backend = this.#host.backend;
    const endpoint = `inproc://${this.#prefix}-${++this.#count}`;
    const reader = new PairReader(this.#host, listener, () => this.#readers.delete(reader));
    const result = backend.monitor(socket, endpoint, events | MonitorEvent.MONITOR_STOPPED);
    if (result < 0) {
      reader.close();
      throw zmqError(result, "zmq_socket_monitor", endpoint);
    }
    reader.connect(endpoint);
    this.#readers.add(reader);
    return () => {
      if (reader.listener === null) return;
      reader.listener = null;
      backend.monitor(socket, null, 0);
      reader.drain();
    };
  }

  drain(): number {
    let count = 0;
    for (const reader of [...this.#readers]) count += reader.drain();
    return count;
  }

  close(): void {
    for (const reader of [...this.#readers]) reader.close();
  }
}

class PairReader implements Source {
  listener: MonitorListener | null;
  readonly #host: MonitorHost;
  readonly #reader: Handle;
  readonly #region: Region;
  readonly #registration: Registration;
  readonly #onClose: () => void;
  #closed = false;

  constructor(host: MonitorHost, listener: MonitorListener, onClose: () => void) {
    this.#host = host;
    this.listener = listener;
    this.#onClose = onClose;
    this.#region = host.backend.region(16 + endpointCapacity);
    this.#reader = openReader(host, SocketType.PAIR);
    this.#registration = host.attachReader(this.#reader, this, false);
  }

  connect(endpoint: string): void {
    const connected = this.#host.backend.connect(this.#reader, endpoint);
    if (connected < 0) throw zmqError(connected, "zmq_connect", endpoint);
    this.#host.touchReader(this.#registration);
  }

  drain(): number {
    const count = this.receive(drainedAtOnce);
    if (count === drainedAtOnce) this.#host.touchReader(this.#registration);
    return count;
  }

  receive(budget: number): number {
    const backend = this.#host.backend;
    for (let count = 0; count < budget && !this.#closed; count++) {
      const size = backend.receive(this.#reader, this.#region, 0, eventBytes, ReceiveFlag.DONTWAIT);
      if (size < 0) return count;
      if (backend.receiveMore(this.#reader) === 1) {
        backend.receive(this.#reader, this.#region, 16, endpointCapacity, ReceiveFlag.DONTWAIT);
      }
      const event = this.#region.view.getUint16(0, true);
      if (event === MonitorEvent.MONITOR_STOPPED) this.close();
      else this.listener?.(event, this.#region.view.getUint32(2, true));
    }
    return this.#closed ? 0 : budget;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#host.detachReader(this.#registration);
    this.#host.backend.closeSocket(this.#reader);
    this.#onClose();
  }
}

/** Ends a monitor without a reader. Its last event is sent by a blocking call, so a socket must receive it. */
function stopUnread(host: MonitorHost, socket: Handle, endpoint: string): void {
  const taker = openReader(host, SocketType.PAIR);
  host.backend.connect(taker, endpoint);
  host.backend.monitor(socket, null, 0);
  host.backend.closeSocket(taker);
}

function openReader(host: MonitorHost, type: number): Handle {
  const reader = host.backend.socket(host.handle, type);
  if (isFailure(reader)) throw zmqError(reader, "zmq_socket");
  // Events are sent by a blocking call under a lock: a full bounded pipe would stop the whole context.
  const zero = new Uint8Array(new ArrayBuffer(4));
  host.backend.setOption(reader, SocketOption.RCVHWM, zero);
  host.backend.setOption(reader, SocketOption.LINGER, zero);
  return reader;
}
