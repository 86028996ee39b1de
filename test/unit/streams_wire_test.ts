import { expect, test } from "bun:test";
import { BatchBuffer, RecordReader } from "../../src/streams/wire/batch.ts";
import {
  FrameReader,
  heartbeatFrame,
  itemFrame,
  senderErrorFrame,
  terminalFrames,
  transportErrorFrame,
} from "../../src/streams/wire/frame.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { streamCredit } from "../vectors/zeromesh.ts";
import { batches, frames, heartbeatBatch, type VectorRecord } from "../vectors/velo_streams.ts";

const all = [...batches, heartbeatBatch];

/** All records of a batch, and how it ended. */
function walk(bytes: Uint8Array, start = 0, end = bytes.length) {
  const reader = new RecordReader();
  const records: VectorRecord[] = [];
  let reason: string | null = reader.begin(bytes, start, end);
  while (reason === null && (reason = reader.next()) === null) {
    const { type, slot, sequence } = reader;
    records.push({ type, slot, sequence, body: hexOf(bytes.subarray(reader.start, reader.end)) });
  }
  if (reason !== "end") expect(reader.next()).toBe("end");
  return { reason, records, epoch: reader.epoch, batch: reader.batch };
}

test("RecordReader reads the batches of Velo", () => {
  for (const { hex, records, batch } of all) {
    expect(walk(bytesOf(hex))).toEqual({ reason: "end", records: [...records], epoch: 1, batch });
  }
});

test("RecordReader reads batches of other lanes, and with flags of later versions, alike", () => {
  const [first] = batches;
  const bytes = bytesOf(first!.hex);
  bytes[1] = 0x83;
  expect(walk(bytes)).toEqual({ reason: "end", records: [...first!.records], epoch: 1, batch: first!.batch });
});

test("BatchBuffer writes the batches of Velo", () => {
  const buffer = new BatchBuffer(256);
  for (const { hex, records, batch } of all) {
    for (const { type, slot, sequence, body } of records) {
      const bytes = bytesOf(body);
      buffer.bytes.set(bytes, buffer.open(type, slot, sequence, bytes.length));
    }
    expect(hexOf(buffer.finish(1, batch))).toBe(hexOf(bytesOf(hex)));
    buffer.reset();
  }
});

test("BatchBuffer takes a body that is written before its record, and keeps an epoch above 32 bits", () => {
  const buffer = new BatchBuffer(64);
  buffer.bytes.set([1, 2], buffer.bodyAt);
  buffer.open(0, 7, 1, 2);
  buffer.open(4, 7, 2, 0);
  const { records, reason, epoch } = walk(buffer.finish(2 ** 40 + 3, 0));
  expect(reason).toBe("end");
  expect(epoch).toBe(2 ** 40 + 3);
  expect(records).toEqual([
    { type: 0, slot: 7, sequence: 1, body: "0102" },
    { type: 4, slot: 7, sequence: 2, body: "" },
  ]);
});

test("credit between zeromesh instances is in items and bytes", () => {
  const { hex, slot, items, bytes, epoch, batch } = streamCredit;
  const buffer = new BatchBuffer(64);
  const at = buffer.open(3, slot, 0, 8);
  buffer.writeUint32(at, items);
  buffer.writeUint32(at + 4, bytes);
  expect(hexOf(buffer.finish(epoch, batch))).toBe(hexOf(bytesOf(hex)));
  const reader = new RecordReader();
  const sent = bytesOf(hex);
  expect([reader.begin(sent, 0, sent.length), reader.next()]).toEqual([null, null]);
  const { type, start, end } = reader;
  expect([type, reader.slot, end - start, reader.uint32(start), reader.uint32(start + 4)])
    .toEqual([3, slot, 8, items, bytes]);
});

test("RecordReader gives a reason for each malformed batch, and keeps the records before", () => {
  const header = (count: number, version = "02", epoch = "0000000000000001") =>
    `${version}00${count.toString(16).padStart(4, "0")}${epoch}00000000`;
  const record = (type: string, body: string, length = body.length / 2) =>
    `${type}0000000000000001${length.toString(16).padStart(8, "0")}${body}`;
  const good = record("00", "07");
  const cases: [string, string, number][] = [
    ["headerTruncated", header(1).slice(2), 0],
    ["version", header(1, "01") + good, 0],
    ["epoch", header(1, "02", "0000000000000000") + good, 0],
    ["recordTruncated", header(2) + good, 1],
    ["recordTruncated", header(2) + good + record("00", "07", 2), 1],
    ["recordTruncated", header(2) + good + record("00", "", 0xffff_ffff), 1],
    ["trailing", header(1) + good + "00", 1],
    ["recordType", header(2) + good + record("06", ""), 1],
    ["bodyLength", header(2) + good + record("01", "00"), 1],
    ["bodyLength", header(2) + good + record("03", "0000"), 1],
    ["bodyLength", header(2) + good + record("04", "00"), 1],
    ["closeReason", header(2) + good + record("02", "04"), 1],
    ["lifecycleAction", header(2) + good + record("05", "000000000000000002"), 1],
  ];
  for (const [reason, hex, count] of cases) {
    const walked = walk(bytesOf(hex));
    expect([walked.reason, walked.records.length]).toEqual([reason, count]);
  }
  // Bytes around a batch are not its own.
  const inside = bytesOf("ff" + header(1) + good + "ff");
  expect(walk(inside, 1, inside.length - 1).reason).toBe("end");
});

test("FrameReader reads the frames of Velo, and they are written alike", () => {
  const reader = new FrameReader();
  for (const { kind, hex, value, text } of frames) {
    const bytes = bytesOf(hex);
    const around = new Uint8Array(bytes.length + 2);
    around.set(bytes, 1);
    expect(reader.read(around, 1, bytes.length + 1)).toBeNull();
    expect(reader.kind as string).toBe(kind);
    if (value !== undefined) {
      expect(hexOf(around.subarray(reader.valueStart, bytes.length + 1))).toBe(value);
      expect(itemFrame(bytesOf(value))).toEqual(bytes);
    }
    expect(reader.text).toBe(text ?? "");
    const written: Record<string, Uint8Array> = {
      ...terminalFrames,
      heartbeat: heartbeatFrame,
      senderError: senderErrorFrame("x"),
      transportError: transportErrorFrame("x"),
    };
    if (value === undefined) expect(written[kind]).toEqual(bytes);
  }
});

test("FrameReader reads texts of every length, and refuses what is no frame", () => {
  const reader = new FrameReader();
  for (const length of [0, 31, 32, 255, 256, 65_535, 65_536]) {
    const frame = senderErrorFrame("é".repeat(length / 2) + "x".repeat(length % 2));
    expect(reader.read(frame, 0, frame.length)).toBeNull();
    expect(new TextEncoder().encode(reader.text).length).toBe(length - (length % 2) + (length % 2));
  }
  const refused = [
    "",
    "07",
    "81",
    "a4",
    "a44974656d",
    "81a9486561727462656174",
    "82a44974656d07",
    "a744726f7070656400",
  ];
  for (const hex of refused) expect(reader.read(bytesOf(hex), 0, bytesOf(hex).length)).toBe("frameKind");
  for (const hex of ["81a44974656d", "81ab53656e6465724572726f7207", "81ab53656e6465724572726f72a178ff"]) {
    expect(reader.read(bytesOf(hex), 0, bytesOf(hex).length)).toBe("frameText");
  }
});
