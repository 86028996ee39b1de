import { expect, test } from "bun:test";
import { ZeromeshError } from "../../src/core/errors.ts";
import {
  decodeHeaders,
  encodeHeaders,
  encodeTtl,
  encodeTtlHeaders,
  headerOf,
  isSystemHeader,
  NameCache,
  ttlOfHeaders,
} from "../../src/wire/mod.ts";
import { MsgpackCursor } from "../../src/wire/msgpack_cursor.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { ttl, ttlMaps } from "../vectors/zeromesh.ts";

const decode = (hex: string) => {
  const bytes = bytesOf(hex);
  return decodeHeaders(bytes, 0, bytes.length);
};
const ttlOf = (bytes: Uint8Array) => ttlOfHeaders(bytes, 0, bytes.length);

test("encodeHeaders() uses the smallest width at every boundary", () => {
  const widths: [number, string][] = [[0, "a0"], [31, "bf"], [32, "d920"], [255, "d9ff"], [256, "da0100"], [
    1024,
    "da0400",
  ]];
  for (const [length, prefix] of widths) {
    const bytes = encodeHeaders({ k: "v".repeat(length) });
    expect(hexOf(bytes).startsWith(`81a16b${prefix}`)).toBe(true);
    expect({ ...decodeHeaders(bytes, 0, bytes.length) as object }).toEqual({ k: "v".repeat(length) });
  }
  const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, ""]));
  expect(hexOf(encodeHeaders(pairs(15))).startsWith("8f")).toBe(true);
  expect(hexOf(encodeHeaders(pairs(16))).startsWith("de0010")).toBe(true);
  for (const count of [15, 16, 300]) {
    const bytes = encodeHeaders(pairs(count));
    expect({ ...decodeHeaders(bytes, 0, bytes.length) as object }).toEqual(pairs(count));
  }
});

test("encodeHeaders() takes a value of 1024 bytes and names the key of a longer one", () => {
  encodeHeaders({ k: "v".repeat(1024) });
  expect(() => encodeHeaders({ k: "v".repeat(1025) })).toThrow("1025 bytes, more than 1024");
  try {
    encodeHeaders({ fine: "", "too-long": "é".repeat(513) });
    throw new Error("not refused");
  } catch (error) {
    expect((error as ZeromeshError).code).toBe("HEADERS_TOO_LARGE");
    expect((error as ZeromeshError).message).toContain('"too-long"');
    expect((error as ZeromeshError).message).toContain("1026");
  }
});

test("encodeHeaders() takes a map of exactly 16384 bytes and refuses one more", () => {
  // Fifteen values of 1024 bytes with keys of one byte make 1 + 15 * 1029 bytes; and the last pair fills the rest.
  const headers = (last: number) =>
    Object.fromEntries([
      ...Array.from({ length: 15 }, (_, i) => [String.fromCharCode(97 + i), "v".repeat(1024)]),
      ["last", "v".repeat(last)],
    ]);
  // 16 pairs: 3 + 15435 + 5 + 3 + n
  expect(encodeHeaders(headers(938)).length).toBe(16_384);
  expect(() => encodeHeaders(headers(939))).toThrow("16385 bytes, more than 16384");
  const bytes = encodeHeaders(headers(938));
  expect(Object.keys(decodeHeaders(bytes, 0, bytes.length)).length).toBe(16);
});

test("encodeHeaders() refuses values that are no strings and text that is no text", () => {
  expect(() => encodeHeaders({ n: 1 } as never)).toThrow(TypeError);
  expect(() => encodeHeaders({ n: undefined } as never)).toThrow('"n"');
  expect(() => encodeHeaders({ n: "\ud800" })).toThrow(TypeError);
  expect(() => encodeHeaders({ "\ud800": "" })).toThrow(TypeError);
});

test("encodeHeaders() keeps unicode keys and values", () => {
  const headers = { "schlüssel": "größe", "鍵": "値", "🔑": "🌍", bom: "\ufeffx" };
  const bytes = encodeHeaders(headers);
  expect({ ...decodeHeaders(bytes, 0, bytes.length) as object }).toEqual(headers);
});

