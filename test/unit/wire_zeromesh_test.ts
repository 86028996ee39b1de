import { expect, test } from "bun:test";
import {
  batchHeaderSize,
  BatchReader,
  BatchRecord,
  BatchWriter,
  cancelHandler,
  codeOfVeloText,
  creditHandler,
  decodeCancel,
  decodeCredit,
  decodeHeaders,
  decodeRequest,
  encodeBatchHeader,
  encodeCancel,
  encodeCredit,
  encodeHeaders,
  encodeRequest,
  encodeResponse,
  encodeTtlHeaders,
  errorFromHeaders,
  errorHeaders,
  metadataBytesOf,
  NameCache,
  RequestHeader,
  requestSize,
  responseIdFromBigInt,
  responseIdToBigInt,
  ResponseKind,
  ttlOfHeaders,
  validateHandlerName,
  veloText,
  withCredit,
  withoutAnswer,
} from "../../src/wire/mod.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { errorTexts } from "../vectors/velo_control.ts";
import { longResponseId, nodeA } from "../vectors/velo_headers.ts";
import { am, batch, cancel, credit, credited, failure, largeMetadata, ttl } from "../vectors/zeromesh.ts";

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const slot = (value: number) => responseIdFromBigInt(nodeA.workerId | (BigInt(value) << 64n));

/** Reads all records of a batch, and the reason for which reading ended. */
function walk(header: Uint8Array, bytes: Uint8Array, start = 0, end = bytes.length) {
  const reader = new BatchReader();
  const record = new BatchRecord();
  const records: { type: number; header: string; payload: string }[] = [];
  let reason: string | null = reader.reset(header, 0, header.length, bytes, start, end);
  while (reason === null && (reason = reader.next(record)) === null) {
    records.push({
      type: record.type,
      header: hexOf(bytes.subarray(record.headerStart, record.headerEnd)),
      payload: hexOf(bytes.subarray(record.payloadStart, record.payloadEnd)),
    });
  }
  if (reason !== "end") expect(reader.next(record)).toBe("end");
  return { reason, records };
}

const batchHeader = bytesOf(batch.header);
const batchPayload = bytesOf(batch.payload);
const batchRecords = batch.records.map((record) => ({ ...record, header: hexOf(bytesOf(record.header)) }));

test("BatchWriter writes the batch vector, and again after reset()", () => {
  const writer = new BatchWriter(256);
  for (let round = 0; round < 2; round++) {
    for (const { type, header, payload } of batch.records) {
      const padded = Uint8Array.of(...bytesOf(header), 0xee, 0xee);
      expect(writer.append(type, viewOf(padded), padded.length - 2, bytesOf(payload))).toBe(true);
    }
    expect(hexOf(writer.bytes.subarray(0, writer.length))).toBe(hexOf(batchPayload));
    const header = new Uint8Array(batchHeaderSize);
    expect(encodeBatchHeader(header, viewOf(header), 0, writer.count)).toBe(5);
    expect(hexOf(header)).toBe(hexOf(batchHeader));
    writer.reset();
    expect([writer.length, writer.count]).toEqual([0, 0]);
  }
});

test("BatchWriter.open() lets the caller encode in place", () => {
  const writer = new BatchWriter(256);
  const name = validateHandlerName("add");
  const payload = bytesOf("7b2261223a312c2262223a327d");
  const at = writer.open(0, requestSize(name.length, 0), payload.length);
  writer.bytes.set(payload, encodeRequest(writer.bytes, writer.view, at, 2, slot(1), name, null));
  const end = 9 + 25 + 13;
  expect(hexOf(writer.bytes.subarray(0, writer.length))).toBe(hexOf(batchPayload.subarray(0, end)));
});

test("BatchWriter says false and writes nothing when a record does not fit", () => {
  const writer = new BatchWriter(20);
  expect(writer.append(0, viewOf(new Uint8Array(5)), 5, new Uint8Array(7))).toBe(false);
  expect([writer.length, writer.count]).toEqual([0, 0]);
  expect(writer.append(0, viewOf(new Uint8Array(5)), 5, new Uint8Array(6))).toBe(true);
  expect(writer.append(2, viewOf(new Uint8Array(0)), 0, new Uint8Array(0))).toBe(false);
  expect([writer.length, writer.count]).toEqual([20, 1]);
});

test("BatchReader reads the batch vector, also inside a larger buffer", () => {
  expect(walk(batchHeader, batchPayload)).toEqual({ reason: "end", records: batchRecords });
  const outer = new Uint8Array(batchPayload.length + 9).fill(0xff);
  outer.set(batchPayload, 4);
  expect(walk(batchHeader, outer, 4, 4 + batchPayload.length)).toEqual({
    reason: "end",
    records: batchRecords,
  });
});

