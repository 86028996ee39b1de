/** Raw ZeroMQ peers: a ROUTER and a DEALER that say exactly what a test tells them, and nothing else. */
import { newInstanceId, workerIdOf } from "../../src/core/mod.ts";
import type { InstanceId } from "../../src/mod.ts";
import {
  AckHeader,
  decodeAck,
  decodeRequest,
  decodeResponse,
  encodeAck,
  encodeHello,
  encodeHelloReply,
  encodeRequest,
  encodeResponse,
  type Feature,
  MessageType,
  NameCache,
  peerInfoOf,
  RequestHeader,
  ResponseHeader,
  type ResponseId,
  ResponseKind,
} from "../../src/wire/mod.ts";
import { Context, type Socket } from "../../src/libzmq/mod.ts";
import { until } from "../support/until.ts";
import type { LeakCheck } from "../support/fixture.ts";

/** A message as a raw socket received it. */
export interface RawMessage {
  /** The sender's routing id; empty at a DEALER. */
  readonly from: Uint8Array;
  /** The type byte. */
  readonly type: number;
  /** The header frame. */
  readonly header: Uint8Array;
  /** The payload frame. */
  readonly payload: Uint8Array;
}

const names = new NameCache();
const viewOf = (of: Uint8Array) => new DataView(of.buffer, of.byteOffset, of.byteLength);

/** The request in a message's header. */
export function requestIn(message: RawMessage): RequestHeader {
  const header = new RequestHeader();
  const { header: all } = message;
  const fault = decodeRequest(all, viewOf(all), 0, all.length, header, names);
  if (fault !== null) throw new Error(`No request: ${fault}`);
  return header;
}

/** The response in a message's header. */
export function responseIn(message: RawMessage): ResponseHeader {
  const header = new ResponseHeader();
  const { header: all } = message;
  const fault = decodeResponse(all, viewOf(all), 0, all.length, header);
  if (fault !== null) throw new Error(`No response: ${fault}`);
  return header;
}

/** The ack in a message's header. */
export function ackIn(message: RawMessage): AckHeader {
  const header = new AckHeader();
  const { header: all } = message;
  const fault = decodeAck(all, viewOf(all), 0, all.length, header);
  if (fault !== null) throw new Error(`No ack: ${fault}`);
  return header;
}

/** The frames of a response. */
export function response(id: ResponseId, payload: Uint8Array, failed = false): Uint8Array[] {
  const header = new Uint8Array(64);
  const length = encodeResponse(header, viewOf(header), 0, id, failed, null);
  return [Uint8Array.of(MessageType.response), header.subarray(0, length), payload];
}

/** The frames of an ack. */
export function ack(id: ResponseId, payload: Uint8Array, failed = false): Uint8Array[] {
  const header = new Uint8Array(64);
  const length = encodeAck(header, viewOf(header), 0, id, failed);
  return [Uint8Array.of(MessageType.ack), header.subarray(0, length), payload];
}

/** The frames of a request. */
export function request(
  name: string,
  id: ResponseId,
  payload: Uint8Array,
  kind: ResponseKind = ResponseKind.unary,
): Uint8Array[] {
  const header = new Uint8Array(256);
  const length = encodeRequest(
    header,
    viewOf(header),
    0,
    kind,
    id,
    new TextEncoder().encode(name),
    null,
  );
  return [Uint8Array.of(MessageType.message), header.subarray(0, length), payload];
}

/** A response id of an instance's, with this slot. */
export function idOf(instanceId: InstanceId, slot: number): ResponseId {
  const worker = workerIdOf(instanceId);
  return { id0: Number(worker & 0xffffffffn), id1: Number(worker >> 32n), id2: slot, id3: 0 };
}

/** A socket in a context of its own, closed with the fixture. */
async function rawSocket(t: LeakCheck, type: "ROUTER" | "DEALER"): Promise<Socket> {
  const context = t.use(await Context.create());
  return context.socket(type).set("LINGER", 0);
}

