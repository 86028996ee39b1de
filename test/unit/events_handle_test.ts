import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EventHandle,
  eventHandle,
  eventHandleFromBytes,
  eventHandleToBytes,
  handleWords,
  joinHandle,
  makeHandle,
  ownerOf,
  splitHandle,
} from "../../src/events/handle.ts";
import { hexOf } from "../vectors/hex.ts";

const indexOf = (handle: bigint): number => Number(BigInt.asUintN(32, handle >> 32n));
const owner = 3048459635754632962n;
const vector = 56234154719799553934924405423673966593n;
const largest = (1n << 128n) - 1n;

test("a handle is owner, index and generation, as Velo lays them out", () => {
  const handle = makeHandle(owner, 0, 1);
  assert.equal(handle, vector);
  assert.deepEqual([ownerOf(handle), indexOf(handle), Number(BigInt.asUintN(32, handle))], [owner, 0, 1]);
  const high = makeHandle(2n ** 64n - 1n, 0xffff_ffff, 0xffff_ffff);
  assert.equal(high, largest);
  assert.deepEqual([ownerOf(high), indexOf(high), Number(BigInt.asUintN(32, high))], [
    2n ** 64n - 1n,
    0xffff_ffff,
    0xffff_ffff,
  ]);
});

test("a handle goes through decimal text and back, up to 39 digits", () => {
  for (const value of [0n, 1n, vector, largest]) {
    assert.equal(eventHandle(String(value)), value);
    assert.equal(eventHandle(value), value);
  }
  assert.equal(String(largest).length, 39);
});

test("eventHandle() works as the function of an array's map()", () => {
  assert.deepEqual(["1", "2", "3"].map(eventHandle), [1n, 2n, 3n]);
});

test("eventHandle() refuses what is no handle", () => {
  for (
    const wrong of ["", " 1", "+1", "-1", "01", "1.0", "0x1", "1e3", "1n", String(1n << 128n), "9".repeat(40)]
  ) {
    assert.throws(() => eventHandle(wrong), TypeError, wrong);
  }
  for (const wrong of [-1n, 1n << 128n]) assert.throws(() => eventHandle(wrong), TypeError);
  assert.throws(() => eventHandle(5 as unknown as string), TypeError);
  assert.throws(() => eventHandle(undefined as unknown as string), TypeError);
});

test("a handle goes through 16 bytes, little-endian, and back", () => {
  const bytes = eventHandleToBytes(vector as EventHandle);
  assert.equal(hexOf(bytes), "010000000000000002874525e34d4e2a");
  for (const value of [0n, vector, largest] as EventHandle[]) {
    assert.equal(eventHandleFromBytes(eventHandleToBytes(value)), value);
  }
  const offset = new Uint8Array(20);
  offset.set(bytes, 3);
  assert.equal(eventHandleFromBytes(offset.subarray(3, 19)), vector);
  for (const length of [0, 15, 17]) {
    assert.throws(() => eventHandleFromBytes(new Uint8Array(length)), TypeError);
  }
});

test("splitting and joining words loses nothing", () => {
  for (const value of [0n, vector, largest] as EventHandle[]) {
    splitHandle(value);
    const copy = handleWords.slice();
    splitHandle(1n as EventHandle);
    assert.equal(joinHandle(copy), value);
    assert.equal(joinHandle(handleWords), value);
  }
});
