import { expect, test } from "bun:test";
import { silentLogger, systemClock } from "../../src/core/mod.ts";
import { type Backend, Reactor } from "../../src/libzmq/mod.ts";
import { until } from "../support/until.ts";

/** A wait whose bell is heard only if nobody reads what has fired before it ends, as on another thread. */
function waiterOf(onWake: () => void, onRing: () => void) {
  let rung = false;
  const end = (): void => {
    const heard = rung;
    rung = false;
    if (heard) onWake();
  };
  return {
    kind: "loop",
    fairImmediate: true,
    add() {},
    remove() {},
    fired() {
      rung = false;
      return 0;
    },
    arm() {},
    ring() {
      rung = true;
      onRing();
      setImmediate(() => setImmediate(end));
    },
    ref() {},
    unref() {},
    close: () => Promise.resolve(),
    closeNow() {},
  };
}

test("a request for a pass while a wake is under way does not consume the wake", async () => {
  let asked = 0;
  const ask = (): void => {
    if (asked++ < 3) setImmediate(() => reactor.readSoon());
  };
  const backend = {
    waiter: ({ onWake }: { onWake: () => void }) => Promise.resolve(waiterOf(onWake, ask)),
    events: () => 1,
    getOption: () => 4,
  } as unknown as Backend;
  const reactor: Reactor = await Reactor.create(backend, { clock: systemClock, logger: silentLogger });
  let reads = 0;
  const registration = reactor.add({} as Parameters<Reactor["add"]>[0], {
    receive(budget) {
      reads++;
      return budget;
    },
  });
  // There is always more to read, and so always a pass to come.
  await until(() => reads > 50_000, { timeoutMs: 3_000 }).catch(() => {});
  reactor.remove(registration);
  await reactor.close();
  expect(reads).toBeGreaterThan(50_000);
});
