import { expect, test } from "bun:test";
import { Deque } from "../../src/core/mod.ts";
import { seededPrng } from "../support/prng.ts";

/** The items of a deque, first to last. */
function contents<T>(deque: Deque<T>): T[] {
  const items: T[] = [];
  deque.forEach((item) => items.push(item));
  return items;
}

test("items come out in the order in which they went in", () => {
  const deque = new Deque<string>();
  expect(deque.size).toBe(0);
  expect(deque.shift()).toBeUndefined();
  expect(deque.peek()).toBeUndefined();
  for (const item of ["a", "b", "c"]) deque.push(item);
  expect(deque.size).toBe(3);
  expect(deque.peek()).toBe("a");
  expect(contents(deque)).toEqual(["a", "b", "c"]);
  expect([deque.shift(), deque.shift(), deque.shift(), deque.shift()]).toEqual(["a", "b", "c", undefined]);
  expect(deque.size).toBe(0);
  deque.push("d");
  expect(contents(deque)).toEqual(["d"]);
});

test("clear() takes everything out, also after some have left", () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 3_000; i++) deque.push(i);
  for (let i = 0; i < 1_500; i++) deque.shift();
  deque.clear();
  expect(deque.size).toBe(0);
  expect(deque.peek()).toBeUndefined();
  deque.push(7);
  expect(contents(deque)).toEqual([7]);
});

test("undefined and null are items like any other", () => {
  const deque = new Deque<undefined | null | number>();
  deque.push(undefined);
  deque.push(null);
  deque.push(1);
  expect(deque.size).toBe(3);
  expect(deque.shift()).toBeUndefined();
  expect(deque.size).toBe(2);
  expect(contents(deque)).toEqual([null, 1]);
});

test("a hundred thousand random steps agree with an array", () => {
  const deque = new Deque<number>();
  const array: number[] = [];
  const random = seededPrng(1);
  for (let i = 0; i < 100_000; i++) {
    // It swings between filling and emptying, so that the shifting of what is left is met at all sizes.
    const fill = Math.floor(i / 10_000) % 2 === 0 ? 7 : 3;
    if (random.below(10) < fill) {
      deque.push(i);
      array.push(i);
    } else expect(deque.shift()).toBe(array.shift() as number);
    expect(deque.size).toBe(array.length);
    expect(deque.peek()).toBe(array[0] as number);
    if (i % 5_000 === 0) expect(contents(deque)).toEqual(array);
  }
});

test("an item that has left is not held on to", () => {
  const deque = new Deque<object>();
  for (let i = 0; i < 100; i++) deque.push({ i });
  const seen = new Set<object>();
  for (let i = 0; i < 50; i++) seen.add(deque.shift()!);
  deque.forEach((item) => expect(seen.has(item)).toBeFalse());
});
