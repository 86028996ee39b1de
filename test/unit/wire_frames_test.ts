import { expect, test } from "bun:test";
import { ZeromeshError } from "../../src/core/errors.ts";
import {
  AckHeader,
  ackSize,
  decodeAck,
  decodeHeaders,
  decodeRequest,
  decodeResponse,
  encodeAck,
  encodeHeaders,
  encodeRequest,
  encodeResponse,
  NameCache,
  RequestHeader,
  requestSize,
  ResponseHeader,
  type ResponseId,
  responseIdFromBigInt,
  responseIdFromUuid,
  responseIdToBigInt,
  responseIdToUuid,
  ResponseKind,
  validateHandlerName,
} from "../../src/wire/mod.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { headerMaps, longResponseId, replies, requests } from "../vectors/velo_headers.ts";

const names = new NameCache();
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function idOf(worker: bigint, slot: number, generation: bigint): ResponseId {
  return responseIdFromBigInt(worker | (BigInt(slot) << 64n) | (generation << 80n));
}

function request(bytes: Uint8Array, start = 0, end = bytes.length) {
  const out = new RequestHeader();
  return { reason: decodeRequest(bytes, viewOf(bytes), start, end, out, names), out };
}

function response(bytes: Uint8Array, start = 0, end = bytes.length) {
  const out = new ResponseHeader();
  return { reason: decodeResponse(bytes, viewOf(bytes), start, end, out), out };
}

function ack(bytes: Uint8Array, start = 0, end = bytes.length) {
  const out = new AckHeader();
  return { reason: decodeAck(bytes, viewOf(bytes), start, end, out), out };
}

function encodedRequest(kind: ResponseKind, id: ResponseId, name: Uint8Array, headers: Uint8Array | null) {
  const bytes = new Uint8Array(requestSize(name.length, headers?.length ?? 0));
  expect(encodeRequest(bytes, viewOf(bytes), 0, kind, id, name, headers)).toBe(bytes.length);
  return bytes;
}

function encodedResponse(id: ResponseId, failed: boolean, headers: Uint8Array | null) {
  const bytes = new Uint8Array(19 + (headers?.length ?? 0));
  expect(encodeResponse(bytes, viewOf(bytes), 0, id, failed, headers)).toBe(bytes.length);
  return bytes;
}

/** Copies the bytes into the middle of a larger buffer, as they are in a receive buffer or a batch. */
function embedded(bytes: Uint8Array) {
  const outer = new Uint8Array(bytes.length + 20).fill(0xee);
  outer.set(bytes, 7);
  return { outer: outer.subarray(2), start: 5, end: 5 + bytes.length };
}

for (const vector of requests) {
  const bytes = bytesOf(vector.hex);
  const id = idOf(vector.worker, vector.slot, vector.generation);

  test(`decodeRequest() reads the Velo vector: ${vector.title}`, () => {
    const { outer, start, end } = embedded(bytes);
    const { reason, out } = request(outer, start, end);
    expect(reason).toBeNull();
    expect({ kind: out.kind, name: out.name, end: out.end }).toEqual({
      kind: vector.kind,
      name: vector.name,
      end,
    });
    expect(responseIdToBigInt(out)).toBe(responseIdToBigInt(id));
    expect(BigInt.asUintN(64, responseIdToBigInt(out))).toBe(vector.worker);
    expect(out.id2 & 0xffff).toBe(vector.slot);
    expect({ ...decodeHeaders(outer, out.headersStart, out.headersEnd) as object }).toEqual(
      vector.headers ?? {},
    );
    expect(out.headersEnd === out.headersStart).toBe(vector.headers === null);
  });

  test(`encodeRequest() writes the Velo vector: ${vector.title}`, () => {
    const name = validateHandlerName(vector.name, { system: true });
    const headers = vector.headers === null ? null : encodeHeaders(vector.headers);
    expect(hexOf(encodedRequest(vector.kind, id, name, headers))).toBe(hexOf(bytes));
  });

  test(`decodeRequest() refuses the Velo vector cut at every byte: ${vector.title}`, () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(request(bytes.slice(0, length)).reason).toBe("headerTruncated");
      expect(request(bytes, 0, length).reason).toBe("headerTruncated");
    }
  });
}