test("BatchReader takes a count whose records fill the frame exactly", () => {
  const writer = new BatchWriter(9);
  writer.append(4, viewOf(new Uint8Array()), 0, new Uint8Array());
  expect(walk(bytesOf("0101000000"), writer.bytes).reason).toBe("end");
});

test("BatchReader ends the batch vector cut at every byte with a reason, and keeps the records before", () => {
  for (let length = 0; length < batchPayload.length; length++) {
    const { reason, records } = walk(batchHeader, batchPayload.slice(0, length));
    expect(reason).toBeOneOf(["batchCount", "batchTruncated"]);
    expect(records).toEqual(batchRecords.slice(0, records.length));
    expect(records.length).toBeLessThan(3);
  }
  for (let length = 0; length < 5; length++) {
    expect(walk(batchHeader.slice(0, length), batchPayload).reason).toBe("batchHeader");
  }
});

test("BatchReader refuses other versions, longer headers and counts that do not fit", () => {
  expect(walk(bytesOf("0203000000"), batchPayload).reason).toBe("batchVersion");
  expect(walk(bytesOf("010300000000"), batchPayload).reason).toBe("batchHeader");
  expect(walk(bytesOf("0100000000"), batchPayload).reason).toBe("batchCount");
  expect(walk(bytesOf("0100000000"), new Uint8Array()).reason).toBe("batchCount");
  expect(walk(bytesOf("01ffffffff"), batchPayload)).toEqual({ reason: "batchCount", records: [] });
  expect(walk(bytesOf("0104000000"), batchPayload)).toEqual({ reason: "batchCount", records: batchRecords });
  expect(walk(bytesOf("0102000000"), batchPayload)).toEqual({
    reason: "batchTrailing",
    records: batchRecords.slice(0, 2),
  });
});

test("BatchReader refuses a batch in a batch and unknown types, and keeps what came before", () => {
  const second = 9 + 25 + 13;
  expect(walk(batchHeader, batchPayload.with(second, 0x40))).toEqual({
    reason: "batchNested",
    records: batchRecords.slice(0, 1),
  });
  for (const type of [5, 0x3f, 0x41, 255]) {
    expect(walk(batchHeader, batchPayload.with(second, type)).reason).toBe("batchType");
  }
});

test("BatchReader does not believe lengths beyond the frame", () => {
  for (const at of [1, 5]) {
    for (const length of [0xffffffff, 0x7fffffff, 0x80000000, 1000]) {
      const bytes = batchPayload.slice();
      viewOf(bytes).setUint32(at, length, true);
      expect(walk(batchHeader, bytes)).toEqual({ reason: "batchTruncated", records: [] });
    }
  }
});

test("the deadline vector is a request with _ttl, both directions", () => {
  const name = validateHandlerName("add");
  const headers = encodeTtlHeaders(ttl.ms);
  const bytes = new Uint8Array(requestSize(name.length, headers.length));
  encodeRequest(bytes, viewOf(bytes), 0, 2, slot(1), name, headers);
  expect(hexOf(bytes)).toBe(hexOf(bytesOf(ttl.request)));
  const out = new RequestHeader();
  expect(decodeRequest(bytes, viewOf(bytes), 0, bytes.length, out, new NameCache())).toBeNull();
  expect(ttlOfHeaders(bytes, out.headersStart, out.headersEnd)).toBe(ttl.ms);
});

test("the vectors of requests by a contract without an answer say so, both directions", () => {
  const name = validateHandlerName("add");
  for (const { kind, request } of am) {
    const bytes = new Uint8Array(requestSize(name.length, 0));
    encodeRequest(bytes, viewOf(bytes), 0, kind | withoutAnswer, slot(1), name, null);
    expect(hexOf(bytes)).toBe(hexOf(bytesOf(request)));
    const out = new RequestHeader();
    const decode = (from: Uint8Array) =>
      decodeRequest(from, viewOf(from), 0, from.length, out, new NameCache());
    expect(decode(bytes)).toBeNull();
    expect({ kind: out.kind, am: out.am }).toEqual({ kind, am: true } as { kind: 0 | 1; am: boolean });
    expect(decode(bytes.with(1, kind))).toBeNull();
    expect(out.am).toBe(false);
  }
});

