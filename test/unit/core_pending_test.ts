import { expect, test } from "bun:test";
import { Deadlines, type InstanceId, ZeromeshError } from "../../src/core/mod.ts";
import { CallTable, type PendingCall } from "../../src/messenger/calls/pending.ts";
import { type Outcome } from "../../src/messenger/calls/outcome.ts";
import type { Session } from "../../src/messenger/peers/peer.ts";
import type { ResponseId } from "../../src/wire/mod.ts";
import { seededPrng } from "../support/prng.ts";
import { FakeClock } from "./core_fake_clock.ts";

const peer = "0195b0f4-3c52-7abc-8def-0123456789ab" as InstanceId;
const worker = { word0: 0x89abcdef, word1: 0xfedcba98 };

function table(limit = 65_535) {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const givenUp: PendingCall[] = [];
  const activity: boolean[] = [];
  const calls = new CallTable(deadlines, limit, worker, {
    textOf: (peer) => peer,
    giveUp: (call) => givenUp.push(call),
    activity: (active) => activity.push(active),
  });
  /** Starts a call; what becomes of it is in `outcomes` when it has {@link ended}. */
  const outcomes = new Map<PendingCall, { value?: unknown; error?: unknown }>();
  const open = (
    options: {
      timeoutMs?: number;
      signal?: AbortSignal;
      accept?: ((outcome: Outcome) => unknown) | null;
    } = {},
  ): PendingCall => {
    const { timeoutMs = 1_000, signal, accept = null } = options;
    const call = calls.open(peer, "handler", timeoutMs, signal, accept);
    call.promise.then((value) => outcomes.set(call, { value }), (error) => outcomes.set(call, { error }));
    return call;
  };
  const enlisted = (options?: Parameters<typeof open>[0]): PendingCall => {
    const call = open(options);
    expect(calls.enlist(call)).toBeTrue();
    return call;
  };
  return { clock, deadlines, calls, givenUp, activity, outcomes, open, enlisted };
}

/** Resolves when a call has ended: a failure is given the stack of whoever awaits it first, which takes some microtasks. */
const ended = (call: PendingCall): Promise<void> => call.promise.then(() => {}, () => {});

/** The id of a call as a reply brings it. */
const idOf = ({ id0, id1, id2, id3 }: ResponseId): ResponseId => ({ id0, id1, id2, id3 });
const outcome = (bytes: number[]): Outcome => {
  const payload = Uint8Array.from(bytes);
  return { payload, keep: () => payload.slice() };
};
/** A connection on which messages up to a number have left. */
const connection = (handed: number, established = true) =>
  ({ link: { established, handed: (number: number) => number <= handed } }) as unknown as Session;

test("a call gets an id with the own worker id, by which its answer finds it", async () => {
  const { calls, enlisted, outcomes } = table();
  const call = enlisted({ accept: ({ payload }) => [...payload] });
  expect([call.id0, call.id1]).toEqual([worker.word0, worker.word1]);
  expect(calls.find(idOf(call))).toBe(call);
  call.answer(outcome([1, 2]));
  expect(await call.promise).toEqual([1, 2]);
  expect(outcomes.get(call)).toEqual({ value: [1, 2] });
  expect(calls.find(idOf(call))).toBeNull();
  expect(calls.size).toBe(0);
});

test("an id of another worker, slot or generation finds nothing", () => {
  const { calls, enlisted } = table();
  const call = enlisted();
  const id = idOf(call);
  const wrong: Partial<ResponseId>[] = [
    { id0: id.id0 - 1 },
    { id1: id.id1 - 1 },
    { id2: id.id2 + 1 },
    { id2: 0xffff },
    { id2: (id.id2 | 0x10000) >>> 0 },
    { id3: 1 },
    { id0: id.id1, id1: id.id0 },
  ];
  for (const change of wrong) expect(calls.find({ ...id, ...change })).toBeNull();
  expect(calls.find(id)).toBe(call);
});

test("the id of an ended call finds nothing though its slot serves another", () => {
  const { calls, enlisted } = table();
  const past = enlisted();
  const old = idOf(past);
  past.succeed(1);
  const next = enlisted();
  expect(next.id2 & 0xffff).toBe(old.id2 & 0xffff);
  expect(calls.find(old)).toBeNull();
  expect(calls.find(idOf(next))).toBe(next);
});

