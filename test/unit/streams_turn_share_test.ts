import { expect, test } from "bun:test";
import { atOnce, TurnShare } from "../../src/streams/turn_share.ts";
import { FakeClock } from "./core_fake_clock.ts";

/** Items that are sent before one has to wait, each of which takes so long. */
function burst(share: TurnShare, clock: FakeClock, itemMs: number): { items: number; next: Promise<void> } {
  for (let items = 1; items < 10_000; items++) {
    clock.advance(itemMs);
    const next = share.spend();
    if (next !== atOnce) return { items, next };
  }
  throw new Error("it never ends");
}

test("after its share of a turn each sender waits for the next one", async () => {
  const clock = new FakeClock();
  const share = new TurnShare(clock);
  const { items, next } = burst(share, clock, 0.01);
  expect(items).toBeGreaterThan(200);
  expect(items).toBeLessThan(300);
  // Every other one too.
  expect(share.spend()).toBe(next);
  await next;
  expect(burst(share, clock, 0.01).items).toBeGreaterThan(200);
});

test("short bursts wait for nothing", async () => {
  const clock = new FakeClock();
  const share = new TurnShare(clock);
  for (let turn = 0; turn < 100; turn++) {
    for (let i = 0; i < 100; i++) expect(share.spend()).toBe(atOnce);
    clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
});
