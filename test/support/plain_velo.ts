/**
 * A node of plain Velo, by hand: a ROUTER that is read, a DEALER per peer that is only written, and the bytes that
 * Velo 0.9.0 and 0.21.0 put into their frames, written out here without the library's own codecs.
 */
import assert from "node:assert/strict";
import { newInstanceId, workerIdOf } from "../../src/core/mod.ts";
import { Context, type Socket } from "../../src/libzmq/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { Inbox } from "./raw_sockets.ts";
import { pause, until } from "./until.ts";

/** Bytes, or hexadecimal digits with blanks and bars between them. */
export type Bytes = Uint8Array | string;

/** A message as it came to the node. */
export interface PlainMessage {
  /** The routing id of the socket it came from, as hexadecimal digits. */
  readonly from: string;
  /** All frames behind the routing id. */
  readonly frames: readonly Uint8Array[];
  /** The type byte; −1 when the type frame is not one byte. */
  readonly type: number;
  /** The header frame as hexadecimal digits. */
  readonly header: string;
  /** The payload frame. */
  readonly payload: Uint8Array;
  /** The payload as text. */
  readonly text: string;
}

/** A request header, read by hand. */
export interface PlainRequest {
  readonly kind: number;
  /** The 16 bytes of the response id, as hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** The header map's bytes, as hexadecimal digits. */
  readonly map: string;
}