test("the vector of a message for the system that has used up credit says so, and nothing else may", () => {
  const name = validateHandlerName("_work", { system: true });
  const bytes = new Uint8Array(requestSize(name.length, 0));
  encodeRequest(bytes, viewOf(bytes), 0, ResponseKind.fire | withCredit, slot(1), name, null);
  expect(hexOf(bytes)).toBe(hexOf(bytesOf(credited)));
  const out = new RequestHeader();
  const decode = (from: Uint8Array) =>
    decodeRequest(from, viewOf(from), 0, from.length, out, new NameCache());
  expect(decode(bytes)).toBeNull();
  expect([out.kind, out.credited, out.usesCredit]).toEqual([ResponseKind.fire, true, true]);
  expect(decode(bytes.with(1, ResponseKind.fire))).toBeNull();
  expect([out.credited, out.usesCredit]).toEqual([false, false]);
  for (const kind of [0x41, 0x42, 0xc1, 0xc2, 0x20]) {
    expect(decode(bytes.with(1, kind))).toBe("responseType");
  }
});

test("the vector of large metadata is a request that says how long it is, and other lengths are none", () => {
  const name = validateHandlerName("add");
  const headers = encodeHeaders(largeMetadata.headers);
  const bytes = new Uint8Array(requestSize(name.length, headers.length));
  encodeRequest(bytes, viewOf(bytes), 0, 2, slot(1), name, headers);
  expect(hexOf(bytes)).toBe(hexOf(bytesOf(largeMetadata.request)));
  const out = new RequestHeader();
  expect(decodeRequest(bytes, viewOf(bytes), 0, bytes.length, out, new NameCache())).toBeNull();
  expect(metadataBytesOf(bytes, out.headersStart, out.headersEnd)).toBe(1_026);
  const said = (text: string) => {
    const map = encodeHeaders({ _ttl: "30000", _metadata_bytes: text });
    return metadataBytesOf(map, 0, map.length);
  };
  for (const length of [1_025, 65_536]) expect(said(String(length))).toBe(length);
  for (const none of ["", "0", "1024", "65537", "99999999", "01026", "-1026", "1026.5", "1e4", "x"]) {
    expect(said(none)).toBe(0);
  }
});

test("the failure vector carries code and data, both directions", () => {
  const headers = encodeHeaders(errorHeaders(failure.code, failure.data));
  expect(hexOf(headers)).toBe(hexOf(bytesOf(failure.headers)));
  const bytes = new Uint8Array(19 + headers.length);
  encodeResponse(bytes, viewOf(bytes), 0, slot(1), true, headers);
  expect(hexOf(bytes)).toBe(hexOf(bytesOf(failure.response)));
  const read = decodeHeaders(bytes, 19, bytes.length);
  expect(typeof read === "string" ? read : errorFromHeaders(read)).toEqual({
    code: failure.code,
    data: failure.data,
    ran: "yes",
  });
});

test("errorHeaders() drops data that is no JSON or too long, never the code", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  for (const data of [undefined, cycle, 1n, () => 1, Symbol("x"), "x".repeat(1023), "é".repeat(512)]) {
    expect(errorHeaders("CODE", data)).toEqual({ _code: "CODE" });
  }
  expect(errorHeaders("CODE", "x".repeat(1022))["_data"]).toHaveLength(1024);
  expect(errorHeaders("CODE", null)).toEqual({ _code: "CODE", _data: "null" });
  encodeHeaders(errorHeaders("CODE", "é".repeat(511)));
});

test("errorHeaders() says whether the handler ran where the code would say something else", () => {
  expect(errorHeaders("FORBIDDEN", undefined, "no")).toEqual({ _code: "FORBIDDEN" });
  expect(errorHeaders("FORBIDDEN", undefined, "yes")).toEqual({ _code: "FORBIDDEN", _ran: "yes" });
  expect(errorHeaders("HANDLER_FAILED", undefined, "yes")).toEqual({ _code: "HANDLER_FAILED" });
  expect(errorHeaders("HANDLER_FAILED", undefined, "no")).toEqual({ _code: "HANDLER_FAILED", _ran: "no" });
  for (const code of ["FORBIDDEN", "HANDLER_FAILED", "OUT_OF_STOCK"]) {
    for (const ran of ["no", "yes"] as const) {
      expect(errorFromHeaders(errorHeaders(code, 1, ran))).toEqual({ code, data: 1, ran });
    }
  }
  expect(errorFromHeaders({ _code: "OVERLOADED", _ran: "perhaps" })?.ran).toBe("no");
});

