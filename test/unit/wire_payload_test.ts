import { expect, test } from "bun:test";
import { ZeromeshError } from "../../src/core/errors.ts";
import { decodePayload, encodeHeaders, encodePayload } from "../../src/wire/mod.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { msgpack } from "../vectors/zeromesh.ts";

test("the MessagePack vector, both directions, and its mark", () => {
  expect(hexOf(encodePayload(msgpack.value, "msgpack"))).toBe(hexOf(bytesOf(msgpack.hex)));
  expect(decodePayload(bytesOf(msgpack.hex), "msgpack")).toEqual({ value: msgpack.value });
  expect(hexOf(encodeHeaders(msgpack.headers))).toBe(hexOf(bytesOf(msgpack.headersHex)));
});

test("a MessagePack payload cut at every byte is an error", () => {
  const bytes = bytesOf(msgpack.hex);
  for (let length = 1; length < bytes.length; length++) {
    expect(decodePayload(bytes.slice(0, length), "msgpack").error).toStartWith("not a MessagePack value: it");
  }
});

test("payloads round trip in both encodings", () => {
  const values = [null, true, 0, -1, 2 ** 40, 1.25, "", "größe 🌍", [], {}, [1, [2, [3]]], {
    a: { b: [null, "x"] },
  }];
  for (const encoding of ["json", "msgpack"] as const) {
    for (const value of values) {
      expect(decodePayload(encodePayload(value, encoding), encoding)).toEqual({ value });
    }
    expect(decodePayload(encodePayload(undefined, encoding), encoding)).toEqual({ value: null });
    expect(decodePayload(encodePayload({ a: undefined, b: 1 }, encoding), encoding)).toEqual({
      value: { b: 1 },
    });
    expect(decodePayload(new Uint8Array(), encoding)).toEqual({ value: null });
  }
  expect(new TextDecoder().decode(encodePayload({ a: 1, b: 2 }, "json"))).toBe('{"a":1,"b":2}');
});

test("MessagePack payloads carry binaries, dates and 64-bit integers", () => {
  const value = {
    bin: new Uint8Array(300).fill(7),
    at: new Date(1_700_000_000_123),
    big: 2n ** 63n,
    low: -(2n ** 63n),
  };
  expect(decodePayload(encodePayload(value, "msgpack"), "msgpack")).toEqual({ value });
  expect(decodePayload(encodePayload({ n: 5n }, "msgpack"), "msgpack")).toEqual({ value: { n: 5 } });
});

test("decodePayload() copies binaries out of the frame", () => {
  const frame = Uint8Array.of(0xee, ...encodePayload({ bin: new Uint8Array([1, 2, 3]) }, "msgpack"), 0xee);
  const { value } = decodePayload(frame.subarray(1, -1), "msgpack");
  frame.fill(0);
  expect(value).toEqual({ bin: new Uint8Array([1, 2, 3]) });
});

test("encodePayload() gives bytes that later calls do not touch", () => {
  for (const encoding of ["json", "msgpack"] as const) {
    const first = encodePayload({ a: 1 }, encoding);
    const before = hexOf(first);
    for (let i = 0; i < 1000; i++) encodePayload({ b: i, c: "x".repeat(50) }, encoding);
    expect(hexOf(first)).toBe(before);
    expect(first.constructor).toBe(Uint8Array);
  }
});