/** The kind of answer that a request waits for. */
export const Kind = { fire: 0, ack: 1, unary: 2 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Hexadecimal digits of bytes. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Bytes of hexadecimal digits; anything else between them is for readers. */
export function unhex(digits: string): Uint8Array {
  const clean = digits.replace(/[^0-9a-f]/g, "");
  return Uint8Array.from({ length: clean.length / 2 }, (_, i) => parseInt(clean.slice(2 * i, 2 * i + 2), 16));
}

/** Little-endian hexadecimal digits of a number. */
export function le(value: bigint | number, bytes: number): string {
  let rest = BigInt(value);
  let digits = "";
  for (let i = 0; i < bytes; i++, rest >>= 8n) digits += Number(rest & 0xffn).toString(16).padStart(2, "0");
  return digits;
}

/** UTF-8 as hexadecimal digits. */
export function utf8(text: string): string {
  return hex(encoder.encode(text));
}

/** A request header. `id` are the digits of the response id, `map` those of the header map. */
export function requestHeader(kind: number, id: string, name: string, map = ""): string {
  const bytes = utf8(name);
  return `01${le(kind, 1)}${id}${le(bytes.length / 2, 2)}${bytes}${le(map.length / 2, 2)}${map}`;
}

/** A response header. */
export function responseHeader(id: string, failed = false, map = ""): string {
  return `${id}${failed ? "01" : "00"}${le(map.length / 2, 2)}${map}`;
}

/** Reads a request header. */
export function readRequest(header: string): PlainRequest {
  assert.equal(header.slice(0, 2), "01", "the schema version");
  const nameSize = parseInt(header.slice(38, 40) + header.slice(36, 38), 16);
  const nameEnd = 40 + 2 * nameSize;
  const mapSize = parseInt(header.slice(nameEnd + 2, nameEnd + 4) + header.slice(nameEnd, nameEnd + 2), 16);
  assert.equal(header.length, nameEnd + 4 + 2 * mapSize, `the lengths in ${header}`);
  return {
    kind: parseInt(header.slice(2, 4), 16),
    id: header.slice(4, 36),
    name: decoder.decode(unhex(header.slice(40, nameEnd))),
    map: header.slice(nameEnd + 4),
  };
}

/** The blob of a worker address with these entries: text, or bytes. `bin` writes values as a MessagePack bin. */
export function addressBlob(
  entries: Readonly<Record<string, Bytes>>,
  options: { bin?: boolean } = {},
): number[] {
  const names = Object.keys(entries);
  const blob = [0x80 | names.length];
  for (const name of names) {
    const value = entries[name]!;
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    blob.push(0xa0 | name.length, ...encoder.encode(name));
    if (options.bin === true) blob.push(0xc4, bytes.length);
    else if (bytes.length < 16) blob.push(0x90 | bytes.length);
    else blob.push(0xdc, bytes.length >> 8, bytes.length & 0xff);
    for (const byte of bytes) {
      if (byte >= 0x80 && options.bin !== true) blob.push(0xcc);
      blob.push(byte);
    }
  }
  return blob;
}

/** Keys for a connection: Velo has none, but who imitates an instance needs them. */
export interface PlainCurve {
  readonly publicKey: string;
  readonly secretKey: string;
  readonly serverKey: string;
}

/** Options of {@link PlainVelo.open}. */
export interface PlainVeloOptions {
  /** Its id. @default {a new one} */
  readonly instanceId?: string;
  /** The routing id of its DEALERs; null for none. @default {the 16 bytes of its id} */
  readonly routingId?: Uint8Array | null;
  /** Where it listens. @default {a free port of 127.0.0.1} */
  readonly endpoint?: string;
}

/** A node of plain Velo. It does nothing by itself: a test says what it sends, and sees every byte that comes. */
export class PlainVelo {
  /** Its id, as text. */
  readonly instanceId: string;
  /** Its worker id's 8 bytes on the wire, as hexadecimal digits. */
  readonly worker: string;
  /** Where its ROUTER listens. */
  readonly endpoint: string;
  /** The messages that its ROUTER has received and that no test has taken, in order. */
  readonly inbox: PlainMessage[] = [];
  /** What came down its own DEALERs. Velo never reads those, so nothing but given-back requests may come there. */
  readonly wrongWay: PlainMessage[] = [];
  readonly #context: Context;
  readonly #router: Socket;
  readonly #routingId: Uint8Array | null;
  readonly #dealers = new Map<string, Socket>();
  #slot = 0;

  private constructor(context: Context, options: PlainVeloOptions) {
    this.#context = context;
    this.instanceId = options.instanceId ?? newInstanceId();
    this.worker = le(workerIdOf(this.instanceId as Parameters<typeof workerIdOf>[0]), 8);
    this.#routingId = options.routingId === undefined ? this.idBytes : options.routingId;
    this.#router = context.socket("ROUTER").set("ROUTER_MANDATORY", 1).set("LINGER", 0);
    this.endpoint = this.#router.bind(options.endpoint ?? "tcp://127.0.0.1:*");
    new Inbox(this.#router, ([id, ...frames]) => this.inbox.push(readMessage(hex(id!), frames)));
  }

  /** Opens a node, which ends with the test. */
  static async open(t: LeakCheck, options: PlainVeloOptions = {}): Promise<PlainVelo> {
    return new PlainVelo(t.use(await Context.create()), options);
  }

  /** The 16 bytes of its id. */
  get idBytes(): Uint8Array {
    return unhex(this.instanceId);
  }

  /** Its peer info, as `_hello` carries it and as users hand it on. */
  peerInfo(entries: Readonly<Record<string, Bytes>> = { zmq: this.endpoint }): {
    instance_id: string;
    worker_address: number[];
  } {
    return { instance_id: this.instanceId, worker_address: addressBlob(entries) };
  }

  /** A response id of its own that was not used before, as hexadecimal digits. */
  nextId(): string {
    return this.worker + le(this.#slot++, 2) + le(0, 6);
  }

  /** The DEALER that leads to an endpoint; made at first use. */
  dealer(endpoint: string): Socket {
    let socket = this.#dealers.get(endpoint);
    if (socket === undefined) {
      socket = this.open(endpoint);
      this.#dealers.set(endpoint, socket);
    }
    return socket;
  }

  /** A further DEALER to an endpoint, with the options that Velo sets; with a routing id it is left unread. */
  open(endpoint: string, routingId?: Uint8Array, curve?: PlainCurve): Socket {
    const socket = this.#context.socket("DEALER").set("LINGER", 0).set("SNDHWM", 1_000);
    if (curve !== undefined) {
      socket.set("CURVE_SERVERKEY", curve.serverKey);
      socket.set("CURVE_PUBLICKEY", curve.publicKey).set("CURVE_SECRETKEY", curve.secretKey);
    }
    const id = routingId ?? this.#routingId;
    if (id !== null) socket.set("ROUTING_ID", id);
    socket.connect(endpoint);
    if (routingId === undefined) new Inbox(socket, (frames) => this.wrongWay.push(readMessage("", frames)));
    return socket;
  }

  /** Closes the DEALER to an endpoint. */
  hangUp(endpoint: string): void {
    this.#dealers.get(endpoint)?.close();
    this.#dealers.delete(endpoint);
  }

  /** Sends frames as they are. */
  sendFrames(endpoint: string, frames: readonly Bytes[]): void {
    assert.equal(this.dealer(endpoint).send(frames.map(bytesOf)), true);
  }

  /** Sends a message: type, header, payload. */
  send(endpoint: string, type: number, header: Bytes, payload: Bytes | object = new Uint8Array(0)): void {
    this.sendFrames(endpoint, [Uint8Array.of(type), header, payloadOf(payload)]);
  }

  /** Sends down the connection that a peer has dialled, as a draining Velo gives requests back. */
  sendBack(
    routingId: string,
    type: number,
    header: Bytes,
    payload: Bytes | object = new Uint8Array(0),
  ): void {
    const frames = [unhex(routingId), Uint8Array.of(type), bytesOf(header), payloadOf(payload)];
    assert.equal(this.#router.send(frames), true);
  }

  /** Takes the first message that matches, waiting for it. Others stay. */
  async next(
    matches: (message: PlainMessage) => boolean = () => true,
    timeoutMs = 5_000,
  ): Promise<PlainMessage> {
    const at = await until(() => {
      const index = this.inbox.findIndex(matches);
      return index < 0 ? null : index;
    }, {
      timeoutMs,
      intervalMs: 1,
      message: () => `a message for the plain node, which has ${JSON.stringify(this.inbox.map(describe))}`,
    });
    return this.inbox.splice(at, 1)[0]!;
  }

  /** Takes the request with this name, waiting for it. */
  async nextRequest(name: string): Promise<PlainMessage & { readonly request: PlainRequest }> {
    const message = await this.next(({ type, header }) => type === 0 && readRequest(header).name === name);
    return { ...message, request: readRequest(message.header) };
  }

  /** Sends a request and takes its reply. */
  async ask(
    endpoint: string,
    name: string,
    payload: Bytes | object = new Uint8Array(0),
    options: { kind?: number; id?: string; map?: string } = {},
  ): Promise<PlainMessage> {
    const id = options.id ?? this.nextId();
    this.send(endpoint, 0, requestHeader(options.kind ?? Kind.unary, id, name, options.map), payload);
    return await this.next((message) => isReply(message, id));
  }

  /** Introduces itself, as Velo does before its first call; the reply. */
  async introduce(endpoint: string): Promise<PlainMessage> {
    const reply = await this.ask(endpoint, "_hello", { peer_info: this.peerInfo() });
    assert.equal(reply.type, 1, reply.text);
    assert.equal(reply.header.slice(32, 34), "00", reply.text);
    return reply;
  }

  /** Waits for `_hello` and answers it as Velo does: through its own DEALER, with the names of its handlers. */
  async answerHello(
    to: { readonly endpoint: string },
    handlers: readonly string[] = ["_hello"],
  ): Promise<PlainMessage> {
    const hello = await this.nextRequest("_hello");
    this.send(to.endpoint, 1, responseHeader(hello.request.id), { handlers });
    return hello;
  }

  /** Shows that nothing more comes, after what is under way had time to arrive. */
  async nothingMore(ms = 60): Promise<void> {
    await pause(ms);
    assert.deepEqual(this.inbox.map(describe), []);
  }

  /** Ends the node's connections and its listener. */
  async close(): Promise<void> {
    await this.#context.close();
  }
}

/** Whether a message answers the request with this id: a response, an ack, a nack, or the request given back. */
export function isReply(message: PlainMessage, id: string): boolean {
  if (message.type === 1) return message.header.startsWith(id);
  if (message.type === 2) return message.header.slice(2) === id;
  return message.type === 4 && message.header.slice(4, 36) === id;
}

function readMessage(from: string, frames: readonly Uint8Array[]): PlainMessage {
  const [type, header, payload] = frames;
  return {
    from,
    frames,
    type: type?.length === 1 ? type[0]! : -1,
    header: hex(header ?? new Uint8Array(0)),
    payload: payload ?? new Uint8Array(0),
    text: decoder.decode(payload),
  };
}

function describe(message: PlainMessage): string {
  return `${message.frames.length} frames, type ${message.type}, header ${message.header}, ${
    message.text.slice(0, 80)
  }`;
}

function bytesOf(bytes: Bytes): Uint8Array {
  return typeof bytes === "string" ? unhex(bytes) : bytes;
}

function payloadOf(payload: Bytes | object): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  return encoder.encode(typeof payload === "string" ? payload : JSON.stringify(payload));
}