test("errorFromHeaders() survives headers of anyone", () => {
  expect(errorFromHeaders({})).toBeNull();
  expect(errorFromHeaders({ _code: "" })).toBeNull();
  expect(errorFromHeaders({ _code: "X".repeat(129) })).toBeNull();
  expect(errorFromHeaders({ _code: "X", _data: "{" })).toEqual({ code: "X", data: undefined, ran: "yes" });
  expect(errorFromHeaders({ _code: "NEWER_CODE", _data: "[1]" })).toEqual({
    code: "NEWER_CODE",
    data: [1],
    ran: "yes",
  });
});

for (const { text, code, ran, refused } of errorTexts) {
  test(`codeOfVeloText() maps ${JSON.stringify(text)} to ${code}`, () => {
    expect(codeOfVeloText(text)).toEqual({ code, ran } as never);
    expect(codeOfVeloText(text, { reply: "ack" })).toEqual({ code, ran } as never);
    expect(codeOfVeloText(text, { reply: "ack", unary: true })).toEqual({ code, ran: refused } as never);
  });
}

test("veloText writes Velo's texts", () => {
  const texts = [
    veloText.handlerNotFound("add"),
    veloText.inputInvalid("missing field `b` at line 1 column 7"),
    veloText.outputInvalid("key must be a string"),
    veloText.handlerPanicked,
    veloText.laneFull,
    veloText.unaryToAm("note"),
    veloText.unaryToAm("note", "bad"),
    veloText.draining,
  ];
  for (const text of texts) expect(errorTexts.map((vector) => vector.text)).toContain(text);
  expect(veloText.handlerFailed("x")).toBe("Handler failed: x");
});

test("codeOfVeloText() believes 'not found' only of a nack about the name that was called", () => {
  const text = veloText.handlerNotFound("add");
  expect(codeOfVeloText(text, { reply: "ack", unary: true, handler: "add" }).ran).toBe("no");
  expect(codeOfVeloText(text, { reply: "ack", handler: "add" }).ran).toBe("maybe");
  expect(codeOfVeloText(text, { reply: "ack", handler: "sum" })).toEqual({
    code: "REMOTE_ERROR",
    ran: "yes",
  });
  expect(codeOfVeloText(text, { reply: "response", handler: "add" })).toEqual({
    code: "REMOTE_ERROR",
    ran: "yes",
  });
  expect(codeOfVeloText("Handler 'add' is tired").code).toBe("REMOTE_ERROR");
});

test("the cancellation vector names a response id, both directions", () => {
  const payload = encodeCancel(responseIdFromBigInt(longResponseId.integer));
  expect(hexOf(payload)).toBe(hexOf(bytesOf(cancel.payload)));
  const out = { id0: 0, id1: 0, id2: 0, id3: 0 };
  expect(decodeCancel(Uint8Array.of(9, ...payload, 9), 1, 17, out)).toBeNull();
  expect(responseIdToBigInt(out)).toBe(longResponseId.integer);
  const name = validateHandlerName(cancelHandler, { system: true });
  const bytes = new Uint8Array(requestSize(name.length, 0));
  encodeRequest(bytes, viewOf(bytes), 0, 0, slot(cancel.slot), name, null);
  expect(hexOf(bytes)).toBe(cancel.request);
});

test("the credit vector names two totals, both directions", () => {
  const payload = bytesOf(credit.payload);
  expect(hexOf(encodeCredit(credit.total))).toBe(hexOf(payload));
  expect(decodeCredit(payload)).toEqual(credit.total);
  const name = validateHandlerName(creditHandler, { system: true });
  const bytes = new Uint8Array(requestSize(name.length, 0));
  encodeRequest(bytes, viewOf(bytes), 0, 0, slot(credit.slot), name, null);
  expect(hexOf(bytes)).toBe(credit.request);
});

test("decodeCredit() takes exactly 16 bytes, and numbers that are exact", () => {
  for (let length = 0; length < 40; length++) {
    expect(decodeCredit(new Uint8Array(length)) === null).toBe(length !== 16);
  }
  const most = { count: Number.MAX_SAFE_INTEGER, bytes: 0 };
  expect(decodeCredit(encodeCredit(most))).toEqual(most);
  expect(decodeCredit(bytesOf("0000000000002000|0000000000000000"))).toBeNull();
  expect(decodeCredit(bytesOf("0000000000000000|ffffffffffffffff"))).toBeNull();
});

test("decodeCancel() takes exactly 16 bytes", () => {
  const out = { id0: 0, id1: 0, id2: 0, id3: 0 };
  for (let length = 0; length < 40; length++) {
    expect(decodeCancel(new Uint8Array(length), 0, length, out)).toBe(length === 16 ? null : "cancelLength");
  }
  expect(decodeCancel(new Uint8Array(10), 0, 16, out)).toBe("cancelLength");
});
