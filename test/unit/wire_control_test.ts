import { expect, test } from "bun:test";
import {
  type InstanceId,
  instanceId,
  instanceIdFromBytes,
  instanceIdToBytes,
  workerIdOf,
} from "../../src/core/ids.ts";
import { xxh3Of16 } from "../../src/core/xxh3.ts";
import {
  addressChecksum,
  decodeHello,
  decodeHelloReply,
  decodePeerInfo,
  decodeWorkerAddress,
  encodeHello,
  encodeHelloReply,
  encodePeerInfo,
  encodeWorkerAddress,
  endpointsOf,
  type Feature,
  parseControlJson,
  peerInfoFromJson,
  peerInfoOf,
  peerInfoToJson,
  presetPeerBytes,
  presetPingMs,
  stringifyControlJson,
} from "../../src/wire/mod.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import * as velo from "../vectors/velo_control.ts";
import { nodeA, nodeLive } from "../vectors/velo_headers.ts";
import { address, hello } from "../vectors/zeromesh.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const a = nodeA.instanceId as InstanceId;

for (const { instanceId: id, workerId, bytes } of velo.workerIds) {
  test(`workerIdOf() agrees with Velo for ${id}`, () => {
    expect(workerIdOf(instanceId(id)) as bigint).toBe(workerId);
    const wire = new Uint8Array(8);
    new DataView(wire.buffer).setBigUint64(0, workerId, true);
    expect(hexOf(wire)).toBe(bytes);
    expect(instanceIdFromBytes(instanceIdToBytes(instanceId(id))) as string).toBe(id);
    expect(hexOf(instanceIdToBytes(instanceId(id)))).toBe(id.replaceAll("-", ""));
  });
}

for (const [length, hash] of velo.xxh3) {
  test(`XXH3-64 of ${length} bytes agrees with Velo's hash`, async () => {
    const bytes = Uint8Array.from({ length }, (_, i) => i % 251);
    if (length === 16) expect(xxh3Of16(bytes)).toBe(hash);
    expect(await addressChecksum(bytes)).toBe(hash);
  });
}

test("addressChecksum() of node A's address agrees with Velo", async () => {
  expect(await addressChecksum(bytesOf(velo.addresses[0]?.hex ?? ""))).toBe(velo.addressChecksumA);
});

for (const { title, hex, entries } of velo.addresses) {
  const bytes = bytesOf(hex);
  test(`worker address of Velo, both directions: ${title}`, () => {
    const decoded = decodeWorkerAddress(bytes);
    if (typeof decoded === "string") throw new Error(decoded);
    expect(Object.fromEntries(Object.entries(decoded).map(([key, value]) => [key, hexOf(value)]))).toEqual(
      entries,
    );
    expect(hexOf(encodeWorkerAddress(decoded))).toBe(hexOf(bytes));
  });
  test(`decodeWorkerAddress() refuses it cut at every byte: ${title}`, () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeWorkerAddress(bytes.slice(0, length))).toBe(
        length === 0 ? "addressEmpty" : "addressEncoding",
      );
    }
  });
}

test("decodeWorkerAddress() takes binaries and wide lengths, keeps unknown keys and copies", () => {
  const bytes = bytesOf("de0002 d9037a6d71 c403616263 a6667574757265 dd00000002 cd0041 ce000000ff");
  const decoded = decodeWorkerAddress(bytes);
  if (typeof decoded === "string") throw new Error(decoded);
  bytes.fill(0);
  expect(Object.entries(decoded).map(([key, value]) => [key, hexOf(value)])).toEqual([["zmq", "616263"], [
    "future",
    "41ff",
  ]]);
  expect(Object.getPrototypeOf(decoded)).toBeNull();
});