/** A bound ROUTER. */
export class RawRouter {
  /** The id it claims in its answer to `_hello`. */
  readonly instanceId: InstanceId = newInstanceId();
  /** Where it listens. */
  readonly endpoint: string;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.endpoint = socket.bind("tcp://127.0.0.1:*");
  }

  /** Binds one. With `small` it takes next to nothing in while nobody reads. */
  static async open(t: LeakCheck, options: { small?: boolean } = {}): Promise<RawRouter> {
    const socket = await rawSocket(t, "ROUTER");
    if (options.small === true) socket.set("RCVHWM", 1).set("RCVBUF", 4_096);
    return new RawRouter(socket);
  }

  /** The next message; waits for it. */
  async next(): Promise<RawMessage> {
    const parts = await until(() => this.#socket.receive(), { message: "a message for the raw ROUTER" });
    const [from, type, header, payload] = parts;
    return { from: from!, type: type![0]!, header: header!, payload: payload! };
  }

  /** Ends its connections. */
  close(): void {
    this.#socket.close();
  }

  /** Sends frames to whom a routing id names. */
  send(to: Uint8Array, frames: readonly Uint8Array[]): void {
    this.#socket.send([to, ...frames]);
  }

  /** Waits for `_hello` and answers it with these features; null answers as plain Velo would. */
  async hello(features: readonly Feature[] | null): Promise<RawMessage> {
    const message = await this.next();
    const negotiation = features === null ? undefined : { features, instanceId: this.instanceId };
    const reply = encodeHelloReply({ handlers: ["_hello", "_list_handlers"], negotiation });
    this.send(message.from, response(requestIn(message), reply));
    return message;
  }
}

/** A DEALER that has dialled. */
export class RawDealer {
  /** The id that its messages carry. */
  readonly instanceId: InstanceId;
  readonly #socket: Socket;

  private constructor(socket: Socket, instanceId: InstanceId) {
    this.#socket = socket;
    this.instanceId = instanceId;
  }

  /**
   * Dials, with a routing id and in an instance's name if they are given. With `small` it takes next to nothing in while
   * nobody reads.
   */
  static async open(
    t: LeakCheck,
    endpoint: string,
    routingId?: Uint8Array,
    instanceId: InstanceId = newInstanceId(),
    options: { small?: boolean } = {},
  ): Promise<RawDealer> {
    const socket = await rawSocket(t, "DEALER");
    if (options.small === true) socket.set("RCVHWM", 1).set("RCVBUF", 4_096);
    if (routingId !== undefined) socket.set("ROUTING_ID", routingId);
    socket.connect(endpoint);
    return new RawDealer(socket, instanceId);
  }

  /** A response id of this sender's, with this slot. */
  id(slot: number): ResponseId {
    return idOf(this.instanceId, slot);
  }

  /** Ends its connection, once what it sent has left. */
  close(): void {
    this.#socket.close({ lingerMs: 1_000 });
  }

  /** Sends frames. */
  send(frames: readonly Uint8Array[]): void {
    this.#socket.send(frames);
  }

  /** Says hello; with features as one of ours does over this connection, else as plain Velo that listens there. */
  async hello(features: readonly Feature[] | null, endpoints: readonly string[] = []): Promise<void> {
    const { instanceId } = this;
    const negotiation = features === null ? undefined : { features, instanceId };
    const hello = encodeHello({ peerInfo: peerInfoOf(instanceId, endpoints), negotiation });
    this.send(request("_hello", this.id(1), hello));
    if (features !== null) await this.next();
  }

  /** The next message; waits for it. */
  async next(): Promise<RawMessage> {
    const parts = await until(() => this.#socket.receive(), { message: "a message for the raw DEALER" });
    const [type, header, payload] = parts;
    return { from: new Uint8Array(), type: type![0]!, header: header!, payload: payload! };
  }
}
