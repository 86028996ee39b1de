import { expect, test } from "bun:test";
import { Admission, type Held } from "../../src/messenger/handlers/admission.ts";

function nothing(): Held {
  return { messages: 0, bytes: 0 };
}

/** Counts the messages of this size that go in until there is no more room for one. */
function fill(room: Admission, handler: Held, sender: Held, bytes: number): number {
  let count = 0;
  for (; room.has(handler, sender, bytes); count++) room.hold(handler, sender, bytes);
  return count;
}

// By messages the payloads are empty; by bytes each is one and the messages do not count.
const kinds = {
  messages: { make: (limit: number) => new Admission(limit, 1), bytes: 0 },
  bytes: { make: (limit: number) => new Admission(2 ** 30, limit), bytes: 1 },
};

for (const [kind, { make, bytes }] of Object.entries(kinds)) {
  test(`by ${kind}: a flooded handler fills eight ninths, and its sender has room for others`, () => {
    const room = make(90);
    const [stuck, other, sender, another] = [nothing(), nothing(), nothing(), nothing()];
    expect(fill(room, stuck, sender, bytes)).toBe(80);
    expect(room.has(stuck, another, bytes)).toBe(false);
    expect(room.has(other, sender, bytes)).toBe(true);
    expect(room.has(other, another, bytes)).toBe(true);
  });

  test(`by ${kind}: a sender that floods every handler fills sixteen seventeenths, and others have room`, () => {
    const room = make(170);
    const [sender, another] = [nothing(), nothing()];
    const handlers = Array.from({ length: 50 }, nothing);
    let count = 0;
    for (const handler of handlers) count += fill(room, handler, sender, bytes);
    expect(count).toBe(160);
    expect(room.has(nothing(), sender, bytes)).toBe(false);
    expect(room.has(handlers.at(-1)!, another, bytes)).toBe(true);
    expect(room.has(nothing(), another, bytes)).toBe(true);
  });

  test(`by ${kind}: one flood after the other leaves room for the next, until all of it is used`, () => {
    const room = make(9_000);
    const counts = Array.from({ length: 4 }, () => fill(room, nothing(), nothing(), bytes));
    expect(counts).toEqual([8_000, 889, 99, 11]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(8_999);
  });

  test(`by ${kind}: below a half nobody is held back, and the limit itself holds`, () => {
    const room = make(10);
    const handlers = Array.from({ length: 20 }, nothing);
    let most = 0;
    for (const handler of handlers) most += fill(room, handler, nothing(), bytes);
    expect(most).toBe(10);
    const [handler, sender] = [nothing(), nothing()];
    const small = make(10);
    for (let i = 0; i < 5; i++) {
      expect(small.has(handler, sender, bytes)).toBe(true);
      small.hold(handler, sender, bytes);
    }
  });

  test(`by ${kind}: what is released is free again, for whoever held it and for all`, () => {
    const room = make(90);
    const [handler, sender] = [nothing(), nothing()];
    const count = fill(room, handler, sender, bytes);
    for (let i = 0; i < count; i++) room.release(handler, sender, bytes);
    expect([room.total, handler, sender]).toEqual([nothing(), nothing(), nothing()]);
    expect(fill(room, handler, sender, bytes)).toBe(count);
  });
}

test("a message that is larger than all of the room has room when there is nothing else", () => {
  const room = new Admission(10, 100);
  const [handler, sender] = [nothing(), nothing()];
  expect(room.has(handler, sender, 1_000)).toBe(true);
  room.hold(handler, sender, 1_000);
  expect(room.has(nothing(), nothing(), 1_000)).toBe(false);
  expect(room.has(nothing(), nothing(), 1)).toBe(false);
  room.release(handler, sender, 1_000);
  expect(room.has(handler, sender, 1)).toBe(true);
});