test("decodeWorkerAddress() refuses bytes that are no bytes, leftovers and more than its bounds", () => {
  for (
    const hex of [
      "c0",
      "90",
      "81a16b91cd0100",
      "81a16b91ff",
      "81a16b91c0",
      "8000",
      "81a16bdc0002",
      "81a16ba161",
    ]
  ) {
    expect([hex, decodeWorkerAddress(bytesOf(hex))]).toEqual([hex, "addressEncoding"]);
  }
  const many = bytesOf(`de0041${"a090".repeat(65)}`);
  expect(decodeWorkerAddress(many)).toBe("addressTooLarge");
  expect(decodeWorkerAddress(new Uint8Array(65_537))).toBe("addressTooLarge");
  expect(decodeWorkerAddress(bytesOf(`81a16bdd00ffffff${"00".repeat(100)}`))).toBe("addressEncoding");
});

test("encodeWorkerAddress() refuses what decodeWorkerAddress() would", () => {
  const entries = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, new Uint8Array()]));
  expect(() => encodeWorkerAddress(entries)).toThrow(RangeError);
  expect(() => encodeWorkerAddress({ k: new Uint8Array(65_536) })).toThrow(RangeError);
  expect(() => encodeWorkerAddress({ k: new Uint8Array(40_000).fill(0xff) })).toThrow(RangeError);
  const sixteen = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, new Uint8Array([i])]));
  expect(Object.keys(decodeWorkerAddress(encodeWorkerAddress(sixteen)))).toEqual(Object.keys(sixteen));
});

test("peerInfoOf() and endpointsOf() speak Velo's address for one endpoint", () => {
  const info = peerInfoOf(a, [nodeA.endpoint]);
  expect(hexOf(info.workerAddress)).toBe(hexOf(bytesOf(velo.addresses[0]?.hex ?? "")));
  expect(endpointsOf(info)).toEqual([nodeA.endpoint]);
});

test("peerInfoOf() keeps further endpoints where plain Velo does not look", () => {
  const info = peerInfoOf(a, address.endpoints);
  expect(hexOf(info.workerAddress)).toBe(hexOf(bytesOf(address.hex)));
  expect(endpointsOf(info)).toEqual(address.endpoints);
});

test("endpointsOf() falls back to the plain endpoint, and to none", () => {
  const zmq = utf8("tcp://10.0.0.5:5555");
  const of = (entries: Record<string, Uint8Array>) =>
    endpointsOf({ instanceId: a, workerAddress: encodeWorkerAddress(entries) });
  for (const bad of ["", "[]", "{}", "[1]", '["inproc://x"]', '["tcp://"]', "[", '["tcp://a b"]']) {
    expect(of({ zmq, zeromesh: utf8(bad) })).toEqual(["tcp://10.0.0.5:5555"]);
  }
  expect(of({ zmq, zeromesh: Uint8Array.of(0xff) })).toEqual(["tcp://10.0.0.5:5555"]);
  expect(of({ zmq: utf8("inproc://x") })).toEqual([]);
  expect(of({ zmq: Uint8Array.of(0xff) })).toEqual([]);
  expect(of({ tcp: zmq })).toEqual([]);
  expect(endpointsOf({ instanceId: a, workerAddress: Uint8Array.of(0xc1) })).toEqual([]);
  expect(endpointsOf(peerInfoOf(a, []))).toEqual([]);
});

test("peerInfoOf() refuses endpoints that cannot be dialled", () => {
  expect(() => peerInfoOf(a, ["inproc://x"])).toThrow(RangeError);
  expect(() => peerInfoOf(a, Array.from({ length: 17 }, () => nodeA.endpoint))).toThrow(RangeError);
});

test("peer info agrees with Velo as JSON, both directions", () => {
  const info = peerInfoOf(a, [nodeA.endpoint]);
  expect(JSON.stringify(peerInfoToJson(info))).toBe(velo.peerInfoA.json);
  for (const [json, node] of [[velo.peerInfoA.json, nodeA], [velo.peerInfoLive.json, nodeLive]] as const) {
    const read = peerInfoFromJson(JSON.parse(json));
    expect(read?.instanceId as string).toBe(node.instanceId);
    expect(read && endpointsOf(read)).toEqual([node.endpoint]);
  }
  expect(peerInfoFromJson(JSON.parse(velo.peerInfoA.json.replace("aabbcc", "AABBCC")))?.instanceId).toBe(a);
});