test("encodePayload() says ENCODING_FAILED with its cause, and works afterwards", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const bad: [unknown, ("json" | "msgpack")[]][] = [
    [() => 1, ["json", "msgpack"]],
    [Symbol("x"), ["json", "msgpack"]],
    [cycle, ["json", "msgpack"]],
    [{ n: 1n }, ["json"]],
    [{ n: 2n ** 64n }, ["msgpack"]],
    [{ f: () => 1 }, ["msgpack"]],
    ["\ud800", ["msgpack"]],
    [new Map([[{}, 1]]), ["msgpack"]],
    [{
      toJSON: () => {
        throw new Error("no");
      },
    }, ["json"]],
  ];
  for (const [value, encodings] of bad) {
    for (const encoding of encodings) {
      try {
        encodePayload(value, encoding);
        throw new Error("not refused");
      } catch (error) {
        expect(error).toBeInstanceOf(ZeromeshError);
        expect((error as ZeromeshError).code).toBe("ENCODING_FAILED");
        expect((error as ZeromeshError).cause).toBeInstanceOf(Error);
      }
      expect(hexOf(encodePayload([1], encoding))).toBe(encoding === "json" ? "5b315d" : "9101");
    }
  }
});

test("decodePayload() refuses hostile MessagePack before anything is built", () => {
  const deep = (depth: number) => bytesOf("91".repeat(depth) + "c0");
  expect(decodePayload(deep(256), "msgpack").error).toBeUndefined();
  expect(decodePayload(deep(257), "msgpack").error).toContain("deeper than 256");
  const bad: [string, string][] = [
    ["c1", "not defined"],
    ["ddffffffff", "more elements"],
    ["dfffffffff", "more elements"],
    ["df80000000c0", "more elements"],
    ["dc000201", "more elements"],
    ["c6ffffffff00", "ends early"],
    ["dbffffffff61", "ends early"],
    ["c9ffffffff01", "unknown extension"],
    ["d40000", "unknown extension"],
    ["d4724093a161a162a163", "unknown extension"],
    ["c70365 01 02 03", "unknown extension"],
    ["d6690000000001", "unknown extension"],
    ["d57300c0", "unknown extension"],
    ["0101", "1 bytes follow"],
    ["8190c0", "map key"],
    ["81c0c0", "map key"],
    ["81c4016101", "map key"],
    ["a1ff", "UTF-8"],
    ["a3eda080", "UTF-8"],
    ["92a16101c0", "1 bytes follow"],
  ];
  for (const [hex, text] of bad) {
    const { error } = decodePayload(bytesOf(hex), "msgpack");
    expect([hex, error]).toEqual([hex, expect.stringContaining(text)]);
  }
});

test("decodePayload() takes every standard MessagePack form", () => {
  const good: [string, unknown][] = [
    ["7f", 127],
    ["ff", -1],
    ["cc80", 128],
    ["cd0100", 256],
    ["ce00010000", 65_536],
    ["cf0000000100000000", 2 ** 32],
    ["d080", -128],
    ["d18000", -32_768],
    ["d280000000", -(2 ** 31)],
    ["d3ffffffffffffffff", -1],
    ["ca3f800000", 1],
    ["cb3ff0000000000000", 1],
    ["d90161", "a"],
    ["da000161", "a"],
    ["db0000000161", "a"],
    ["dc000101", [1]],
    ["dd0000000101", [1]],
    ["de0001a16101", { a: 1 }],
    ["df00000001a16101", { a: 1 }],
    ["8101a161", { 1: "a" }],
    ["c50001ff", new Uint8Array([255])],
    ["c600000001ff", new Uint8Array([255])],
    ["d6ff00000001", new Date(1000)],
    ["c2", false],
    ["60", 0x60],
  ];
  for (const [hex, value] of good) {
    expect([hex, decodePayload(bytesOf(hex), "msgpack")]).toEqual([hex, { value }]);
  }
});

test("decodePayload() does not let a key reach a prototype", () => {
  const bytes = bytesOf("81a95f5f70726f746f5f5f81a178c3");
  const { value } = decodePayload(bytes, "msgpack");
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect((value as { x?: unknown }).x).toBeUndefined();
});

test("decodePayload() reports JSON that is none", () => {
  for (const text of ["{", "nul", "\ufeff1", "[1,]"]) {
    expect(decodePayload(new TextEncoder().encode(text), "json").error).toBeString();
  }
  expect(decodePayload(Uint8Array.of(0x22, 0xff, 0x22), "json").error).toBe("not valid UTF-8");
});