for (const vector of replies) {
  const bytes = bytesOf(vector.hex);
  const id = idOf(7328158447628002822n, vector.slot, vector.generation);
  const headers = vector.headers === null ? null : encodeHeaders(vector.headers);

  test(`${vector.type === 1 ? "decodeResponse" : "decodeAck"}() reads the Velo vector: ${vector.title}`, () => {
    const { outer, start, end } = embedded(bytes);
    if (vector.type === 1) {
      const { reason, out } = response(outer, start, end);
      expect(reason).toBeNull();
      expect(out.failed).toBe(vector.failed);
      expect(responseIdToBigInt(out)).toBe(responseIdToBigInt(id));
      expect({ ...decodeHeaders(outer, out.headersStart, out.headersEnd) as object }).toEqual(
        vector.headers ?? {},
      );
    } else {
      const { reason, out } = ack(outer, start, end);
      expect(reason).toBeNull();
      expect({ failed: out.failed, completesNone: out.completesNone }).toEqual({
        failed: vector.failed,
        completesNone: false,
      });
      expect(responseIdToBigInt(out)).toBe(responseIdToBigInt(id));
    }
  });

  test(`${vector.type === 1 ? "encodeResponse" : "encodeAck"}() writes the Velo vector: ${vector.title}`, () => {
    if (vector.type === 1) {
      expect(hexOf(encodedResponse(id, vector.failed, headers))).toBe(hexOf(bytes));
    } else {
      const written = new Uint8Array(ackSize);
      expect(encodeAck(written, viewOf(written), 0, id, vector.failed)).toBe(ackSize);
      expect(hexOf(written)).toBe(hexOf(bytes));
    }
  });

  test(`the reply vector is refused when cut at every byte: ${vector.title}`, () => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.slice(0, length);
      expect(vector.type === 1 ? response(cut).reason : ack(cut).reason).toBe("headerTruncated");
    }
  });
}

test("request headers round trip for every kind, with no map, an empty map and a map", () => {
  const id = { id0: 0xffffffff, id1: 0x80000000, id2: 0xfffefdfc, id3: 1 };
  for (const kind of [ResponseKind.fire, ResponseKind.ack, ResponseKind.unary]) {
    for (const headers of [null, {}, { a: "b", "schlüssel": "wert 🌍" }]) {
      const bytes = encodedRequest(
        kind,
        id,
        validateHandlerName("größe.名"),
        headers && encodeHeaders(headers),
      );
      const { reason, out } = request(bytes);
      expect(reason).toBeNull();
      expect([out.kind, out.name, out.id0, out.id1, out.id2, out.id3]).toEqual([
        kind,
        "größe.名",
        0xffffffff,
        0x80000000,
        0xfffefdfc,
        1,
      ]);
      expect({ ...decodeHeaders(bytes, out.headersStart, out.headersEnd) as object }).toEqual(headers ?? {});
    }
  }
});

test("no header map and an empty one differ by one byte, in requests and responses", () => {
  const id = idOf(1n, 2, 3n);
  const name = validateHandlerName("x");
  const empty = encodeHeaders({});
  expect(encodedRequest(0, id, name, empty).length - encodedRequest(0, id, name, null).length).toBe(1);
  expect(encodedResponse(id, false, empty).length - encodedResponse(id, false, null).length).toBe(1);
});

test("decodeRequest() ignores bytes after the header map and says where the header ended", () => {
  const bytes = encodedRequest(2, idOf(1n, 2, 3n), validateHandlerName("add"), encodeHeaders({ a: "b" }));
  const longer = new Uint8Array(bytes.length + 5).fill(0xff);
  longer.set(bytes);
  const { reason, out } = request(longer);
  expect(reason).toBeNull();
  expect(out.end).toBe(bytes.length);
});

test("decodeRequest() refuses another schema version, an unknown kind and an empty name", () => {
  const bytes = encodedRequest(2, idOf(1n, 2, 3n), validateHandlerName("add"), null);
  for (const version of [0, 2, 255]) expect(request(bytes.with(0, version)).reason).toBe("schemaVersion");
  for (const kind of [3, 4, 0x7f, 0x82, 0x83, 255]) {
    expect(request(bytes.with(1, kind)).reason).toBe("responseType");
  }
  expect(request(bytes.with(18, 0)).reason).toBe("nameEmpty");
});

test("decodeRequest() refuses a name that is not UTF-8", () => {
  const bytes = encodedRequest(2, idOf(1n, 2, 3n), validateHandlerName("add"), null);
  expect(request(bytes.with(21, 0xff)).reason).toBe("nameEncoding");
  expect(request(encodedRequest(2, idOf(1n, 2, 3n), Uint8Array.of(0xed, 0xa0, 0x80), null)).reason).toBe(
    "nameEncoding",
  );
});

test("decodeRequest() and decodeResponse() take a map of 16384 bytes and refuse 16385", () => {
  const id = idOf(1n, 2, 3n);
  for (const [size, reason] of [[16_384, null], [16_385, "headersTooLarge"]] as const) {
    const map = new Uint8Array(size);
    expect(request(encodedRequest(0, id, validateHandlerName("x"), map)).reason).toBe(reason);
    expect(response(encodedResponse(id, false, map)).reason).toBe(reason);
  }
});

