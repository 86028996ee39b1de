import { expect, test } from "bun:test";
import { ZeromeshError } from "../../src/core/errors.ts";
import { decodePayload, encodeHeaders, encodeItem, encodePayload } from "../../src/wire/mod.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { msgpack, msgpackExtensions } from "../vectors/zeromesh.ts";

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
    expect(encodePayload(undefined, encoding)).toHaveLength(0);
    expect(decodePayload(encodePayload({ a: undefined, b: 1 }, encoding), encoding)).toEqual({
      value: { b: 1 },
    });
    expect(decodePayload(new Uint8Array(), encoding)).toEqual({ value: undefined });
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
  for (
    const n of [0n, 5n, -1n, 127n, 128n, -128n, -129n, 255n, 2n ** 64n, -(2n ** 64n) - 1n, 2n ** 4000n - 1n]
  ) {
    expect(decodePayload(encodePayload({ n }, "msgpack"), "msgpack")).toEqual({ value: { n } });
  }
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
    [{ f: () => 1 }, ["msgpack"]],
    ["\ud800", ["msgpack"]],
    [new Map([[{}, Symbol("x")]]), ["json", "msgpack"]],
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
    ["c9ffffffff01", "ends early"],
    ["d40000", "unknown extension"],
    ["d4724093a161a162a163", "unknown extension"],
    ["c70365 01 02 03", "unknown extension"],
    ["d6690000000001", "unknown extension"],
    ["d57300c0", "unknown extension"],
    ["0101", "1 bytes follow"],
    ["8190c0", "map key"],
    ["81c0c0", "map key"],
    ["81c4016101", "map key"],
    ["81a95f5f70726f746f5f5fc0", "__proto__"],
    ["c70010", "unknown extension"],
    ["d51100 00", "unknown extension"],
    ["d41201", "unknown extension"],
    ["d4129101", "more elements"],
    ["d51291 01", "unknown extension"],
    ["d51391", "ends early"],
    ["d41391", "more elements"],
    ["d51390 90", "bytes follow"],
    ["d41463", "unknown extension"],
    ["c703140a 0102", "unknown extension"],
    ["d7ffffffffff00000000", "no possible time"],
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

test("the extensions are the bytes that the document gives", () => {
  const given: [string, unknown][] = Object.values(msgpackExtensions).map(({ hex, value }) => [hex, value]);
  for (const [hex, value] of given) {
    expect(hexOf(encodePayload(value, "msgpack"))).toBe(hexOf(bytesOf(hex)));
    expect(decodePayload(bytesOf(hex), "msgpack")).toEqual({ value });
  }
});

test("every byte of a MessagePack is given by its value, whatever was written before", () => {
  const values = [new Float64Array([1.5, 2.5]), new DataView(new ArrayBuffer(9)), "ä".repeat(100), [
    1.5,
    -3,
    70_000,
  ]];
  const before = values.map((value) => hexOf(encodePayload(value, "msgpack")));
  encodePayload(new Uint8Array(100_000).fill(0xee), "msgpack");
  expect(values.map((value) => hexOf(encodePayload(value, "msgpack")))).toEqual(before);
});

test("a getter may encode a value of its own meanwhile", () => {
  const value = {
    a: 1,
    get b() {
      return encodePayload([1, 2, 3], "msgpack").length;
    },
    c: "x",
  };
  expect(decodePayload(encodePayload(value, "msgpack"), "msgpack").value).toEqual({ a: 1, b: 4, c: "x" });
});

test("lengths of every width of text, arrays and maps round trip", () => {
  for (const length of [0, 1, 15, 16, 31, 32, 40, 41, 85, 86, 255, 256, 21_845, 65_535, 65_536]) {
    const object = Object.fromEntries(Array.from({ length: Math.min(length, 300) }, (_, i) => [`k${i}`, i]));
    const values = [
      "x".repeat(length),
      "é".repeat(length),
      "€".repeat(length),
      new Array(length).fill(7),
      object,
    ];
    for (const value of [...values, { ...object, gone: undefined }, new Uint8Array(length)]) {
      const { gone, ...kept } = value as { gone?: undefined };
      const wanted = typeof value === "object" && "gone" in value ? kept : value;
      expect(decodePayload(encodePayload(value, "msgpack"), "msgpack")).toEqual({ value: wanted });
      expect(gone).toBeUndefined();
    }
  }
});

test("decodePayload() reports JSON that is none", () => {
  for (const text of ["{", "nul", "\ufeff1", "[1,]"]) {
    expect(decodePayload(new TextEncoder().encode(text), "json").error).toBeString();
  }
  expect(decodePayload(Uint8Array.of(0x22, 0xff, 0x22), "json").error).toBe("not valid UTF-8");
});

test("an item for other programs has no extension: integers of 64 bits, and nil for undefined", () => {
  const hex = (value: unknown): string => hexOf(encodeItem(value, true));
  expect(hex([7, "hi"])).toBe("9207a26869");
  expect(hex(2 ** 32)).toBe("cf0000000100000000");
  expect(hex(-(2 ** 33))).toBe("d3fffffffe00000000");
  expect(hex(2n ** 64n - 1n)).toBe("cfffffffffffffffff");
  expect(hex(-(2n ** 63n))).toBe("d38000000000000000");
  expect(hex([undefined])).toBe("91c0");
  expect(hex(Uint8Array.of(1, 200))).toBe("c40201c8");
  expect(hex(0.5)).toBe("cb3fe0000000000000");
  for (const none of [2n ** 64n, -(2n ** 63n) - 1n, new Date(0), new Map(), new Set(), new Float64Array(1)]) {
    expect(() => encodeItem({ deep: [none] }, true)).toThrow(/deep\.0 is /);
  }
  // The next item has all of them again.
  expect(decodePayload(encodeItem([2n ** 64n, new Set([1])], false), "msgpack").value).toEqual([
    2n ** 64n,
    new Set([1]),
  ]);
});
