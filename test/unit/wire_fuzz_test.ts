import { expect, test } from "bun:test";
import {
  AckHeader,
  BatchReader,
  BatchRecord,
  checkEnvelope,
  codeOfVeloText,
  decodeAck,
  decodeCancel,
  decodeHandlerList,
  decodeHeaders,
  decodeHello,
  decodeHelloReply,
  decodeInterfaceEndpoints,
  decodePayload,
  decodePeerInfo,
  decodeRequest,
  decodeResponse,
  decodeTtl,
  decodeWorkerAddress,
  type DropReason,
  dropReasons,
  endpointsOf,
  errorFromHeaders,
  MessageType,
  NameCache,
  parseControlJson,
  peerInfoFromJson,
  RequestHeader,
  ResponseHeader,
  ttlOfHeaders,
} from "../../src/wire/mod.ts";
import { bytesOf } from "../vectors/hex.ts";
import * as control from "../vectors/velo_control.ts";
import { headerMaps, nodeA, replies, requests } from "../vectors/velo_headers.ts";
import * as ours from "../vectors/zeromesh.ts";

const frames = 200_000;
const maxGrowthBytes = 64 * 1024 * 1024;
const maxFrameMs = 2000;

const seed = Number(process.env["ZEROMESH_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;

/** mulberry32: small, seedable and good enough to choose mutations. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const empty = new Uint8Array();

interface Message {
  type: number;
  header: Uint8Array;
  payload: Uint8Array;
}

/** Messages to start from: every vector there is, and a batch in a batch, which mutation finds too rarely. */
const messages: readonly Message[] = [
  ...requests.map(({ hex }) => ({ type: 0, header: bytesOf(hex), payload: utf8('{"a":1,"b":2}') })),
  ...requests.map(({ hex }) => ({ type: 4, header: bytesOf(hex), payload: empty })),
  ...replies.map(({ type, hex, payload }) => ({ type, header: bytesOf(hex), payload: utf8(payload) })),
  { type: 3, header: bytesOf(`01${nodeA.workerBytes}0000000000000000`), payload: empty },
  { type: 0x40, header: bytesOf(ours.batch.header), payload: bytesOf(ours.batch.payload) },
  { type: 0x40, header: bytesOf("0101000000"), payload: bytesOf("400000000000000000") },
  { type: 0, header: bytesOf(ours.ttl.request), payload: bytesOf(ours.msgpack.hex) },
  { type: 1, header: bytesOf(ours.failure.response), payload: utf8(ours.failure.payload) },
  { type: 0, header: bytesOf(ours.cancel.request), payload: bytesOf(ours.cancel.payload) },
  { type: 0, header: bytesOf(requests[0]?.hex ?? ""), payload: utf8(ours.hello.request) },
  { type: 1, header: bytesOf(replies[0]?.hex ?? ""), payload: utf8(ours.hello.reply) },
  ...control.addresses.map(({ hex }) => ({ type: 0, header: bytesOf(hex), payload: bytesOf(hex) })),
  ...control.interfaces.map(({ hex }) => ({ type: 2, header: bytesOf(hex), payload: bytesOf(hex) })),
  ...control.controlMessages.map(({ text }) => ({ type: 0, header: utf8(text), payload: utf8(text) })),
  ...headerMaps.map(({ hex }) => ({ type: 1, header: bytesOf(hex), payload: bytesOf(hex) })),
  ...ours.ttlMaps.map(({ hex }) => ({ type: 1, header: bytesOf(hex), payload: bytesOf(hex) })),
  { type: 1, header: bytesOf(ours.failure.headers), payload: bytesOf(ours.msgpack.headersHex) },
  { type: 0, header: bytesOf(control.peerInfoA.msgpack), payload: bytesOf(control.peerInfoA.msgpack) },
  { type: 0, header: bytesOf(ours.address.hex), payload: bytesOf(ours.address.hex) },
];

/** Bytes that mean something to one of the decoders: lengths at their limits, MessagePack and JSON tokens. */
const telling = [
  0,
  1,
  2,
  3,
  4,
  0x40,
  0x7f,
  0x80,
  0x81,
  0x8f,
  0x90,
  0xa0,
  0xbf,
  0xc0,
  0xc1,
  0xc4,
  0xc7,
  0xd9,
  0xdb,
  0xdd,
]
  .concat([0xde, 0xdf, 0xed, 0xf0, 0xff, 0x22, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d]);

function fuzzer(random: () => number) {
  const below = (max: number) => Math.floor(random() * max);
  const noise = (length: number) => Uint8Array.from({ length }, () => below(256));
  const pick = () => messages[below(messages.length)] as Message;

  const mutations: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
    (bytes) => bytes.slice(0, below(bytes.length + 1)),
    (bytes) => bytes.length === 0 ? bytes : bytes.with(below(bytes.length), below(256)),
    (bytes) =>
      bytes.length === 0 ? bytes : bytes.with(below(bytes.length), telling[below(telling.length)] as number),
    (bytes) => {
      const at = below(bytes.length);
      return bytes.length === 0 ? bytes : bytes.with(at, (bytes[at] as number) ^ (1 << below(8)));
    },
    (bytes) => Uint8Array.of(...bytes, ...noise(below(40))),
    (bytes) => Uint8Array.of(...bytes.slice(0, below(bytes.length + 1)), ...pick().header),
    (bytes) => {
      const at = below(bytes.length + 1);
      return Uint8Array.of(...bytes.slice(0, at), ...noise(1 + below(8)), ...bytes.slice(at));
    },
    (bytes) => {
      const at = below(bytes.length + 1);
      return Uint8Array.of(...bytes.slice(0, at), ...bytes.slice(at + 1 + below(8)));
    },
    (bytes) => {
      const copy = bytes.slice();
      copy.fill(below(2) * 0xff, below(bytes.length + 1), below(bytes.length + 1));
      return copy;
    },
    () => noise(below(200)),
    () => new Uint8Array(below(3000)).fill(telling[below(telling.length)] as number),
  ];
  const mutate = (bytes: Uint8Array) => {
    let mutated = bytes;
    for (let times = below(4); times > 0; times--) {
      mutated = (mutations[below(mutations.length)] as (bytes: Uint8Array) => Uint8Array)(mutated);
    }
    return mutated;
  };

  return (): { parts: number; typeFrame: Uint8Array; header: Uint8Array; payload: Uint8Array } => {
    const { type, header, payload } = pick();
    const parts = below(50) === 0 ? below(7) : 3;
    const typeFrame = below(20) === 0 ? noise(below(3)) : Uint8Array.of(type);
    return { parts, typeFrame, header: mutate(header), payload: mutate(payload) };
  };
}

/** What a receiver does with a message, up to the point where it would act on it. */
class Receiver {
  readonly names = new NameCache({ maxNames: 256 });
  readonly dropped = new Map<DropReason, number>();
  readonly droppedRecords = new Map<DropReason, number>();
  accepted = 0;
  readonly #request = new RequestHeader();
  readonly #response = new ResponseHeader();
  readonly #ack = new AckHeader();
  readonly #reader = new BatchReader();
  readonly #record = new BatchRecord();

  receive(parts: number, typeFrame: Uint8Array, header: Uint8Array, payload: Uint8Array): void {
    const type = typeFrame[0] ?? -1;
    let reason = checkEnvelope(parts, typeFrame.length, type);
    if (reason === null) {
      reason = type === MessageType.batch
        ? this.#batch(header, payload)
        : this.#single(type, header, 0, header.length);
    }
    if (reason === null) this.accepted++;
    else this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  #single(type: number, bytes: Uint8Array, start: number, end: number): DropReason | null {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (type === MessageType.message || type === MessageType.shuttingDown) {
      const reason = decodeRequest(bytes, view, start, end, this.#request, this.names);
      if (reason !== null) return reason;
      expect(this.#request.end).toBeLessThanOrEqual(end);
      return headersOf(bytes, this.#request.headersStart, this.#request.headersEnd, end);
    }
    if (type === MessageType.response) {
      const reason = decodeResponse(bytes, view, start, end, this.#response);
      return reason ?? headersOf(bytes, this.#response.headersStart, this.#response.headersEnd, end);
    }
    return decodeAck(bytes, view, start, end, this.#ack);
  }

  #batch(header: Uint8Array, bytes: Uint8Array): DropReason | null {
    let reason: DropReason | "end" | null = this.#reader.reset(
      header,
      0,
      header.length,
      bytes,
      0,
      bytes.length,
    );
    let records = 0;
    while (reason === null && (reason = this.#reader.next(this.#record)) === null) {
      const { type, headerStart, headerEnd, payloadStart, payloadEnd } = this.#record;
      expect(headerStart <= headerEnd && headerEnd === payloadStart && payloadEnd <= bytes.length).toBe(true);
      const bad = this.#single(type, bytes, headerStart, headerEnd);
      if (bad !== null) this.droppedRecords.set(bad, (this.droppedRecords.get(bad) ?? 0) + 1);
      if (++records > bytes.length) throw new Error("more records than bytes");
    }
    return reason === "end" ? null : reason;
  }
}

function headersOf(bytes: Uint8Array, start: number, end: number, frameEnd: number): DropReason | null {
  if (start > end || end > frameEnd) throw new Error("headers outside their frame");
  const ttl = ttlOfHeaders(bytes, start, end);
  const headers = decodeHeaders(bytes, start, end);
  if (typeof headers === "string") return headers;
  const text = headers["_ttl"];
  expect(ttl).toBe(text === undefined ? -1 : decodeTtl(text) ?? -1);
  errorFromHeaders(headers);
  return null;
}

const cancelled = { id0: 0, id1: 0, id2: 0, id3: 0 };
const requestOut = new RequestHeader();
const responseOut = new ResponseHeader();
const ackOut = new AckHeader();

/** Every decoder on its own; each answers `true` for "decoded". Whatever they do, they must not throw. */
const decoders: Readonly<Record<string, (bytes: Uint8Array, view: DataView, names: NameCache) => boolean>> = {
  request: (bytes, view, names) => decodeRequest(bytes, view, 0, bytes.length, requestOut, names) === null,
  response: (bytes, view) => decodeResponse(bytes, view, 0, bytes.length, responseOut) === null,
  ack: (bytes, view) => decodeAck(bytes, view, 0, bytes.length, ackOut) === null,
  cancel: (bytes) => decodeCancel(bytes, 0, bytes.length, cancelled) === null,
  headers: (bytes) => typeof decodeHeaders(bytes, 0, bytes.length) !== "string",
  ttl: (bytes) => ttlOfHeaders(bytes, 0, bytes.length) >= 0,
  name: (bytes, _view, names) => names.decode(bytes, 0, bytes.length) !== null,
  address: (bytes) => typeof decodeWorkerAddress(bytes) !== "string",
  peerInfo: (bytes) => {
    const info = decodePeerInfo(bytes);
    if (info !== null) endpointsOf(info);
    return info !== null;
  },
  interfaces: (bytes) => decodeInterfaceEndpoints(bytes) !== null,
  control: (bytes) => {
    const value = parseControlJson(bytes);
    peerInfoFromJson(value);
    return value !== undefined;
  },
  hello: (bytes) => {
    const hello = decodeHello(bytes);
    if (hello !== null) endpointsOf(hello.peerInfo);
    return hello !== null;
  },
  helloReply: (bytes) => decodeHelloReply(bytes) !== null,
  handlerList: (bytes) => decodeHandlerList(bytes) !== null,
  json: (bytes) => decodePayload(bytes, "json").error === undefined,
  msgpack: (bytes) => decodePayload(bytes, "msgpack").error === undefined,
  veloText: (bytes) => codeOfVeloText(new TextDecoder().decode(bytes)).code !== "",
};

test(
  "200000 random and mutated frames: no throw, no hang, bounded memory, every drop counted with a reason",
  () => {
    console.log(`ZEROMESH_FUZZ_SEED=${seed}`);
    const next = fuzzer(randomOf(seed));
    const receiver = new Receiver();
    const decoded = new Map<string, number>();
    let slowest = 0;
    let before = 0;
    for (let i = 0; i < frames; i++) {
      if (i === 5000) {
        Bun.gc(true);
        before = process.memoryUsage().rss;
      }
      const { parts, typeFrame, header, payload } = next();
      const start = performance.now();
      let current = "receiver";
      try {
        receiver.receive(parts, typeFrame, header, payload);
        const bytes = i % 2 === 0 ? header : payload;
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        for (const name in decoders) {
          current = name;
          if (decoders[name]?.(bytes, view, receiver.names)) decoded.set(name, (decoded.get(name) ?? 0) + 1);
        }
      } catch (error) {
        const hex = [typeFrame, header, payload].map((frame) => Buffer.from(frame).toString("hex")).join(
          " | ",
        );
        throw new Error(`seed ${seed}, frame ${i}, ${current}: ${hex}`, { cause: error });
      }
      slowest = Math.max(slowest, performance.now() - start);
    }
    Bun.gc(true);
    const growth = process.memoryUsage().rss - before;

    let dropped = 0;
    for (const [reason, count] of receiver.dropped) {
      expect(dropReasons).toContain(reason);
      dropped += count;
    }
    expect(dropped + receiver.accepted).toBe(frames);
    for (const reason of receiver.droppedRecords.keys()) expect(dropReasons).toContain(reason);
    expect(slowest).toBeLessThan(maxFrameMs);
    expect(growth).toBeLessThan(maxGrowthBytes);
    expect(receiver.names.size).toBeLessThanOrEqual(256);
    // The fuzzer must reach what it is for: each reason but the one of `_cancel`, and each decoder's good side.
    expect(dropReasons.filter((reason) => reason !== "cancelLength" && !receiver.dropped.has(reason)))
      .toEqual([]);
    expect(Object.keys(decoders).filter((name) => !decoded.has(name))).toEqual([]);
  },
  60_000,
);

test("dropReasons lists each reason once", () => {
  expect(new Set(dropReasons).size).toBe(dropReasons.length);
});
