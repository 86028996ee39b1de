import { expect, test } from "bun:test";
import { LeaseTable, type LeaseTableOptions } from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

function table(options: Partial<LeaseTableOptions<string>> = {}) {
  const clock = new FakeClock();
  const expired: string[] = [];
  const leases = new LeaseTable<string>({ clock, expired: (key) => expired.push(key), ...options });
  // In steps, since deadlines are put into their wheel at the end of a turn.
  const advance = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 10) {
      await Promise.resolve();
      clock.advance(Math.min(left, 10));
    }
    await Promise.resolve();
  };
  const stall = async (ms: number): Promise<void> => {
    await Promise.resolve();
    clock.stall(ms);
    await Promise.resolve();
  };
  return { clock, expired, leases, advance, stall };
}

test("a key stays for as long as it is renewed, each with its own time, and is told of once", async () => {
  const { clock, expired, leases, advance } = table();
  leases.renew("short", 100);
  leases.renew("long", 1_000);
  for (let round = 0; round < 5; round++) {
    await advance(90);
    expect(leases.renew("short", 100)).toBeTrue();
  }
  expect(expired).toEqual([]);
  await advance(110);
  expect([expired, [...leases.keys()]]).toEqual([["short"], ["long"]]);
  await advance(1_000);
  expect([expired, leases.size]).toEqual([["short", "long"], 0]);
  leases.renew("short", 100);
  expect([leases.remove("short"), leases.remove("short")]).toEqual([true, false]);
  await advance(1_000);
  expect(expired).toHaveLength(2);
  leases[Symbol.dispose]();
  expect(clock.timers).toEqual([]);
});

test("at its limit a table takes no new key, and still renews those that are in", async () => {
  const { expired, leases, advance } = table({ limit: 2 });
  expect(["a", "b", "c", "a"].map((key) => leases.renew(key, 100))).toEqual([true, true, false, true]);
  await advance(200);
  expect([expired, leases.renew("c", 100)]).toEqual([["b", "a"], true]);
});

test("while a table is paused every key stays, and then has its full time again", async () => {
  const { expired, leases, advance } = table();
  leases.renew("a", 100);
  await advance(50);
  leases.pause();
  leases.renew("b", 100);
  await advance(10_000);
  expect([expired, leases.size]).toEqual([[], 2]);
  leases.resume();
  await advance(90);
  expect(expired).toEqual([]);
  await advance(30);
  expect(expired).toEqual(["a", "b"]);
});

test("when the process stood still all keys have their full time again, those too that were not due yet", async () => {
  const { expired, leases, advance, stall } = table({ standstillMs: 400 });
  leases.renew("due", 1_000);
  leases.renew("nearly", 2_050);
  await advance(900);
  await stall(1_100);
  expect(expired).toEqual([]);
  await advance(800);
  expect(expired).toEqual([]);
  await advance(300);
  expect(expired).toEqual(["due"]);
  await advance(1_000);
  expect(expired).toEqual(["due", "nearly"]);

  const strict = table();
  strict.leases.renew("due", 1_000);
  await strict.stall(1_100);
  expect(strict.expired).toEqual(["due"]);
});

test("expired() may renew, add and remove keys, those that are due as well", async () => {
  const { expired, leases, stall, advance } = table({
    expired: (key) => {
      expired.push(key);
      leases.renew("b", 500);
      leases.remove("c");
      leases.renew("d", 500);
    },
  });
  for (const key of ["a", "b", "c"]) leases.renew(key, 100);
  await stall(200);
  expect([expired, [...leases.keys()]]).toEqual([["a"], ["b", "d"]]);
  await advance(300);
  expect(expired).toEqual(["a"]);
});
