import { expect, test } from "bun:test";
import { silentLogger, systemClock } from "../../src/core/mod.ts";
import { type Backend, Reactor } from "../../src/zmq/mod.ts";
import { until } from "../support/until.ts";

/** A wait whose bell is heard only if nobody reads what has fired before it ends, as on another thread. */
function waiterOf(onWake: () => void) {
  let rung = false;
  const end = (): void => {
    if (rung) onWake();
    rung = false;
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
      setImmediate(() => setImmediate(end));
    },
    ref() {},
    unref() {},
    close: () => Promise.resolve(),
    closeNow() {},
  };
}

test("who asks for a pass while a wake is on its way does not take the wake away", async () => {
  const backend = {
    waiter: ({ onWake }: { onWake: () => void }) => Promise.resolve(waiterOf(onWake)),
    events: () => 1,
  } as unknown as Backend;
  const reactor = await Reactor.create(backend, { clock: systemClock, logger: silentLogger });
  let reads = 0;
  const registration = reactor.add({} as Parameters<Reactor["add"]>[0], 5, {
    receive(budget) {
      if (reads++ < 5_000 && reads % 10 === 0) setImmediate(() => reactor.readSoon());
      return budget;
    },
  });
  // It goes on when nobody asks any more.
  await until(() => reads > 200_000, { timeoutMs: 3_000 }).catch(() => {});
  reactor.remove(registration);
  await reactor.close();
  expect(reads).toBeGreaterThan(200_000);
});