test("peer info agrees with Velo as MessagePack, both directions, and refuses it cut at every byte", () => {
  const bytes = bytesOf(velo.peerInfoA.msgpack);
  const info = decodePeerInfo(bytes);
  expect(info?.instanceId).toBe(a);
  expect(info && endpointsOf(info)).toEqual([nodeA.endpoint]);
  expect(info && hexOf(encodePeerInfo(info))).toBe(hexOf(bytes));
  for (let length = 0; length < bytes.length; length++) {
    expect(decodePeerInfo(bytes.slice(0, length))).toBeNull();
  }
  expect(decodePeerInfo(Uint8Array.of(...bytes, 0))).toBeNull();
  expect(decodePeerInfo(bytesOf(`92c411${"11".repeat(17)}c40180`))).toBeNull();
  expect(decodePeerInfo(bytesOf(`92c40f${"11".repeat(15)}c40180`))).toBeNull();
  const long = { instanceId: a, workerAddress: new Uint8Array(300).fill(7) };
  expect(decodePeerInfo(encodePeerInfo(long))).toEqual(long);
  expect(decodePeerInfo(new Uint8Array(100_000))).toBeNull();
});

test("peerInfoFromJson() gives null for everything odd", () => {
  const good = JSON.parse(velo.peerInfoA.json) as Record<string, unknown>;
  const odd: unknown[] = [null, undefined, 1, "x", [], {}, new Map()];
  for (const id of [null, 1, "", "a0112233", `${nodeA.instanceId}0`, {}]) {
    odd.push({ ...good, instance_id: id });
  }
  for (
    const bytes of [null, "81", {}, [], [256], [-1], [1.5], ["1"], [1n], [null], new Array(65_537).fill(0)]
  ) {
    odd.push({ ...good, worker_address: bytes });
  }
  for (const value of odd) expect(peerInfoFromJson(value)).toBeNull();
});

for (const { title, text: json, value } of velo.controlMessages) {
  test(`control message of Velo, every digit kept, both directions: ${title}`, () => {
    expect(parseControlJson(json)).toEqual(value);
    expect(parseControlJson(utf8(json))).toEqual(value);
    expect(stringifyControlJson(value)).toBe(json);
    for (let length = 0; length < json.length; length++) {
      expect(parseControlJson(json.slice(0, length))).toBeUndefined();
    }
  });
}

test("parseControlJson() makes bigints of long integers only", () => {
  expect(
    parseControlJson("[9007199254740991,9007199254740992,-9007199254740993,1e30,1.5,12345678901234567.5]"),
  ).toEqual([
    9007199254740991,
    9007199254740992n,
    -9007199254740993n,
    1e30,
    1.5,
    12345678901234567.5,
  ]);
  expect(parseControlJson("9007199254740993")).toBe(9007199254740993n);
  expect(parseControlJson('{"n":"123456789012345678901"}')).toEqual({ n: "123456789012345678901" });
  const proto = parseControlJson('{"__proto__":{"x":1},"n":12345678901234567890}') as object;
  expect(Object.getPrototypeOf(proto)).toBe(Object.prototype);
});