test("decodeHeaders() takes every width of map and string", () => {
  for (const map of ["81", "de0001", "df00000001"]) {
    for (const key of ["a161", "d90161", "da000161", "db0000000161"]) {
      for (const value of ["a162", "d90162", "da000162", "db0000000162"]) {
        expect({ ...decode(map + key + value) as object }).toEqual({ a: "b" });
      }
    }
  }
});

test("decodeHeaders() lets the last of repeated keys win", () => {
  expect({ ...decode("82a16ba131a16ba132") as object }).toEqual({ k: "2" });
});

test("decodeHeaders() keeps __proto__ as an ordinary key of an object without prototype", () => {
  const headers = decode("81a95f5f70726f746f5f5fa178") as Record<string, string>;
  expect(Object.getPrototypeOf(headers)).toBeNull();
  expect(Object.keys(headers)).toEqual(["__proto__"]);
  expect(headers["__proto__"]).toBe("x");
});

test("decodeHeaders() gives no headers for an empty range", () => {
  expect(Object.keys(decodeHeaders(new Uint8Array(4), 2, 2))).toEqual([]);
});

test("decodeHeaders() refuses all that is not exactly one map of strings", () => {
  const bad = [
    "c0",
    "a161",
    "90",
    "81a16b",
    "81a16b01",
    "8101a16b",
    "81a16bc4016b",
    "81c4016ba16b",
    "81a16bc0",
    "8000",
    "81a161a16200",
    "81a1ffa162",
    "81a161a1ff",
    "81a161a3eda080",
    "df80000000a161a162",
    "dfffffffff",
    "deffff",
    "81a161dbffffffff",
    "81a161db7fffffff62",
    "82a161a162",
    "c1",
  ];
  for (const hex of bad) expect([hex, decode(hex)]).toEqual([hex, "headersEncoding"]);
});

test("decodeHeaders() refuses more than 16384 bytes", () => {
  expect(decodeHeaders(new Uint8Array(16_385), 0, 16_385)).toBe("headersTooLarge");
});

test("MsgpackCursor says -1 for sizes and lengths beyond its bytes, before anyone allocates them", () => {
  const cursor = (hex: string) => new MsgpackCursor(bytesOf(hex), 0, bytesOf(hex).length);
  for (const hex of ["82a161", "8200a1", "de000200a1", "dfffffffff00", "dfffff", "90", ""]) {
    expect([hex, cursor(hex).readMapSize()]).toEqual([hex, -1]);
  }
  for (const hex of ["9200", "dc000200", "ddffffffff00", "dd00", "80", ""]) {
    expect([hex, cursor(hex).readArraySize()]).toEqual([hex, -1]);
  }
  for (const hex of ["a1", "a261", "d90261", "da000261", "dbffffffff", "db00", "c40161", ""]) {
    expect([hex, cursor(hex).readString()]).toEqual([hex, -1]);
  }
  for (const hex of ["c4", "c40261", "c5000261", "c6ffffffff", "a161", ""]) {
    expect([hex, cursor(hex).readBinary()]).toEqual([hex, -1]);
  }
  for (const hex of ["cc", "cd01", "ce000000", "cf0000000000000001", "ff", "c0", ""]) {
    expect([hex, cursor(hex).readUnsigned()]).toEqual([hex, -1]);
  }
});

test("isSystemHeader() is true for keys that start with an underscore", () => {
  expect(["_ttl", "_", "a_b", "", "ttl"].map(isSystemHeader)).toEqual([true, true, false, false, false]);
});

test("encodeTtl() rounds up and never goes below zero", () => {
  expect([0, -5, 0.2, 1499.5, 30_000, -0].map(encodeTtl)).toEqual(["0", "0", "1", "1500", "30000", "0"]);
  for (const ms of [Infinity, NaN, 2 ** 53]) expect(() => encodeTtl(ms)).toThrow(RangeError);
});

