import { expect, test } from "bun:test";
import { Gathers } from "../../src/cohort/gathers.ts";
import { hasShare, newInstanceId, Shares } from "../../src/core/mod.ts";
import { makeHandle } from "../../src/events/handle.ts";
import { History } from "../../src/events/history.ts";
import { poisonedWith } from "../../src/events/outcome.ts";
import { ByteBudget } from "../../src/messenger/handlers/byte_budget.ts";

/** Counts the places that a sender gets one after another. */
function fill(shares: Shares<string>, sender: string | null): number {
  let count = 0;
  while (shares.take(sender)) count++;
  return count;
}

test("one sender gets sixteen seventeenths of the places, and the next ones always find some", () => {
  const shares = new Shares<string>(170_000);
  expect(fill(shares, "a")).toBe(160_000);
  for (const sender of ["b", "c", "d"]) expect(fill(shares, sender)).toBeGreaterThan(0);
  expect(shares.take("z")).toBe(true);
  expect(shares.refused).toBe(4);
  for (let i = 0; i < 160_000; i++) shares.give("a");
  expect(fill(shares, "y")).toBeGreaterThan(100_000);
});

test("a sender may take all of a few places, and this side has no share", () => {
  for (const limit of [1, 2, 16]) expect(fill(new Shares(limit), "a")).toBe(limit);
  const shares = new Shares<string>(100);
  expect(fill(shares, null)).toBe(100);
  shares.give(null, 100);
  expect(shares.taken).toBe(0);
});

test("a request for several places gets all of them or none", () => {
  const shares = new Shares<string>(100);
  expect(shares.take("a", 101)).toBe(false);
  expect(shares.take("a", 90)).toBe(true);
  expect(shares.take("a", 8)).toBe(false);
  expect(shares.take("b", 8)).toBe(true);
  expect(hasShare(90, 98, 100)).toBe(false);
  expect(hasShare(8, 98, 100)).toBe(true);
});

test("memory that waits for one sender's share lets another sender's pass", async () => {
  const budget = new ByteBudget<string>(100);
  const order: string[] = [];
  const take = (sender: string, bytes: number) =>
    budget.take(sender, bytes).then(() => void order.push(`${sender}${bytes}`));
  await take("a", 90);
  const late = take("a", 8);
  await take("b", 8);
  expect(order).toEqual(["a90", "b8"]);
  budget.give("a", 90);
  await late;
  expect(budget.taken).toBe(16);
});

test("outcomes of one peer's messages displace that peer's own entries, and no others", () => {
  const history = new History(34);
  const handles = Array.from({ length: 200 }, (_, i) => makeHandle(7n, i, 1));
  const [greedy, other] = [newInstanceId(), newInstanceId()];
  history.add(handles[0]!, poisonedWith("own"), null);
  history.add(handles[1]!, poisonedWith("other"), other);
  for (let i = 2; i < 200; i++) history.add(handles[i]!, poisonedWith("greedy"), greedy);
  expect(history.get(handles[0]!)?.reason).toBe("own");
  expect(history.get(handles[1]!)?.reason).toBe("other");
  expect(history.get(handles[199]!)?.reason).toBe("greedy");
  expect([history.size, history.forgotten]).toEqual([33, 167]);
});

test("one worker cannot bring up all the barriers of a cohort, and those it leaves are free again", async () => {
  const gathers = new Gathers(() => null);
  const [greedy, other] = [newInstanceId(), newInstanceId()];
  const { signal } = new AbortController();
  const arrive = (name: string, who: typeof greedy) => gathers.arrive(name, who, null, signal);
  const arrivals: Promise<unknown>[] = [];
  for (let i = 0; i < 964; i++) arrivals.push(arrive(`g${i}`, greedy).catch(() => {}));
  await expect(arrive("one more", greedy)).rejects.toThrow("share");
  arrivals.push(arrive("other", other).catch(() => {}));
  gathers.forget({ instanceId: greedy, name: null });
  for (let i = 0; i < 900; i++) arrivals.push(arrive(`o${i}`, other).catch(() => {}));
  gathers.end(new Error("over"));
  await Promise.all(arrivals);
});
