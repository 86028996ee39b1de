import { expect, test } from "bun:test";
import {
  type InstanceId,
  instanceId,
  instanceIdFromBytes,
  instanceIdToBytes,
  isInstanceId,
  newInstanceId,
  workerIdOf,
  xxh3Of16,
} from "../../src/core/mod.ts";
import { seededPrng } from "../support/prng.ts";
import { nodeA } from "../vectors/velo_headers.ts";

const id = "0195b0f4-3c52-7abc-8def-0123456789ab" as InstanceId;

test("newInstanceId() gives usable ids, each its own", () => {
  const ids = Array.from({ length: 2_000 }, newInstanceId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const one of ids) {
    expect(isInstanceId(one)).toBeTrue();
    expect(instanceIdToBytes(one)[0]).not.toBe(0);
    expect(workerIdOf(one)).not.toBe(0n);
  }
});

test("instanceId() takes any case and refuses what is no UUID", () => {
  expect(instanceId(id.toUpperCase())).toBe(id);
  expect(instanceId(id)).toBe(id);
  const wrong = [
    "",
    "x",
    id.slice(1),
    `${id}0`,
    ` ${id}`,
    id.replaceAll("-", ""),
    `{${id}}`,
    id.replace("a", "g"),
  ];
  for (const text of [...wrong, undefined, null, 5, {}]) {
    expect(() => instanceId(text as string)).toThrow(TypeError);
    expect(isInstanceId(text)).toBeFalse();
  }
  expect(isInstanceId(id.toUpperCase())).toBeFalse();
});

test("an id and its sixteen bytes name each other, at any offset", () => {
  const bytes = instanceIdToBytes(id);
  expect([...bytes]).toEqual([
    1,
    0x95,
    0xb0,
    0xf4,
    0x3c,
    0x52,
    0x7a,
    0xbc,
    0x8d,
    0xef,
    1,
    0x23,
    0x45,
    0x67,
    0x89,
    0xab,
  ]);
  expect(instanceIdFromBytes(bytes)).toBe(id);
  const inside = new Uint8Array(40).fill(9);
  inside.set(bytes, 17);
  expect(instanceIdFromBytes(inside, 17)).toBe(id);
  const random = seededPrng(3);
  for (let i = 0; i < 500; i++) {
    const some = random.bytes(16);
    expect([...instanceIdToBytes(instanceIdFromBytes(some))]).toEqual([...some]);
  }
});

test("the worker id is the hash that Velo has", () => {
  expect(workerIdOf(nodeA.instanceId as InstanceId)).toBe(nodeA.workerId as never);
});

test("worker ids are unsigned 64-bit numbers and do not depend on where the bytes lie", () => {
  const random = seededPrng(4);
  for (let i = 0; i < 500; i++) {
    const wide = random.bytes(40);
    const hash = xxh3Of16(wide.subarray(8, 24));
    expect(hash).toBe(xxh3Of16(wide.slice(8, 24)));
    expect(hash >= 0n && hash < 2n ** 64n).toBeTrue();
  }
});