test("the generation goes on beyond 16 bits", () => {
  const { calls, enlisted } = table(1);
  const seen = new Set<number>();
  for (let i = 0; i < 70_000; i++) {
    const call = enlisted();
    seen.add(call.id3 * 2 ** 16 + (call.id2 >>> 16));
    expect(calls.find(idOf(call)) === call).toBeTrue();
    call.succeed(undefined);
  }
  expect(seen.size).toBe(70_000);
  expect(Math.max(...seen)).toBe(69_999);
});

test("all slots taken: enlist() says no and counts it, and the next free slot serves again", () => {
  const { calls, open, enlisted } = table(3);
  const taken = [enlisted(), enlisted(), enlisted()];
  expect(new Set(taken.map(({ id2 }) => id2 & 0xffff)).size).toBe(3);
  const late = open();
  expect(calls.enlist(late)).toBeFalse();
  expect(calls.enlist(late)).toBeFalse();
  expect(calls.stats()).toMatchObject({ pending: 3, started: 4, refused: 2 });
  taken[1]!.fail(new Error("over"));
  taken[1]!.promise.catch(() => {});
  expect(calls.enlist(late)).toBeTrue();
  expect(late.id2 & 0xffff).toBe(taken[1]!.id2 & 0xffff);
  expect(calls.stats().pending).toBe(3);
});

test("65 535 calls fit, each with a slot of its own, and one more does not", () => {
  const { calls, open, enlisted } = table();
  const slots = new Set<number>();
  const all = Array.from({ length: 65_535 }, () => enlisted({ timeoutMs: Infinity }));
  for (const { id2 } of all) slots.add(id2 & 0xffff);
  expect(slots.size).toBe(65_535);
  expect(calls.enlist(open({ timeoutMs: Infinity }))).toBeFalse();
  for (const call of all) call.succeed(undefined);
  expect(calls.stats().pending).toBe(0);
});

test("only the first completion counts, whatever it is", async () => {
  const { calls, enlisted, outcomes } = table();
  const first = enlisted();
  first.succeed("value");
  first.succeed("again");
  first.fail(new Error("late"));
  first.answer(outcome([1]));
  first.expire();
  const second = enlisted();
  second.fail("error");
  second.succeed("late");
  await Promise.resolve();
  expect(outcomes.get(first)).toEqual({ value: "value" });
  expect(outcomes.get(second)).toEqual({ error: "error" });
  expect(calls.stats().pending).toBe(0);
  expect(calls.size).toBe(0);
});

test("an answer that cannot be accepted fails the call, a call that accepts nothing succeeds with nothing", async () => {
  const { enlisted, outcomes } = table();
  const reason = new Error("not acceptable");
  const picky = enlisted({
    accept: () => {
      throw reason;
    },
  });
  picky.answer(outcome([1]));
  const indifferent = enlisted();
  indifferent.answer(outcome([1]));
  const slow = enlisted({ accept: () => Promise.resolve("later") });
  slow.answer(outcome([1]));
  expect(slow.settled).toBeFalse();
  expect(await slow.promise).toBe("later");
  expect(slow.settled).toBeTrue();
  expect(outcomes.get(picky)).toEqual({ error: reason });
  expect(outcomes.get(indifferent)).toEqual({ value: undefined });
});

test("a deadline fails the call with TIMEOUT, gives it up and frees its slot", async () => {
  const { clock, calls, enlisted, givenUp, outcomes, deadlines } = table();
  const call = enlisted({ timeoutMs: 50 });
  call.session = connection(0);
  call.number = 1;
  await Promise.resolve();
  clock.advance(49);
  expect(call.settled).toBeFalse();
  clock.advance(10);
  await ended(call);
  const { error } = outcomes.get(call) as { error: ZeromeshError };
  expect(error).toMatchObject({
    name: "ZeromeshError",
    code: "TIMEOUT",
    ran: "no",
    peer,
    handler: "handler",
  });
  expect(givenUp).toEqual([call]);
  expect(calls.find(idOf(call))).toBeNull();
  expect(deadlines.size).toBe(0);
});

test("ran is maybe only for what libzmq has and a connection can have carried", async () => {
  const states: readonly (readonly [session: Session | null, number: number, ran: string])[] = [
    [null, 0, "no"],
    [connection(5), 6, "no"],
    [connection(5), Infinity, "no"],
    [connection(5, false), 3, "no"],
    [connection(5), 5, "maybe"],
    [connection(5), 3, "maybe"],
  ];
  for (const [session, number, ran] of states) {
    const { clock, enlisted, outcomes } = table();
    const call = enlisted({ timeoutMs: 10 });
    call.session = session;
    call.number = number;
    await Promise.resolve();
    clock.advance(30);
    await ended(call);
    expect(outcomes.get(call)).toMatchObject({ error: { code: "TIMEOUT", ran } });
  }
});

