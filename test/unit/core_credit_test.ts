import { expect, test } from "bun:test";
import { CreditLedger, CreditWindow, largestCredit, Line } from "../../src/core/mod.ts";

test("a window lets through what it was given, by count and by bytes, and opens again by totals", () => {
  const window = new CreditWindow({ count: 2, bytes: 100 });
  window.spend(10);
  expect(window.open).toBe(true);
  window.spend(10);
  expect(window.open).toBe(false);
  expect(window.allow({ count: 4, bytes: 100 })).toBe(true);
  expect(window.open).toBe(true);
  window.spend(1_000);
  expect(window.open).toBe(false);
  expect(window.allow({ count: 4, bytes: 1_021 })).toBe(true);
  expect(window.open).toBe(true);
  expect(window.spent).toEqual({ count: 3, bytes: 1_020 });
});

test("a window says when it is time to look for more: at half of it, at half of the rest, and so on", () => {
  const window = new CreditWindow({ count: 16, bytes: 1_000 });
  const looks = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => window.spend(1) ? i + 1 : 0).filter((at) => at > 0);
  expect(looks(16)).toEqual([8, 12, 14, 15, 16]);
  window.allow({ count: 20, bytes: 1_000 });
  expect(looks(4)).toEqual([2, 3, 4]);
});

test("credit that was spent but not sent is given back", () => {
  const window = new CreditWindow({ count: 1, bytes: 10 });
  window.spend(10);
  window.giveBack(10);
  expect(window.open).toBe(true);
  expect(window.spent).toEqual({ count: 0, bytes: 0 });
});

test("totals that cannot be true change nothing", () => {
  const window = new CreditWindow({ count: 5, bytes: 50 });
  for (
    const total of [
      { count: 4, bytes: 50 },
      { count: 5, bytes: 49 },
      { count: largestCredit.count + 1, bytes: 50 },
      { count: 5, bytes: largestCredit.bytes + 1 },
      { count: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER },
      { count: NaN, bytes: NaN },
    ]
  ) expect(window.allow(total)).toBe(false);
  for (let i = 0; i < 5; i++) window.spend(1);
  expect(window.open).toBe(false);
});

test("a first window is at least one, and at most the largest", () => {
  const small = new CreditWindow({ count: 0, bytes: 0 });
  expect(small.open).toBe(true);
  const large = new CreditWindow({ count: Infinity, bytes: Infinity });
  for (let i = 0; i < largestCredit.count; i++) large.spend(0);
  expect(large.open).toBe(false);
});

test("a ledger is due at a quarter of a window, rides from an eighth on, and tells totals", () => {
  const ledger = new CreditLedger({ count: 16, bytes: 1_000 });
  expect(ledger.finish(1)).toBe(false);
  expect(ledger.ridable).toBe(false);
  ledger.finish(1);
  expect(ledger.ridable).toBe(true);
  expect(ledger.finish(1)).toBe(false);
  expect(ledger.finish(1)).toBe(true);
  expect(ledger.tell()).toEqual({ count: 20, bytes: 1_004 });
  expect(ledger.due).toBe(false);
  expect(ledger.finish(250)).toBe(true);
});

test("a smaller window takes nothing back that was told", () => {
  const ledger = new CreditLedger({ count: 100, bytes: 1_000 });
  ledger.resize({ count: 10, bytes: 100 });
  expect(ledger.tell()).toEqual({ count: 100, bytes: 1_000 });
  let tells = 0;
  for (let i = 0; i < 95; i++) {
    if (!ledger.finish(1)) continue;
    ledger.tell();
    tells++;
  }
  expect(tells).toBe(1);
  expect(ledger.tell()).toEqual({ count: 105, bytes: 1_000 });
});

test("sender and receiver never stand still together, whatever the window and the sizes", () => {
  for (const window of [1, 2, 3, 7, 64]) {
    const first = { count: window, bytes: window * 10 };
    const [sender, ledger] = [new CreditWindow(first), new CreditLedger(first)];
    let under: number[] = [];
    for (let i = 0; i < 1_000; i++) {
      if (!sender.open) {
        for (const size of under) if (ledger.finish(size)) expect(sender.allow(ledger.tell())).toBe(true);
        under = [];
      }
      expect(sender.open).toBe(true);
      sender.spend(i % 37);
      under.push(i % 37);
      expect(under.length).toBeLessThanOrEqual(window);
    }
  }
});

test("a line serves in order, skips those that left, and lets none overtake", () => {
  const line = new Line();
  const went: number[] = [];
  let room = 0;
  let left = 0;
  const join = (i: number) =>
    line.join(() => {
      if (room === 0) return false;
      expect(line.isFree).toBe(true);
      room--;
      went.push(i);
      return true;
    }, () => left++);
  const places = [0, 1, 2, 3].map(join);
  expect(line.isFree).toBe(false);
  expect(line.serve(Infinity)).toBe(0);
  places[1]!.leave();
  places[1]!.leave();
  expect([line.size, left]).toEqual([3, 1]);
  room = 2;
  expect(line.serve(Infinity)).toBe(2);
  expect(went).toEqual([0, 2]);
  room = 5;
  expect(line.serve(Infinity)).toBe(1);
  expect([went, left, line.size]).toEqual([[0, 2, 3], 4, 0]);
});
