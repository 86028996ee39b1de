import {
  Errno,
  type Handle,
  MonitorEvent,
  ReceiveFlag,
  type Region,
  type Registration,
  SocketOption,
  SocketType,
  type Source,
} from "../libzmq/mod.ts";
import type { ContextCore } from "./context_core.ts";
import { errnoError } from "./errors.ts";
import { type Event, eventOf } from "./events.ts";
import type { Ending, Loop } from "./loop.ts";

// A monitor's messages: event and value, then the endpoint.
const valueAt = 2;
const eventBytes = 6;
const endpointAt = 8;
const endpointBytes = 1_024;
const decoder = new TextDecoder();
let monitors = 0;

/**
 * Reads the events of a socket from libzmq until the last one.
 *
 * libzmq sends them with calls that block while nobody reads, on the thread that also ends sockets. So the reader lives
 * until the last event, which follows the end of the socket, and its queue in libzmq has no bound.
 */
export class Monitor implements Source, Ending {
  readonly #loop: Loop;
  readonly #context: ContextCore;
  readonly #reader: Handle;
  readonly #region: Region;
  readonly #registration: Registration;
  readonly #deliver: (event: Event) => void;
  #socket: Handle | null;
  #ended = false;

  /**
   * @param socket The monitored socket.
   * @param deliver Called with each event; the last one is `end`.
   */
  constructor(loop: Loop, context: ContextCore, socket: Handle, deliver: (event: Event) => void) {
    const { backend, reactor } = loop;
    this.#loop = loop;
    this.#context = context;
    this.#socket = socket;
    this.#deliver = deliver;
    const reader = context.open(SocketType.PAIR);
    const zero = new Uint8Array(new ArrayBuffer(4));
    backend.setOption(reader, SocketOption.RCVHWM, zero);
    backend.setOption(reader, SocketOption.LINGER, zero);
    const endpoint = `inproc://zmq.monitor.${crypto.randomUUID()}.${++monitors}`;
    let result = context.attempt(() => backend.monitor(socket, endpoint, MonitorEvent.ALL));
    if (result >= 0) result = backend.connect(reader, endpoint);
    if (result < 0) {
      backend.closeSocket(reader);
      throw errnoError(-result, { detail: "The events of a socket cannot be observed" });
    }
    this.#reader = reader;
    this.#region = backend.region(endpointAt + endpointBytes);
    this.#registration = reactor.add(reader, this);
    loop.addSocket(this);
    context.add(this);
  }

  receive(budget: number): number {
    for (let count = 0; count < budget; count++) {
      const result = this.#read(ReceiveFlag.DONTWAIT);
      if (result === -Errno.ETERM) this.#end();
      if (result < 0 || this.#ended) return count;
    }
    return budget;
  }

  /** Ends the events; the last one is still delivered. */
  stop(): void {
    if (this.#socket === null) return;
    this.#loop.backend.monitor(this.#socket, null, 0);
    this.#socket = null;
    this.#loop.reactor.touch(this.#registration);
  }

  /** To be called before the socket is closed, whose end is the last event. */
  release(): void {
    this.#socket = null;
  }

  /** Reads what there is. Its socket was closed before, whose last event may still be to come. */
  close(): void {
    this.receive(Infinity);
  }

  tidy(): void {
    if (this.#socket === null) this.receive(Infinity);
  }

  endNow(): void {
    this.stop();
    // Of a socket that still sends, libzmq waits for the end in the same way.
    while (!this.#ended) if (this.#read(0) < 0) this.#end();
  }

  #read(flags: number): number {
    const { backend } = this.#loop;
    const region = this.#region;
    const size = backend.receive(this.#reader, region, 0, eventBytes, flags);
    if (size < 0) return size;
    let address = "";
    if (backend.receiveMore(this.#reader) === 1) {
      const length = backend.receive(this.#reader, region, endpointAt, endpointBytes, flags);
      const end = endpointAt + Math.min(Math.max(length, 0), endpointBytes);
      address = decoder.decode(region.bytes.subarray(endpointAt, end));
    }
    const event = eventOf(region.view.getUint16(0, true), region.view.getUint32(valueAt, true), address);
    if (event.type === "end") this.#end();
    else this.#deliver(event);
    return size;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket = null;
    this.#loop.reactor.remove(this.#registration);
    this.#loop.backend.closeSocket(this.#reader);
    this.#context.remove(this);
    this.#loop.removeSocket(this);
    this.#deliver({ type: "end" });
  }
}