test("a call with no time left or an aborted signal ends in open(), takes no slot and starts no timer", async () => {
  const { clock, calls, open, outcomes, deadlines } = table();
  const reason = { any: "reason" };
  const late = [open({ timeoutMs: 0 }), open({ timeoutMs: -1 }), open({ timeoutMs: -Infinity })];
  const aborted = open({ signal: AbortSignal.abort(reason) });
  const both = open({ signal: AbortSignal.abort(reason), timeoutMs: 0 });
  for (const call of [...late, aborted, both]) await ended(call);
  for (const call of late) {
    expect(outcomes.get(call)).toMatchObject({ error: { code: "TIMEOUT", ran: "no" } });
  }
  for (const call of [aborted, both]) expect((outcomes.get(call) as { error: unknown }).error).toBe(reason);
  expect(calls.size).toBe(0);
  expect(deadlines.size).toBe(0);
  expect(clock.started).toBe(0);
});

test("an abort rejects with the reason, gives the call up, and is forgotten after any other end", async () => {
  const { enlisted, givenUp, outcomes, calls } = table();
  const controller = new AbortController();
  const call = enlisted({ signal: controller.signal });
  call.session = connection(9);
  const done = enlisted({ signal: controller.signal });
  done.session = connection(9);
  done.succeed("in time");
  const waiting = enlisted({ signal: controller.signal }); // without a connection nobody needs to be told
  controller.abort("because");
  await Promise.resolve();
  expect(outcomes.get(call)).toEqual({ error: "because" });
  expect(outcomes.get(waiting)).toEqual({ error: "because" });
  expect(outcomes.get(done)).toEqual({ value: "in time" });
  expect(givenUp).toEqual([call]);
  expect(calls.size).toBe(0);
});

test("activity is told when the first call begins and the last one ends, and not between", () => {
  const { activity, open } = table();
  const calls = [open(), open(), open()];
  expect(activity).toEqual([true]);
  for (const index of [1, 2, 0]) calls[index]!.succeed(undefined);
  expect(activity).toEqual([true, false]);
  open().succeed(undefined);
  expect(activity).toEqual([true, false, true, false]);
});

test("failWhere() ends those that it is told to, in the order of their start", async () => {
  const { calls, open, enlisted } = table();
  const all = Array.from({ length: 6 }, (_, i) => i % 2 === 0 ? open() : enlisted());
  const order: number[] = [];
  for (const [i, call] of all.entries()) call.promise.catch(() => order.push(i));
  calls.failWhere((call) => all.indexOf(call) === 3 ? undefined : new Error("over"));
  await Promise.resolve();
  await Promise.resolve();
  expect(order).toEqual([0, 1, 2, 4, 5]);
  expect(calls.size).toBe(1);
  expect(calls.stats().pending).toBe(1);
  all[3]!.succeed(undefined);
});

test("failWhere() is not confused by calls that begin or end while it runs", () => {
  const { calls, open } = table();
  const all = [open(), open(), open()];
  for (const call of all) call.promise.catch(() => {});
  let visited = 0;
  calls.failWhere((call) => {
    visited++;
    if (call === all[0]) {
      all[1]!.succeed(undefined);
      open();
    }
    return new Error("over");
  });
  expect(visited).toBe(3);
  expect(calls.size).toBe(1);
});

test("counts stay exact through ten thousand random beginnings and ends", () => {
  const { calls, open, deadlines } = table(50);
  const random = seededPrng(11);
  const live: PendingCall[] = [];
  let pending = 0;
  for (let i = 0; i < 10_000; i++) {
    if (random.below(2) === 0 || live.length === 0) {
      const call = open({ timeoutMs: 60_000 });
      call.promise.catch(() => {});
      live.push(call);
      if (random.below(3) > 0 && calls.enlist(call)) pending++;
    } else {
      const [call] = live.splice(random.below(live.length), 1);
      if (call!.tableSlot >= 0) pending--;
      if (random.below(2) === 0) call!.succeed(i);
      else call!.fail(i);
      if (random.below(4) === 0) call!.fail("twice");
    }
    expect(calls.size).toBe(live.length);
    expect(calls.stats().pending).toBe(pending);
    expect(deadlines.size).toBe(live.length);
  }
});
