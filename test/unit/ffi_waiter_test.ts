import { expect, test } from "bun:test";
import type { PollSet } from "../../ffi/poll_set.ts";
import { type Park, type ParkEvents, type ParkFactory, ParkingWaiter, probePark } from "../../ffi/waiter.ts";
import { pause } from "../support/until.ts";

/** A set without descriptors that tells when it is rung. */
class PretendedSet implements PollSet {
  readonly fd = 7;
  closed = 0;
  onRing: () => void = () => {};
  add(): void {}
  remove(): void {}
  fired(): number {
    return 0;
  }
  ring(): void {
    this.onRing();
  }
  close(): void {
    this.closed++;
  }
}

/** A way of waiting that a test ends by hand. */
class PretendedPark implements Park {
  readonly kind: "loop" | "worker";
  readonly events: ParkEvents;
  starts = 0;
  closes = 0;
  referenced: boolean | undefined;
  constructor(kind: "loop" | "worker", events: ParkEvents) {
    this.kind = kind;
    this.events = events;
  }
  start(): void {
    this.starts++;
  }
  reference(referenced: boolean): void {
    this.referenced = referenced;
  }
  close(): Promise<void> {
    this.closes++;
    return Promise.resolve();
  }
}

async function open(fallback: ParkFactory | undefined) {
  const set = new PretendedSet();
  const calls = { wakes: 0, failures: [] as string[] };
  let park: PretendedPark | undefined;
  const waiter = await ParkingWaiter.open(
    { set, fairImmediate: true, fallback },
    (_fd, events) => park = new PretendedPark("loop", events),
    { onWake: () => calls.wakes++, onFailure: (reason) => calls.failures.push(reason) },
  );
  if (park === undefined) throw new Error("no park was made");
  return { set, calls, waiter, park };
}

test("ParkingWaiter goes on with the fallback when the loop breaks, armed and unreferenced as it was", async () => {
  let worker: PretendedPark | undefined;
  const { calls, waiter, park } = await open((_fd, events) => worker = new PretendedPark("worker", events));
  waiter.unref();
  waiter.arm();
  park.events.failed("refused");
  await pause(1);
  expect(waiter.kind).toBe("worker");
  expect([park.closes, worker?.starts, worker?.referenced]).toEqual([1, 1, false]);
  worker?.events.woken();
  expect(calls).toEqual({ wakes: 1, failures: [] });
  waiter.arm();
  expect(worker?.starts).toBe(2);
});

test("ParkingWaiter armed while the fallback is made starts once", async () => {
  const made = Promise.withResolvers<void>();
  let worker: PretendedPark | undefined;
  const { waiter, park } = await open(async (_fd, events) => {
    await made.promise;
    return worker = new PretendedPark("worker", events);
  });
  park.events.failed("refused");
  waiter.arm();
  made.resolve();
  await pause(1);
  expect(worker?.starts).toBe(1);
});

test("ParkingWaiter reports the failure when there is nothing to fall back on, or that breaks too", async () => {
  const without = await open(undefined);
  without.waiter.arm();
  without.park.events.failed("refused");
  await pause(1);
  expect(without.calls.failures).toEqual(["refused"]);

  const broken = await open(() => Promise.reject(new Error("no thread")));
  broken.park.events.failed("refused");
  await pause(1);
  expect(broken.calls.failures).toEqual(["no thread"]);
  await broken.waiter.close();
  expect(broken.set.closed).toBe(1);
});

test("ParkingWaiter.close() rings, waits for the end of the wait, and closes in this order", async () => {
  const { set, calls, waiter, park } = await open(undefined);
  waiter.arm();
  let rung = 0;
  set.onRing = () => rung++;
  const closed = waiter.close();
  await pause(5);
  expect([rung, park.closes, set.closed]).toEqual([1, 0, 0]);
  park.events.woken();
  await closed;
  expect([park.closes, set.closed, calls.wakes]).toEqual([1, 1, 0]);
});

test("ParkingWaiter closed while the fallback is made closes that as well", async () => {
  const made = Promise.withResolvers<void>();
  let worker: PretendedPark | undefined;
  const { set, calls, waiter, park } = await open(async (_fd, events) => {
    await made.promise;
    return worker = new PretendedPark("worker", events);
  });
  waiter.arm();
  park.events.failed("refused");
  const closed = waiter.close();
  made.resolve();
  await closed;
  await pause(1);
  expect([worker?.closes, worker?.starts, set.closed]).toEqual([1, 0, 1]);
  expect(calls).toEqual({ wakes: 0, failures: [] });
});

test("probePark() accepts what sleeps and wakes, and says what is wrong with the rest", async () => {
  const set = new PretendedSet();
  const probe = (behave: (park: PretendedPark) => void) =>
    probePark(set, (_fd, events) => {
      const park = new PretendedPark("loop", events);
      behave(park);
      return park;
    });
  expect(await probe((park) => set.onRing = () => setImmediate(() => park.events.woken()))).toBeNull();
  set.onRing = () => {};
  expect(await probe(() => {})).toContain("did not end within");
  expect(await probe((park) => park.start = () => queueMicrotask(() => park.events.woken()))).toContain(
    "although",
  );
  expect(await probe((park) => park.start = () => queueMicrotask(() => park.events.failed("no")))).toBe("no");
});