test("ttlOfHeaders() takes plain decimal integers below 2^53 only", () => {
  const ttlOf = (text: string): number => {
    const bytes = encodeHeaders({ _ttl: text });
    return ttlOfHeaders(bytes, 0, bytes.length);
  };
  expect([ttl.text, "0", "9007199254740991"].map(ttlOf)).toEqual([ttl.ms, 0, Number.MAX_SAFE_INTEGER]);
  const bad = [
    "",
    "-1",
    "+1",
    "01",
    "1.0",
    "1e3",
    " 1",
    "1 ",
    "0x10",
    "9007199254740992",
    "99999999999999999",
    "١",
  ];
  for (const text of bad) expect([text, ttlOf(text)]).toEqual([text, -1]);
});

test("encodeTtlHeaders() writes what encodeHeaders() would", () => {
  expect(hexOf(encodeTtlHeaders(ttl.ms))).toBe(hexOf(bytesOf(ttl.headers)));
  for (const { ms, hex } of ttlMaps) {
    expect(hexOf(encodeTtlHeaders(ms))).toBe(hex);
    expect(hexOf(encodeHeaders({ _ttl: encodeTtl(ms) }))).toBe(hex);
    expect(ttlOf(bytesOf(hex))).toBe(ms);
  }
});

test("ttlOfHeaders() finds the deadline among other headers and in any width", () => {
  expect(ttlOf(encodeHeaders({ a: "b", _ttl: "250", c: "d" }))).toBe(250);
  expect(ttlOf(encodeHeaders({ _ttl: "250", c: "d" }))).toBe(250);
  expect(ttlOf(bytesOf("de0001d9045f74746cd90437353030"))).toBe(7500);
  expect(ttlOf(bytesOf("82a45f74746ca131a45f74746ca132"))).toBe(2);
});

test("ttlOfHeaders() says -1 when there is none or it is malformed", () => {
  for (
    const headers of [{}, { a: "b" }, { _ttl: "" }, { _ttl: "-1" }, { _ttl: "01" }, { _ttl: "1e3" }, {
      ttl: "5",
    }]
  ) {
    expect(ttlOf(encodeHeaders(headers as Record<string, string>))).toBe(-1);
  }
  expect(ttlOf(new Uint8Array())).toBe(-1);
  const whole = encodeHeaders({ _ttl: "2500", a: "b" });
  for (let length = 0; length < whole.length; length++) {
    expect(ttlOfHeaders(whole, 0, length)).toBeOneOf([-1, 2500]);
  }
  expect(ttlOf(bytesOf("81a45f74746ca4313530"))).toBe(-1);
  expect(ttlOf(bytesOf("81a45f74746ca23135303030"))).toBe(-1);
});

test("NameCache decodes and encodes the same names, ASCII or not", () => {
  const names = new NameCache();
  for (const name of ["add", "größe", "名前", "🌍", "x".repeat(256), "y".repeat(257), "\ufeffbom"]) {
    const bytes = names.encode(name);
    for (let round = 0; round < 2; round++) {
      const framed = Uint8Array.of(0xff, ...bytes, 0xff);
      expect(names.decode(framed, 1, framed.length - 1)).toBe(name);
    }
    expect(hexOf(names.encode(name))).toBe(hexOf(new TextEncoder().encode(name)));
  }
});

test("NameCache does not depend on the bytes it has decoded before", () => {
  const names = new NameCache();
  const bytes = new TextEncoder().encode("first");
  expect(names.decode(bytes, 0, 5)).toBe("first");
  bytes.set(new TextEncoder().encode("other"));
  expect(names.decode(bytes, 0, 5)).toBe("other");
  expect(names.decode(new TextEncoder().encode("first"), 0, 5)).toBe("first");
  expect(names.size).toBe(2);
});

