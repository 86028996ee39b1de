import { expect, test } from "bun:test";
import { Deadline, Deadlines } from "../../src/core/mod.ts";
import { seededPrng } from "../support/prng.ts";
import { FakeClock } from "./core_fake_clock.ts";

/** A deadline that notes when it fired. */
class Note extends Deadline {
  firedAt = -1;
  readonly #clock: FakeClock;
  readonly #then: () => void;

  constructor(clock: FakeClock, then: () => void = () => {}) {
    super();
    this.#clock = clock;
    this.#then = then;
  }

  override expire(): void {
    expect(this.firedAt).toBe(-1);
    this.firedAt = this.#clock.now();
    this.#then();
  }
}

const slotMs = 4;
/** Ends the turn: what was added in it is then in the wheel. */
const nextTurn = () => Promise.resolve();

function wheel(now?: number) {
  const clock = new FakeClock(now);
  const deadlines = new Deadlines(clock);
  const add = (ms: number, then?: () => void) => {
    const note = new Note(clock, then);
    deadlines.add(note, ms);
    return note;
  };
  const advance = async (ms: number) => {
    await nextTurn();
    clock.advance(ms);
  };
  const stall = async (ms: number) => {
    await nextTurn();
    clock.stall(ms);
  };
  return { clock, deadlines, add, advance, stall };
}

test("a deadline fires once, not before its time and within a slot after it", async () => {
  const { clock, deadlines, add, advance } = wheel();
  const start = clock.now();
  const times = [0, 0.1, 1, 3.9, 4, 4.1, 50, 99.5, 1_000, 4_095, 4_096, 4_097, 10_000, 123_456.7];
  const notes = times.map((ms) => add(ms));
  expect(deadlines.size).toBe(times.length);
  await advance(200_000);
  for (const [i, ms] of times.entries()) {
    const after = notes[i]!.firedAt - start;
    expect(after).toBeGreaterThanOrEqual(ms);
    expect(after).toBeLessThan(ms + 2 * slotMs);
  }
  expect(deadlines.size).toBe(0);
});

test("a deadline of no time or less fires at the next occasion, and not inside add()", async () => {
  const { add, advance } = wheel();
  const notes = [add(0), add(-5), add(-Infinity)];
  for (const note of notes) expect(note.firedAt).toBe(-1);
  await advance(2 * slotMs);
  for (const note of notes) expect(note.firedAt).not.toBe(-1);
});

test("Infinity is never kept", () => {
  const { clock, deadlines, add } = wheel();
  const note = add(Infinity);
  expect(deadlines.size).toBe(0);
  expect(clock.started).toBe(0);
  deadlines.remove(note);
  expect(deadlines.size).toBe(0);
});

test("deadlines fire in their order, also when a busy thread lets them all wait", async () => {
  for (const pass of ["advance", "stall"] as const) {
    const { add, advance, stall } = wheel();
    const order: number[] = [];
    const times = [70, 10, 500, 30, 90, 50, 20, 5_000, 300];
    for (const ms of times) add(ms, () => order.push(ms));
    await (pass === "advance" ? advance : stall)(6_000);
    await advance(2 * slotMs);
    expect(order).toEqual([...times].sort((a, b) => a - b));
  }
});

test("deadlines of one moment fire in the order in which they were added", async () => {
  const { add, advance } = wheel(1_000);
  const order: string[] = [];
  for (const name of ["a", "b", "c", "d"]) add(20, () => order.push(name));
  await advance(40);
  expect(order).toEqual(["a", "b", "c", "d"]);
});

test("a removed deadline never fires, wherever in its slot it was", async () => {
  const { deadlines, add, advance } = wheel();
  const notes = Array.from({ length: 5 }, () => add(20));
  for (const gone of [notes[4]!, notes[2]!, notes[0]!]) {
    deadlines.remove(gone);
    deadlines.remove(gone);
  }
  expect(deadlines.size).toBe(2);
  await advance(100);
  expect(notes.map(({ firedAt }) => firedAt !== -1)).toEqual([false, true, false, true, false]);
  expect(deadlines.size).toBe(0);
});

test("a deadline that was removed or has fired can be added again", async () => {
  const { deadlines, add, advance } = wheel();
  let fired = 0;
  const note = new class extends Deadline {
    override expire(): void {
      fired++;
    }
  }();
  deadlines.add(note, 20);
  deadlines.remove(note);
  deadlines.add(note, 30);
  await advance(25);
  expect(fired).toBe(0);
  await advance(25);
  expect(fired).toBe(1);
  deadlines.add(note, 10);
  await advance(40);
  expect(fired).toBe(2);
  add(1);
  expect(deadlines.size).toBe(1);
});

test("an earlier deadline brings the timer forward, a later one leaves it", async () => {
  const { clock, add, advance } = wheel();
  add(1_000);
  await nextTurn();
  expect(clock.timers).toHaveLength(1);
  const first = clock.timers[0]!.at;
  add(2_000);
  await nextTurn();
  expect(clock.timers.map(({ at }) => at)).toEqual([first]);
  const early = add(50);
  await nextTurn();
  expect(clock.timers).toHaveLength(1);
  expect(clock.timers[0]!.at).toBeLessThan(first);
  await advance(60);
  expect(early.firedAt).not.toBe(-1);
  const now = clock.now();
  const later = add(10);
  await advance(20);
  expect(later.firedAt - now).toBeLessThan(20);
});

test("one timer at most serves them all", async () => {
  const { clock, add, advance } = wheel();
  const random = seededPrng(7);
  for (let i = 0; i < 500; i++) add(random.below(20_000));
  for (let passed = 0; passed < 25_000; passed += 13) {
    await advance(13);
    expect(clock.timers.length).toBeLessThanOrEqual(1);
  }
  expect(clock.timers).toHaveLength(0);
});