test("a handler name of 65535 bytes goes through, one of 65536 is refused before sending", () => {
  const longest = "n".repeat(65_535);
  const { reason, out } = request(encodedRequest(0, idOf(1n, 2, 3n), validateHandlerName(longest), null));
  expect(reason).toBeNull();
  expect(out.name).toBe(longest);
  expect(() => validateHandlerName(`${longest}n`)).toThrow(ZeromeshError);
  expect(() => validateHandlerName("ä".repeat(32_768))).toThrow("65536 bytes");
});

test("validateHandlerName() refuses empty, reserved and ill-formed names with NAME_INVALID", () => {
  for (const name of ["", "_hello", "a\ud800b", "\udc00"]) {
    try {
      validateHandlerName(name);
      throw new Error("not refused");
    } catch (error) {
      expect(error).toBeInstanceOf(ZeromeshError);
      expect((error as ZeromeshError).code).toBe("NAME_INVALID");
    }
  }
  expect(hexOf(validateHandlerName("_hello", { system: true }))).toBe("5f68656c6c6f");
  expect(() => validateHandlerName("", { system: true })).toThrow("it is empty");
});

test("decodeResponse() refuses 18 bytes, takes 19 and ignores what follows", () => {
  const bytes = encodedResponse(idOf(1n, 2, 3n), false, null);
  expect(bytes.length).toBe(19);
  expect(response(bytes.slice(0, 18)).reason).toBe("headerTruncated");
  expect(response(bytes).reason).toBeNull();
  const longer = new Uint8Array(30);
  longer.set(bytes);
  expect(response(longer).reason).toBeNull();
});

test("decodeResponse() takes any outcome but 0 as failed", () => {
  const bytes = encodedResponse(idOf(1n, 2, 3n), false, null);
  expect(response(bytes).out.failed).toBe(false);
  for (const outcome of [1, 2, 255]) expect(response(bytes.with(16, outcome)).out.failed).toBe(true);
});

test("decodeAck() knows four flag values and refuses every other", () => {
  const bytes = new Uint8Array(20);
  for (let flags = 0; flags < 256; flags++) {
    const { reason, out } = ack(bytes.with(0, flags));
    expect(reason).toBe(flags < 4 ? null : "ackFlags");
    if (flags < 4) expect([out.completesNone, out.failed]).toEqual([(flags & 1) === 1, (flags & 2) === 2]);
  }
});

test("a response id and its 128-bit integer are the same bytes", () => {
  const id = responseIdFromBigInt(longResponseId.integer);
  expect(BigInt(longResponseId.hex)).toBe(longResponseId.integer);
  expect(responseIdToBigInt(id)).toBe(longResponseId.integer);
  expect(id.id2 & 0xffff).toBe(0x1234);
  expect(() => responseIdFromBigInt(-1n)).toThrow(RangeError);
  expect(() => responseIdFromBigInt(1n << 128n)).toThrow(RangeError);
  const largest = responseIdFromBigInt((1n << 128n) - 1n);
  expect(largest).toEqual({ id0: 0xffffffff, id1: 0xffffffff, id2: 0xffffffff, id3: 0xffffffff });
});

for (const vector of headerMaps) {
  test(`decodeHeaders() and encodeHeaders() agree with Velo: ${vector.title}`, () => {
    const bytes = bytesOf(vector.hex);
    expect({ ...decodeHeaders(bytes, 0, bytes.length) as object }).toEqual(vector.value);
    expect(hexOf(encodeHeaders(vector.value))).toBe(vector.smallest);
    for (let length = 1; length < bytes.length; length++) {
      expect(decodeHeaders(bytes, 0, length)).toBe("headersEncoding");
    }
  });
}

test("a response id is 16 bytes, and as the text of a UUID it comes back as it was", () => {
  const id = { id0: 0x48a52606, id1: 0x65b2d928, id2: 0xfffe1234, id3: 0x80000001 };
  const text = responseIdToUuid(id);
  expect(text).toBe("0626a548-28d9-b265-3412-feff01000080");
  expect(responseIdFromUuid(text)).toEqual(id);
  expect(responseIdFromUuid(text.toUpperCase())).toEqual(id);
  for (const word of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
    const edge = { id0: word, id1: word, id2: word, id3: word };
    expect(responseIdFromUuid(responseIdToUuid(edge))).toEqual(edge);
  }
  for (
    const wrong of ["", "0626a548", text.slice(1), text + "0", text.replace("-", "0"), text.replace("6", "g")]
  ) {
    expect(responseIdFromUuid(wrong)).toBe(null);
  }
});
