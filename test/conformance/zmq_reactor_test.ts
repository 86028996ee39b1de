import assert from "node:assert/strict";
import { test } from "node:test";
import { type Context, ReceiveFlag, type Socket } from "../../src/libzmq/mod.ts";
import { startEcho } from "../support/echo.ts";
import { percentile, roundTrips, ticks } from "../support/fairness.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import {
  busy,
  Inbox,
  linked,
  nextOf,
  numbered,
  numberIn,
  Outbox,
  parts,
  rawContext,
  sendSoon,
  turn,
  waiterKinds,
} from "../support/raw_sockets.ts";
import { pause, until, within } from "../support/until.ts";

/** Something that a test waits for, noticed in the very call that brings it. */
class Arrivals {
  #waiting: { readonly wanted: number; readonly resolve: () => void } | null = null;
  count = 0;

  readonly take = (): void => {
    this.count++;
    if (this.#waiting !== null && this.count >= this.#waiting.wanted) {
      const { resolve } = this.#waiting;
      this.#waiting = null;
      resolve();
    }
  };

  reach(wanted: number): Promise<void> {
    if (this.count >= wanted) return Promise.resolve();
    return new Promise((resolve) => this.#waiting = { wanted, resolve });
  }
}

/** Two DEALERs over TCP that have heard of each other. */
async function dealers(context: Context): Promise<{ a: Socket; b: Socket }> {
  const { bound: a, connected: b } = linked(context, "DEALER", "DEALER");
  await sendSoon(b, parts("first"));
  await nextOf(a);
  return { a, b };
}

/** Makes traffic so dense that the reactor waits in short slices, where the runtime lets it. */
async function warm(b: Socket, arrivals: Arrivals): Promise<void> {
  for (let i = 0; i < 60; i++) {
    const wanted = arrivals.count + 1;
    assert.equal(b.send(parts("warm")), true);
    await arrivals.reach(wanted);
  }
}

for (const waiter of waiterKinds) {
  test(`the wait that was asked for is the one in use (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const stats = context.reactor.stats();
    if (waiter === "worker") assert.equal(stats.waiter, "worker");
    assert.deepEqual([stats.messages, stats.wakes, stats.parks], [0, 0, 0]);
  });

  test(`what comes after a socket was found empty, and before a long pass has ended, is read (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { a, b } = await dealers(context);
    const { backend, reactor } = context;
    let [read, calls, late] = [0, 0, 0];
    a.attach({
      // As the transport reads: nothing here says that the socket was used.
      receive(budget: number): number {
        let count = 0;
        while (count < budget && backend.receiveMessage(a.handle, ReceiveFlag.DONTWAIT) >= 0) count++;
        read += count;
        if (++calls >= 2 && count < budget && late === 0) {
          late = read + 1;
          assert.equal(b.send(parts("late")), true);
          // It has come, and the pass is over, as handlers make it.
          busy(20);
          assert.equal(reactor.slice.spend(1_000), true);
        }
        return count;
      },
    });
    assert.equal(b.send(parts("early")), true);
    await until(() => late > 0 && read === late, { timeoutMs: 2_000, message: "the message that came late" });
  });

  test(`a message at a time wakes 1000 times on the same socket (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { a, b } = await dealers(context);
    const arrivals = new Arrivals();
    new Inbox(a, arrivals.take);
    for (let i = 1; i <= 1_000; i++) {
      assert.equal(b.send([numbered(i)]), true);
      await within(arrivals.reach(i), 2_000, `message ${i}`);
    }
    assert.equal(arrivals.count, 1_000);
  });

  test(`two messages at a time wake 500 times, and neither is left lying (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { a, b } = await dealers(context);
    const arrivals = new Arrivals();
    new Inbox(a, arrivals.take);
    for (let i = 1; i <= 500; i++) {
      b.send([numbered(i)]);
      b.send([numbered(i)]);
      await within(arrivals.reach(2 * i), 2_000, `pair ${i}`);
    }
  });

  test(`a question and its answer go back and forth 1000 times (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { a, b } = await dealers(context);
    const arrivals = new Arrivals();
    new Inbox(a, (message) => void a.send(message));
    new Inbox(b, (message) => {
      assert.equal(numberIn(message), arrivals.count);
      arrivals.take();
      if (arrivals.count < 1_000) b.send([numbered(arrivals.count)]);
    });
    b.send([numbered(0)]);
    await within(arrivals.reach(1_000), 20_000, "the last answer");
  });

  for (const traffic of ["quiet", "dense"] as const) {
    test(`a message that came while its socket's owner was busy and then sent is read at once (${waiter}, ${traffic})`, async () => {
      await using t = await leakCheck();
      const context = await rawContext(t, { waiter });
      const { a, b } = await dealers(context);
      const arrivals = new Arrivals();
      const back = new Arrivals();
      new Inbox(a, arrivals.take);
      new Inbox(b, back.take);
      const took: number[] = [];
      for (let round = 0; round < 50; round++) {
        if (traffic === "dense") await warm(b, arrivals);
        else await pause(6);
        const wanted = arrivals.count + 1;
        assert.equal(b.send(parts("meanwhile")), true);
        // The message reaches A; sending then takes the sign of it away, since libzmq looks for news at most
        // once a millisecond.
        busy(3);
        assert.equal(a.send(parts("out")), true);
        took.push(await timed(arrivals.reach(wanted), `the message of round ${round}`));
      }
      assert.ok(percentile(took, 0.8) < 20, `it took ${percentile(took, 0.8)} ms`);
      await within(back.reach(50), 2_000, "what A sent");
    });
  }

  test(`a refused send does not hide the message that came before it (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { a, b } = await full(context);
    const arrivals = new Arrivals();
    new Inbox(a, arrivals.take);
    const took: number[] = [];
    for (let round = 0; round < 20; round++) {
      await pause(6);
      const wanted = arrivals.count + 1;
      assert.equal(b.send(parts("meanwhile")), true);
      busy(3);
      assert.equal(a.send([new Uint8Array(100_000)]), false);
      took.push(await timed(arrivals.reach(wanted), `the message of round ${round}`));
    }
    assert.ok(percentile(took, 0.8) < 20, `it took ${percentile(took, 0.8)} ms`);
  });

  test(`at a high-water mark of 10 everything arrives, once and in order (${waiter})`, async () => {
    await using t = await leakCheck();
    const total = longRun ? 1_000_000 : 20_000;
    const context = await rawContext(t, { waiter });
    const { bound: pull, connected: push } = linked(context, "PULL", "PUSH", { prepare: lowMark });
    const arrivals = new Arrivals();
    let wrong = -1;
    new Inbox(pull, (message) => {
      if (numberIn(message) !== arrivals.count && wrong < 0) wrong = numberIn(message);
      arrivals.take();
      if (arrivals.count % 5_000 === 0) busy(0.3);
    });
    const outbox = new Outbox(push, total);
    const start = performance.now();
    outbox.start();
    await within(arrivals.reach(total), longRun ? 120_000 : 10_000, "the last message");
    const perSecond = total / ((performance.now() - start) / 1_000);
    assert.equal(wrong, -1);
    assert.equal(arrivals.count, total);
    assert.ok(outbox.futile < total, `${outbox.futile} futile retries for ${total} messages`);
    assert.ok(perSecond > 5_000, `${perSecond} messages/s: it waits for something that is there`);
  });

  test(`at a high-water mark of 10 an echo loses nothing in either direction (${waiter})`, async () => {
    await using t = await leakCheck();
    const total = longRun ? 500_000 : 10_000;
    const context = await rawContext(t, { waiter });
    const { bound: router, connected: dealer } = linked(context, "ROUTER", "DEALER", {
      prepare: (socket) => {
        lowMark(socket);
        if (socket.type === "ROUTER") socket.set("ROUTER_MANDATORY", 1);
      },
    });
    // The echo holds back what its peer has no room for, and reads no more meanwhile than it can hold.
    const held: Uint8Array[][] = [];
    router.attach({
      get blocked() {
        return held.length > 0;
      },
      receive(budget) {
        let count = 0;
        for (; count < budget; count++) {
          const message = router.receive();
          if (message === null) break;
          if (held.length > 0 || !router.send(message)) held.push(message);
        }
        if (held.length > 0) router.setBlocked(true);
        return count;
      },
      retry() {
        let sent = 0;
        while (held.length > 0 && router.send(held[0]!)) {
          held.shift();
          sent++;
        }
        return sent;
      },
    });
    const arrivals = new Arrivals();
    let wrong = -1;
    const outbox = new Outbox(dealer, total, {
      take: (message) => {
        if (numberIn(message) !== arrivals.count && wrong < 0) wrong = numberIn(message);
        arrivals.take();
      },
    });
    outbox.start();
    await within(arrivals.reach(total), longRun ? 120_000 : 10_000, "the last echo");
    assert.equal(wrong, -1);
    assert.equal(held.length, 0);
  });

  test(`a flood starves neither timers nor other sockets of the process (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const echo = t.use(await startEcho());
    const seconds = longRun ? 5 : 0.6;
    const measure = async (forSeconds: number) => {
      const [late, echoes] = await Promise.all([
        ticks(forSeconds * 1_000),
        roundTrips(echo.port, forSeconds * 1_000),
      ]);
      return {
        ticksPerSecond: late.length / forSeconds,
        lateMs: percentile(late, 0.95),
        roundTripsPerSecond: echoes.length / forSeconds,
        roundTripMs: percentile(echoes, 0.95),
      };
    };
    // A machine that is busy with something else may spoil one measurement; what starves, starves every time. What it
    // does to a process at rest counts for nothing.
    for (let attempt = 1;; attempt++) {
      const rest = await measure(0.2);
      const { bound: pull, connected: push } = linked(context, "PULL", "PUSH");
      const inbox = new Inbox(pull, () => {});
      new Outbox(push, Infinity, { message: () => [numbered(0, 64)] }).start();
      const found = await measure(seconds);
      const messagesPerTick = inbox.count / (found.ticksPerSecond * seconds);
      push.close();
      pull.close();
      const fair = messagesPerTick > 25 && found.ticksPerSecond > 0.3 * rest.ticksPerSecond &&
        found.lateMs < 15 + 2 * Math.max(0, rest.lateMs) &&
        found.roundTripsPerSecond > Math.min(50, 0.1 * rest.roundTripsPerSecond) &&
        found.roundTripMs < 25 + 2 * rest.roundTripMs;
      if (fair) break;
      const all = JSON.stringify({ rest, found, messagesPerTick });
      assert.ok(attempt < 8, `in each of eight measurements, in the last one ${all}`);
    }
  });

  test(`a socket that floods does not keep another one waiting (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { bound: pull, connected: push } = linked(context, "PULL", "PUSH");
    new Inbox(pull, () => {});
    new Outbox(push, Infinity, { message: () => [numbered(0, 64)] }).start();
    const { a, b } = await dealers(context);
    const arrivals = new Arrivals();
    new Inbox(a, arrivals.take);
    const took: number[] = [];
    for (let i = 1; i <= 100; i++) {
      const start = performance.now();
      b.send([numbered(i)]);
      await within(arrivals.reach(i), 2_000, `message ${i} beside the flood`);
      took.push(performance.now() - start);
    }
    assert.ok(percentile(took, 0.9) < 50, `messages took ${percentile(took, 0.9)} ms`);
  });

  test(`a context at rest does not wake (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { a, b } = await dealers(context);
    new Inbox(a);
    new Inbox(b);
    await pause(60);
    const { wakes, parks } = context.reactor.stats();
    await pause(300);
    const after = context.reactor.stats();
    assert.ok(after.wakes - wakes <= 2, `${after.wakes - wakes} wakes`);
    assert.ok(after.parks - parks <= 2);
  });

  test(`more sockets than one look can list are all read (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const pairs = Array.from(
      { length: 150 },
      (_, i) => linked(context, "PAIR", "PAIR", { endpoint: `inproc://many-${i}` }),
    );
    const inboxes = pairs.map(({ bound }) => new Inbox(bound));
    await pause(20);
    for (let round = 1; round <= 5; round++) {
      for (const { connected } of pairs) connected.send([numbered(round)]);
      await until(() => inboxes.every(({ count }) => count === round));
    }
  });

  test(`sockets that come and go while others are read disturb nobody (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { a, b } = await dealers(context);
    const arrivals = new Arrivals();
    new Inbox(a, arrivals.take);
    for (let i = 1; i <= 150; i++) {
      const pair = linked(context, "PAIR", "PAIR");
      const inbox = new Inbox(pair.bound);
      b.send([numbered(i)]);
      if (i % 3 === 0) {
        await sendSoon(pair.connected, parts("x"));
        await until(() => inbox.count === 1, { intervalMs: 1 });
      }
      if (i % 2 === 0) await turn();
      pair.bound.close();
      pair.connected.close();
      await within(arrivals.reach(i), 2_000, `message ${i}`);
    }
    assert.equal(context.openSockets, 2);
  });
}

test("a source that throws is asked again and does not stop the others", async () => {
  await using t = await leakCheck();
  const errors: unknown[] = [];
  const silent = () => {};
  const context = await rawContext(t, {
    logger: {
      debug: silent,
      info: silent,
      warn: silent,
      error: (_text: unknown, fields: unknown) => errors.push(fields),
    },
  });
  const { a, b } = await dealers(context);
  const other = linked(context, "PAIR", "PAIR", { endpoint: "inproc://other" });
  const inbox = new Inbox(other.bound);
  const read: number[] = [];
  let thrown = 0;
  a.attach({
    receive(budget) {
      let count = 0;
      for (let message = a.receive(); message !== null; message = a.receive()) {
        read.push(numberIn(message));
        if (++count === budget) return count;
        if (thrown < 3) {
          thrown++;
          throw new Error("on purpose");
        }
      }
      return count;
    },
  });
  for (let i = 0; i < 10; i++) b.send([numbered(i)]);
  other.connected.send(parts("beside"));
  await until(() => read.length === 10 && inbox.count === 1);
  assert.deepEqual(read, Array.from({ length: 10 }, (_, i) => i));
  assert.equal(errors.length, 3);
  assert.match(JSON.stringify(errors[0]), /on purpose/);
});

test("a socket is attached once, and says so", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("PULL");
  new Inbox(socket);
  assert.throws(() => new Inbox(socket), TypeError);
});

/** Two DEALERs of which A has no room left while B reads nothing, and B can still send. */
async function full(context: Context): Promise<{ a: Socket; b: Socket }> {
  const { bound: a, connected: b } = linked(context, "DEALER", "DEALER", {
    prepare: (socket) =>
      void socket.set("SNDHWM", 50).set("RCVHWM", 1).set("SNDBUF", 8_192).set("RCVBUF", 8_192),
  });
  await sendSoon(b, parts("first"));
  await nextOf(a);
  const big = new Uint8Array(100_000);
  // The I/O thread may still be moving some of it after a send was refused.
  for (let refused = 0; refused < 3;) {
    if (a.send([big])) refused = 0;
    else refused++;
    if (refused > 0) await pause(20);
    a.events();
  }
  return { a, b };
}

function lowMark(socket: Socket): void {
  socket.set("SNDHWM", 10).set("RCVHWM", 10);
}

/** Measures an action. A lost message never comes, so the limit allows for a busy machine. */
async function timed(arrival: Promise<void>, what: string): Promise<number> {
  const start = performance.now();
  await within(arrival, 500, what);
  return performance.now() - start;
}