test("NameCache says null for bytes that are not UTF-8, each time", () => {
  const names = new NameCache();
  for (let round = 0; round < 2; round++) {
    for (const byte of [0x80, 0xc0, 0xff]) expect(names.decode(Uint8Array.of(0x61, byte), 0, 2)).toBeNull();
  }
  expect(names.size).toBe(0);
});

test("NameCache stays within its bounds under a flood of names, and still answers", () => {
  const names = new NameCache({ maxNames: 100 });
  const encoder = new TextEncoder();
  for (let i = 0; i < 10_000; i++) {
    const bytes = encoder.encode(`name${i}`);
    expect(names.decode(bytes, 0, bytes.length)).toBe(`name${i}`);
    expect(names.encode(`name${i}`).length).toBe(bytes.length);
  }
  expect(names.size).toBeLessThanOrEqual(100);
  expect(names.encode("name1")).toBe(names.encode("name1"));
  expect(names.encode("name9999")).not.toBe(names.encode("name9999"));
  const long = encoder.encode("z".repeat(257));
  const roomy = new NameCache();
  roomy.decode(long, 0, long.length);
  expect(roomy.size).toBe(0);
});

test("NameCache keeps apart names whose hashes collide", () => {
  const fnv = (name: string) => {
    let hash = 0x811c9dc5;
    for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
    return hash;
  };
  const pairs = [["costarring", "liquid"], ["declinate", "macallums"], ["altarage", "zinke"]] as const;
  const names = new NameCache();
  for (let round = 0; round < 2; round++) {
    for (const [one, other] of pairs) {
      expect(fnv(one)).toBe(fnv(other));
      for (const name of [one, other]) {
        const bytes = new TextEncoder().encode(name);
        expect(names.decode(bytes, 0, bytes.length)).toBe(name);
      }
    }
  }
  expect(names.size).toBe(6);
});

test("NameCache keeps only a few names of one bucket, so that chosen names cannot slow it down", () => {
  const names = new NameCache({ maxNames: 1024 });
  for (let i = 0, found = 0; found < 20; i++) {
    const bytes = new TextEncoder().encode(`n${i}`);
    let hash = 0x811c9dc5;
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
    if (((hash ^ (hash >>> 15)) & 1023) !== 0) continue;
    found++;
    expect(names.decode(bytes, 0, bytes.length)).toBe(`n${i}`);
  }
  expect(names.size).toBe(8);
});

test("NameCache refuses a size that is none", () => {
  for (const maxNames of [-1, 1.5, NaN, 2 ** 30]) {
    expect(() => new NameCache({ maxNames })).toThrow(RangeError);
  }
  expect(new NameCache({ maxNames: 0 }).decode(Uint8Array.of(0x61), 0, 1)).toBe("a");
});

test("headerOf() reads one header of a map, and agrees with decodeHeaders()", () => {
  const headers = { a: "1", _stream: "12o1,2", long: "v".repeat(300), "": "empty" };
  const bytes = Uint8Array.of(0, ...encodeHeaders(headers), 0);
  const end = bytes.length - 1;
  for (const [name, value] of Object.entries(headers)) expect(headerOf(bytes, 1, end, name)).toBe(value);
  expect([headerOf(bytes, 1, end, "_strea"), headerOf(bytes, 1, end, "b")]).toEqual([undefined, undefined]);
  expect(headerOf(bytes, 1, 1, "a")).toBeUndefined();
  // Cut, or with bytes behind it, a map has no headers at all.
  for (let cut = 2; cut < end; cut++) expect(headerOf(bytes, 1, cut, "a")).toBeUndefined();
  expect(headerOf(bytes, 1, end + 1, "a")).toBeUndefined();
  for (const hex of ["82a161a131a161a132", "de0001a161a132"]) {
    const map = bytesOf(hex);
    expect(headerOf(map, 0, map.length, "a")).toBe("2");
  }
  for (const hex of ["81a161a1ff", "81a16101", "90", "df7fffffff", "c0"]) {
    const map = bytesOf(hex);
    expect(headerOf(map, 0, map.length, "a")).toBeUndefined();
  }
});
