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
import type { Reactor } from "./reactor.ts";
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
  /** Reads the readers. */
  readonly reactor: Reactor;
}

// The most events of one pass; there may be more after thousands of connections have come and gone.
const drainedAtOnce = 4_096;

/**
 * Makes the hub of a context: the shared one, or pairs if a probe shows that it does not work.
 *
 * The shared hub depends on inproc not checking socket types, which libzmq does not document.
 */
export function openMonitorHub(host: MonitorHost, prefix: string): MonitorHub {
  const shared = new Hub(host, `${prefix}-m`, "shared");
  if (shared.probe()) return shared;
  shared.close();
  return new Hub(host, `${prefix}-p`, "pairs");
}

/** A monitored socket. */
interface Watched {
  listener: MonitorListener | null;
  readonly reader: Reader;
}

class Hub implements MonitorHub {
  readonly kind: MonitorHub["kind"];
  readonly #host: MonitorHost;
  readonly #prefix: string;
  readonly #shared: Reader | null;
  readonly #watched = new Map<number, Watched>();
  // Never reused: two pipes with one token abort the process.
  #lastToken = 0;

  constructor(host: MonitorHost, prefix: string, kind: MonitorHub["kind"]) {
    this.#host = host;
    this.#prefix = prefix;
    this.kind = kind;
    this.#shared = kind === "shared" ? new Reader(host, null, this.#deliver) : null;
  }

  watch(socket: Handle, events: number, listener: MonitorListener): StopMonitor {
    const { backend } = this.#host;
    const token = ++this.#lastToken;
    const endpoint = `inproc://${this.#prefix}-${token}`;
    const reader = this.#shared ?? new Reader(this.#host, token, this.#deliver);
    const single = reader !== this.#shared;
    const result = backend.monitor(socket, endpoint, events | MonitorEvent.MONITOR_STOPPED);
    if (result < 0) {
      if (single) reader.close();
      throw zmqError(result, "zmq_socket_monitor", endpoint);
    }
    const connected = reader.connect(endpoint, token);
    if (connected < 0) {
      stopUnread(this.#host, socket, endpoint);
      if (single) reader.close();
      throw zmqError(connected, "zmq_connect", endpoint);
    }
    const watched: Watched = { listener, reader };
    this.#watched.set(token, watched);
    return () => {
      if (watched.listener === null) return;
      watched.listener = null;
      backend.monitor(socket, null, 0);
      if (single) reader.drain();
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

  drain(): number {
    if (this.#shared !== null) return this.#shared.drain();
    let count = 0;
    for (const { reader } of [...this.#watched.values()]) count += reader.drain();
    return count;
  }

  close(): void {
    this.#shared?.close();
    for (const { reader } of this.#watched.values()) reader.close();
  }

  readonly #deliver = (token: number, event: number, value: number): void => {
    const watched = this.#watched.get(token);
    if (event !== MonitorEvent.MONITOR_STOPPED) return watched?.listener?.(event, value);
    this.#watched.delete(token);
    if (watched !== undefined && watched.reader !== this.#shared) watched.reader.close();
  };
}

// Offsets in the memory of a reader: a routing id, of which byte 0 is 1 and the token follows; event and value; endpoint.
const tokenAt = 1;
const idCapacity = 16;
const eventAt = idCapacity;
const valueAt = eventAt + 2;
const eventBytes = 6;
const endpointAt = eventAt + idCapacity;
const endpointCapacity = 512;

/** Reads monitors: a ROUTER those of all sockets, each event as [token, event, endpoint], or a PAIR the one of a token. */
class Reader implements Source {
  readonly #host: MonitorHost;
  readonly #handle: Handle;
  readonly #single: boolean;
  readonly #region: Region;
  readonly #registration: Registration;
  readonly #deliver: (token: number, event: number, value: number) => void;
  #closed = false;

  constructor(
    host: MonitorHost,
    token: number | null,
    deliver: (token: number, event: number, value: number) => void,
  ) {
    this.#host = host;
    this.#deliver = deliver;
    this.#single = token !== null;
    this.#region = host.backend.region(endpointAt + endpointCapacity);
    this.#region.view.setUint32(tokenAt, token ?? 0, true);
    this.#handle = openReader(host, this.#single ? SocketType.PAIR : SocketType.ROUTER);
    // The shared reader before all other sockets.
    this.#registration = host.reactor.add(this.#handle, this, { first: !this.#single });
  }

  /** Connects to a monitor: 0, or a negated errno. */
  connect(endpoint: string, token: number): number {
    const { backend } = this.#host;
    if (!this.#single) {
      const id = new Uint8Array(new ArrayBuffer(5));
      id[0] = 1; // a routing id must not start with 0
      new DataView(id.buffer).setUint32(tokenAt, token, true);
      backend.setOption(this.#handle, SocketOption.CONNECT_ROUTING_ID, id);
    }
    const connected = backend.connect(this.#handle, endpoint);
    // The calls above consume received commands, and the first event of a new pipe wakes no wait.
    this.#host.reactor.touch(this.#registration);
    return connected;
  }

  receive(budget: number): number {
    const { backend } = this.#host;
    const region = this.#region;
    const read = (at: number, bytes: number): number =>
      backend.receive(this.#handle, region, at, bytes, ReceiveFlag.DONTWAIT);
    for (let count = 0; count < budget && !this.#closed; count++) {
      if (!this.#single && read(0, idCapacity) < 0) return count;
      if (read(eventAt, eventBytes) < 0) return count;
      if (backend.receiveMore(this.#handle) === 1) read(endpointAt, endpointCapacity);
      const { view } = region;
      this.#deliver(
        view.getUint32(tokenAt, true),
        view.getUint16(eventAt, true),
        view.getUint32(valueAt, true),
      );
    }
    return this.#closed ? 0 : budget;
  }

  drain(): number {
    if (this.#closed) return 0;
    const count = this.receive(drainedAtOnce);
    // The call may have consumed the wake-up for the remaining events.
    if (count === drainedAtOnce) this.#host.reactor.touch(this.#registration);
    return count;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#host.reactor.remove(this.#registration);
    this.#host.backend.closeSocket(this.#handle);
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
