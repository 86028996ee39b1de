/** Frames to harm a receiver with: those of the vectors, whole and mutated, and bombs that only a program would make. */
import { bytesOf } from "../vectors/hex.ts";
import * as control from "../vectors/velo_control.ts";
import { headerMaps, nodeA, replies, requests } from "../vectors/velo_headers.ts";
import * as ours from "../vectors/zeromesh.ts";
import { headerTo, le16, systemMessages, systemPayloads } from "./hostile_system.ts";
import type { Prng } from "./prng.ts";

/** A message that may be malformed. */
export interface HostileMessage {
  /** The number of its frames, which {@link framesOf} makes. */
  readonly parts: number;
  readonly typeFrame: Uint8Array;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** The frames of a message, as many as it says. */
export function framesOf({ parts, typeFrame, header, payload }: HostileMessage): Uint8Array[] {
  const frames = [typeFrame, header, payload].slice(0, parts);
  while (frames.length < parts) frames.push(payload);
  return frames;
}

/** One after the other, which spreading them would take much longer to make. */
function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
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
  ...control.controlMessages.map(({ text }) => ({ type: 0, header: utf8(text), payload: utf8(text) })),
  ...headerMaps.map(({ hex }) => ({ type: 1, header: bytesOf(hex), payload: bytesOf(hex) })),
  ...ours.ttlMaps.map(({ hex }) => ({ type: 1, header: bytesOf(hex), payload: bytesOf(hex) })),
  { type: 1, header: bytesOf(ours.failure.headers), payload: bytesOf(ours.msgpack.headersHex) },
  { type: 0, header: bytesOf(control.peerInfoA.msgpack), payload: bytesOf(control.peerInfoA.msgpack) },
  { type: 0, header: bytesOf(ours.address.hex), payload: bytesOf(ours.address.hex) },
  ...systemMessages,
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

/** Messages without end, each another; the same for the same seed. */
export function hostileMessages(random: Prng): () => HostileMessage {
  const { below, bytes: noise } = random;
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
    (bytes) => join(bytes, noise(below(40))),
    (bytes) => join(bytes.subarray(0, below(bytes.length + 1)), pick().header),
    (bytes) => {
      const at = below(bytes.length + 1);
      return join(bytes.subarray(0, at), noise(1 + below(8)), bytes.subarray(at));
    },
    (bytes) => {
      const at = below(bytes.length + 1);
      return join(bytes.subarray(0, at), bytes.subarray(at + 1 + below(8)));
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

  return () => {
    const { type, header, payload } = pick();
    const parts = below(50) === 0 ? below(7) : 3;
    const typeFrame = below(20) === 0 ? noise(below(3)) : Uint8Array.of(type);
    return { parts, typeFrame, header: mutate(header), payload: mutate(payload) };
  };
}

/** Every vector cut at every byte, and what only a program would make: nested bombs, lengths that lie, edges of u64. */
export function* systematicMessages(): Generator<HostileMessage> {
  const of = (type: number, header: Uint8Array, payload: Uint8Array): HostileMessage => ({
    parts: 3,
    typeFrame: Uint8Array.of(type),
    header,
    payload,
  });
  for (const { type, header, payload } of messages) {
    for (let end = 0; end < header.length; end++) yield of(type, header.subarray(0, end), payload);
    for (let end = 0; end < payload.length; end++) yield of(type, header, payload.subarray(0, end));
  }
  const request = messages[0]!;
  const depth = 100_000;
  for (const name of [...Object.keys(systemPayloads), "echo", "add", "addPacked"]) {
    const header = headerTo(name);
    yield of(0, header, utf8("[".repeat(depth)));
    yield of(0, header, utf8('{"a":'.repeat(depth)));
    yield of(0, header, utf8(`{"peer_info":${"[".repeat(depth)}`));
    yield of(0, header, new Uint8Array(depth).fill(0x91));
    yield of(0, header, new Uint8Array(depth).fill(0x81));
    yield of(0, header, bytesOf("ddffffffff"));
    yield of(0, header, bytesOf("dfffffffff"));
    yield of(0, header, bytesOf("c6ffffffff"));
  }
  // A header map whose entries say that they are longer than everything there is.
  for (const map of ["dfffffffff", "81dbffffffffa0", "81a161dbffffffff", "deffff", "8fa1"]) {
    yield of(0, bytesOf(`0102${"ab".repeat(16)}04006563686f${le16(map.length / 2)}${map}`), empty);
  }
  // Slots and generations at the ends of their ranges, and a time to live that overflows.
  for (const edge of ["00", "7f", "80", "ff"]) {
    const id = edge.repeat(16);
    for (const type of [1, 2, 3]) yield of(type, bytesOf(`${type === 1 ? "" : "00"}${id}000000`), empty);
    yield of(0, bytesOf(`0102${id}04006563686f0000`), request.payload);
  }
  // One batch for each reason that mutation finds rarely.
  const batch = bytesOf(ours.batch.payload);
  const header = bytesOf(ours.batch.header);
  yield of(0x40, join(header, Uint8Array.of(0)), batch);
  yield of(0x40, header.with(0, 2), batch);
  yield of(0x40, header.with(1, header[1]! - 1), batch);
  yield of(0x40, header.with(1, header[1]! + 1), batch);
  yield of(0x40, header, join(batch, Uint8Array.of(0)));
  yield of(0x40, header, batch.subarray(0, batch.length - 1));
  yield of(0x40, header, batch.with(0, 5));
  yield of(0x40, header, batch.with(0, 0x40));
  // More records than a batch may have, all of them empty.
  yield of(0x40, bytesOf("0188130000"), new Uint8Array(5_000 * 9));
  for (const lie of ["00000000", "00000001", "7fffffff", "80000000", "ffffffff"]) {
    yield of(0x40, bytesOf(`01${lie}`), bytesOf(ours.batch.payload));
    yield of(0x40, bytesOf("0101000000"), bytesOf(`00${lie}${lie}`));
    yield of(0x40, bytesOf("0102000000"), bytesOf(`0000000000${lie}00`));
  }
}