test("after a long time without deadlines the next one is on time", async () => {
  const { clock, add, advance } = wheel();
  add(5);
  await advance(20);
  await advance(10 * 60_000);
  const start = clock.now();
  const note = add(100);
  await advance(99);
  expect(note.firedAt).toBe(-1);
  await advance(10);
  expect(note.firedAt - start).toBeGreaterThanOrEqual(100);
});

test("deadlines further away than the wheel is round wait their turns", async () => {
  const { add, advance } = wheel();
  const round = 1_024 * slotMs;
  const notes = [1, 2, 3, 10].map((rounds) => add(rounds * round + 10));
  for (let rounds = 1; rounds <= 11; rounds++) {
    await advance(round);
    await advance(0);
  }
  for (const [i, rounds] of [1, 2, 3, 10].entries()) {
    const after = notes[i]!.firedAt - 1_000.5;
    expect(after).toBeGreaterThanOrEqual(rounds * round + 10);
    expect(after).toBeLessThan(rounds * round + 10 + 2 * slotMs);
  }
});

test("expire() may add and remove deadlines, those of the same moment too", async () => {
  const { deadlines, add, advance } = wheel();
  const order: string[] = [];
  let added: Note | undefined;
  add(10, () => {
    order.push("first");
    added = add(0, () => order.push("added"));
    deadlines.remove(later);
  });
  const later = add(200, () => order.push("removed"));
  add(10, () => order.push("second"));
  await advance(300);
  await advance(300);
  expect(order).toEqual(["first", "second", "added"]);
  expect(added!.firedAt).not.toBe(-1);
  expect(deadlines.size).toBe(0);
});

test("expire() can take out or put off another deadline that is due as well", async () => {
  const { deadlines, add, advance, stall } = wheel();
  const fired: string[] = [];
  add(10, () => {
    fired.push("first");
    deadlines.remove(removed);
    deadlines.remove(later);
    deadlines.add(later, 100);
  });
  const removed = add(10, () => fired.push("removed"));
  const later = add(20, () => fired.push("later"));
  add(30, () => fired.push("last"));
  await stall(50);
  expect([...fired, deadlines.size]).toEqual(["first", "last", 1]);
  await advance(200);
  expect([...fired, deadlines.size]).toEqual(["first", "last", "later", 0]);
});

test("close() stops the timer, and nothing fires or is kept after it", async () => {
  const { clock, deadlines, add, advance } = wheel();
  const notes = [add(10), add(5_000)];
  deadlines.close();
  expect(clock.timers).toHaveLength(0);
  const late = add(1);
  await advance(10_000);
  for (const note of [...notes, late]) expect(note.firedAt).toBe(-1);
  expect(clock.timers).toHaveLength(0);
  for (const note of notes) deadlines.remove(note);
  expect(deadlines.size).toBe(0);
  deadlines.close();
});

test("close() inside expire() ends everything at once", async () => {
  const { clock, deadlines, add, advance } = wheel();
  add(10, () => deadlines.close());
  const far = add(500);
  await advance(1_000);
  expect(far.firedAt).toBe(-1);
  expect(clock.timers).toHaveLength(0);
});

test("ten thousand random additions, removals and steps of time agree with a plain list", async () => {
  const { clock, deadlines, advance, stall } = wheel();
  const random = seededPrng(42);
  const waiting = new Map<Note, number>();
  for (let i = 0; i < 10_000; i++) {
    const what = random.below(10);
    if (what < 5) {
      const note: Note = new Note(clock, () => {
        expect(clock.now()).toBeGreaterThanOrEqual(waiting.get(note)!);
        waiting.delete(note);
      });
      const ms = random.below(3) === 0 ? random.below(20_000) : random.below(200);
      waiting.set(note, clock.now() + ms);
      deadlines.add(note, ms);
    } else if (what < 7 && waiting.size > 0) {
      const note = random.pick([...waiting.keys()].slice(0, 20));
      waiting.delete(note);
      deadlines.remove(note);
    } else {
      if (what === 9) await stall(random.below(50));
      else await advance(random.below(30) + random.fraction());
      for (const dueAt of waiting.values()) expect(dueAt).toBeGreaterThan(clock.now() - 2 * slotMs);
    }
    expect(deadlines.size).toBe(waiting.size);
  }
  await advance(30_000);
  expect(waiting.size).toBe(0);
});

test("a turn that takes long does not date its last deadlines back", async () => {
  const { clock, add, advance } = wheel();
  const dueAt: number[] = [];
  const notes = Array.from({ length: 200 }, () => {
    dueAt.push(clock.now() + 100);
    const note = add(100);
    clock.stall(10); // the thread is busy between two calls
    return note;
  });
  for (const { firedAt } of notes) expect(firedAt).toBe(-1);
  await advance(5_000);
  for (const [i, note] of notes.entries()) expect(note.firedAt).toBeGreaterThanOrEqual(dueAt[i]!);
});

test("a deadline removed in the turn that added it never fires, whatever came before and after it", async () => {
  const { deadlines, add, advance } = wheel();
  const notes = [add(10), add(10), add(10)];
  deadlines.remove(notes[1]!);
  expect(deadlines.size).toBe(2);
  deadlines.add(notes[1]!, 1_000);
  deadlines.remove(notes[0]!);
  deadlines.remove(notes[1]!);
  await advance(100);
  expect(notes.map(({ firedAt }) => firedAt !== -1)).toEqual([false, false, true]);
  await advance(5_000);
  expect(notes[1]!.firedAt).toBe(-1);
  expect(deadlines.size).toBe(0);
});