test("parseControlJson() gives undefined for what is no JSON, too deep or too long", () => {
  for (const bad of ["", "{", "nul", "[1,]", "\ufeff{}", "NaN", "01", "'a'"]) {
    expect(parseControlJson(bad)).toBeUndefined();
  }
  expect(parseControlJson(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
  expect(parseControlJson("[".repeat(64) + "]".repeat(64))).toBeDefined();
  expect(parseControlJson("[".repeat(65) + "]".repeat(65))).toBeUndefined();
  expect(parseControlJson('{"a":'.repeat(65) + "1" + "}".repeat(65))).toBeUndefined();
  expect(parseControlJson("[".repeat(1_000_000))).toBeUndefined();
  expect(parseControlJson(JSON.stringify("[".repeat(100) + '\\"[['))).toBe("[".repeat(100) + '\\"[[');
  expect(parseControlJson(JSON.stringify('\\"' + "[".repeat(100)))).toBe('\\"' + "[".repeat(100));
  expect(parseControlJson(`"${"a".repeat(1_048_574)}"`)).toHaveLength(1_048_574);
  expect(parseControlJson(`"${"a".repeat(1_048_575)}"`)).toBeUndefined();
  expect(parseControlJson("[1,2]", { maxBytes: 4 })).toBeUndefined();
});

test("stringifyControlJson() writes bigints bare, and null for undefined", () => {
  expect(stringifyControlJson({ a: 1n << 127n, b: [-1n], c: "1" })).toBe(
    '{"a":170141183460469231731687303715884105728,"b":[-1],"c":"1"}',
  );
  expect(stringifyControlJson(undefined)).toBe("null");
});

test("encodeHello() without zeromesh writes plain Velo's bytes, decodeHello() reads them", () => {
  const peerInfo = peerInfoOf(a, [nodeA.endpoint]);
  const plain = `{"peer_info":${velo.peerInfoA.json}}`;
  expect(text(encodeHello({ peerInfo }))).toBe(plain);
  expect(decodeHello(utf8(plain))).toEqual({ peerInfo, negotiation: null });
  const live = decodeHello(utf8(`{"peer_info":${velo.peerInfoLive.json}}`));
  expect(live?.peerInfo.instanceId as string).toBe(nodeLive.instanceId);
  for (let length = 0; length < plain.length; length++) {
    expect(decodeHello(utf8(plain.slice(0, length)))).toBeNull();
  }
});

test("hello and its answer carry our features, byte for byte, both directions", () => {
  const peerInfo = peerInfoOf(a, [nodeA.endpoint]);
  const features = hello.features as Feature[];
  expect(text(encodeHello({ peerInfo, negotiation: { features, instanceId: a } }))).toBe(hello.request);
  expect(decodeHello(utf8(hello.request))).toEqual({
    peerInfo,
    negotiation: {
      v: 1,
      features: new Set(hello.features),
      instanceId: a,
      maxPayloadBytes: Infinity,
      maxPeerBytes: 32 * 1024 * 1024,
      pingMs: 1_000,
      credit: null,
      run: null,
      name: null,
    },
  });
  const b = instanceId(hello.replyInstanceId);
  const negotiation = {
    features: ["batch", "errors"] as Feature[],
    instanceId: b,
    run: hello.replyRun,
    name: hello.replyName,
  };
  expect(text(encodeHelloReply({ handlers: hello.handlers, negotiation }))).toBe(hello.reply);
  expect(decodeHelloReply(utf8(hello.reply))).toEqual({
    handlers: hello.handlers,
    negotiation: {
      v: 1,
      features: new Set(["batch", "errors"]),
      instanceId: b,
      maxPayloadBytes: Infinity,
      maxPeerBytes: 32 * 1024 * 1024,
      pingMs: 1_000,
      credit: null,
      run: hello.replyRun,
      name: hello.replyName,
    },
  });
});

test("the bytes that a peer may occupy are named unless they are those of every instance", () => {
  const peerInfo = peerInfoOf(a, [nodeA.endpoint]);
  const named = (maxPeerBytes: number | undefined) => {
    const bytes = encodeHello({ peerInfo, negotiation: { features: [], instanceId: a, maxPeerBytes } });
    return [text(bytes).includes("max_peer"), decodeHello(bytes)?.negotiation?.maxPeerBytes];
  };
  expect(named(undefined)).toEqual([false, presetPeerBytes]);
  expect(named(presetPeerBytes)).toEqual([false, presetPeerBytes]);
  expect(named(4_096)).toEqual([true, 4_096]);
  const strange = utf8(hello.request.replace('"v":1', '"v":1,"max_peer":-5'));
  expect(decodeHello(strange)?.negotiation?.maxPeerBytes).toBe(presetPeerBytes);
});

test("the time between heartbeats is named unless it is that of every instance, and none counts as shorter", () => {
  const peerInfo = peerInfoOf(a, [nodeA.endpoint]);
  const named = (pingMs: number | undefined) => {
    const bytes = encodeHello({ peerInfo, negotiation: { features: [], instanceId: a, pingMs } });
    return [text(bytes).includes("ping"), decodeHello(bytes)?.negotiation?.pingMs];
  };
  expect(named(undefined)).toEqual([false, presetPingMs]);
  expect(named(presetPingMs)).toEqual([false, presetPingMs]);
  expect(named(5_000)).toEqual([true, 5_000]);
  for (const strange of ["-5", "3", '"x"']) {
    const bytes = utf8(hello.request.replace('"v":1', `"v":1,"ping":${strange}`));
    expect(decodeHello(bytes)?.negotiation?.pingMs).toBe(presetPingMs);
  }
});

test("a run or a name that cannot be one is left out, and the rest counts", () => {
  const says = (field: string, value: unknown) => {
    const json = JSON.parse(hello.reply) as { zeromesh: Record<string, unknown> };
    json.zeromesh[field] = value;
    return decodeHelloReply(utf8(JSON.stringify(json)))?.negotiation;
  };
  const longest = "a" + "b".repeat(63);
  for (const name of ["a", "A.b_c:d@e/f-1", longest]) expect(says("name", name)?.name).toBe(name);
  for (const name of ["", "-a", "a b", "a\n", "\u00e9", `${longest}c`, 5, null, ["a"], "a\u001b[31m"]) {
    expect(says("name", name)?.name).toBeNull();
    expect(says("name", name)?.instanceId as string).toBe(hello.replyInstanceId);
  }
  for (const run of ["", 5, null, {}, "a".repeat(65)]) expect(says("run", run)?.run).toBeNull();
});

test("the plain answer to _hello and _list_handlers is Velo's, both directions", () => {
  const handlers = ["_hello", "_list_handlers", "add"];
  expect(text(encodeHelloReply({ handlers }))).toBe(velo.handlerListText);
  expect(decodeHelloReply(utf8(velo.handlerListText))).toEqual({ handlers, negotiation: null });
});

test("hello ignores unknown fields and keeps unknown features", () => {
  const request = hello.request.replace('"v":1,', '"v":7,"x":{},').replace('"batch"', '"later"').replace(
    "{",
    '{"y":1,',
  );
  const read = decodeHello(utf8(request));
  expect(read?.negotiation?.v).toBe(7);
  expect(read?.negotiation?.features.has("later")).toBe(true);
});

test("hello with a malformed zeromesh object counts as plain Velo's", () => {
  const good = JSON.parse(hello.request) as { zeromesh: Record<string, unknown> };
  const odd: unknown[] = [null, 1, [], {}, "x"];
  for (const v of [0, -1, 1.5, "1", null]) odd.push({ ...good.zeromesh, v });
  for (const features of [null, "batch", [1], Array.from({ length: 65 }, () => "f"), ["f".repeat(65)]]) {
    odd.push({ ...good.zeromesh, features });
  }
  for (const instance_id of [null, "", "x", 1]) odd.push({ ...good.zeromesh, instance_id });
  for (const zeromesh of odd) {
    expect(decodeHello(utf8(JSON.stringify({ ...good, zeromesh })))?.negotiation).toBeNull();
  }
});

test("decodeHello() and decodeHelloReply() give null for everything else", () => {
  for (
    const bad of ["", "null", "[]", "1", "{}", '{"peer_info":null}', '{"peer_info":{}}', '{"handlers":null}']
  ) {
    expect(decodeHello(utf8(bad))).toBeNull();
    expect(decodeHelloReply(utf8(bad))).toBeNull();
  }
  expect(decodeHelloReply(utf8('{"handlers":[1]}'))).toBeNull();
  expect(decodeHello(Uint8Array.of(0xff))).toBeNull();
});

test("a list of 65536 handlers goes through and one more does not", () => {
  const handlers = Array.from({ length: 65_536 }, (_, i) => `handler.number.${i}`);
  expect(decodeHelloReply(encodeHelloReply({ handlers }))?.handlers).toEqual(handlers);
  expect(() => encodeHelloReply({ handlers: [...handlers, "x"] })).toThrow(RangeError);
  expect(decodeHelloReply(utf8(JSON.stringify({ handlers: [...handlers, "x"] })))).toBeNull();
});
