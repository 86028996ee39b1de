import assert from "node:assert/strict";
import { test } from "node:test";
import { localFlag, makeHandle } from "../../src/events/handle.ts";
import { poisonedWith, triggered, triggeredWith } from "../../src/events/outcome.ts";
import { EventTable } from "../../src/events/table.ts";

const indexOf = (handle: bigint): number => Number(BigInt.asUintN(32, handle >> 32n));
const owner = 3048459635754632962n;
const limits = { maxEvents: 100, maxHistory: 10, maxGeneration: 0xffff_ffff };

function place(
  slot: { readonly handle: bigint },
): [index: number, generation: number] {
  return [indexOf(slot.handle), Number(BigInt.asUintN(32, slot.handle))];
}

test("generations start at 1 and indices at 0", () => {
  const table = new EventTable(owner, false, limits);
  assert.deepEqual([table.create(), table.create()].map(place), [[0, 1], [1, 1]]);
});

test("an index is used again with the next generation once its event is complete", () => {
  const table = new EventTable(owner, false, limits);
  const slot = table.create();
  const first = slot.handle;
  assert.equal(table.find(first), slot);
  table.complete(slot, triggered);
  assert.equal(table.find(first), null);
  assert.deepEqual(place(table.create()), [0, 2]);
  assert.equal(table.find(first), null, "the older handle does not find the newer event");
  assert.equal(table.outcomeOf(first), triggered);
});

test("handles that were never made have no outcome: the future, generation 0, other owners, the other kind", () => {
  const table = new EventTable(owner, false, limits);
  const slot = table.create();
  table.complete(slot, triggered);
  const foreign = [
    makeHandle(owner, 0, 2),
    makeHandle(owner, 0, 0),
    makeHandle(owner, 1, 1),
    makeHandle(owner, 0xffff_ffff, 1),
    makeHandle(owner + 1n, 0, 1),
    makeHandle(owner, 0x8000_0000, 1),
  ];
  for (const handle of foreign) {
    assert.equal(table.outcomeOf(handle), null);
    assert.equal(table.find(handle), null);
  }
  assert.equal(table.owns(makeHandle(owner, 1, 1)), true);
  assert.equal(table.owns(makeHandle(owner, 0x8000_0000, 1)), false);
});

test("reasons and values outlive the reuse of the index, as many as the history holds", () => {
  const table = new EventTable(owner, false, limits);
  const handles = Array.from({ length: 12 }, (_, i) => {
    const slot = table.create();
    const { handle } = slot;
    table.complete(slot, i % 2 === 0 ? poisonedWith(`reason ${i}`) : triggeredWith(i, 100));
    return handle;
  });
  assert.deepEqual(
    handles.slice(2).map((handle) => {
      const { reason, value } = table.outcomeOf(handle)!;
      return reason ?? value;
    }),
    handles.slice(2).map((_, i) => i % 2 === 0 ? `reason ${i + 2}` : i + 2),
  );
  // Of older events the table knows only that they are complete.
  assert.equal(table.outcomeOf(handles[0]!), triggered);
  const { history, forgotten, poisoned, created, pending } = table.stats();
  assert.deepEqual({ history, forgotten, poisoned, created, pending }, {
    history: 10,
    forgotten: 2,
    poisoned: 6,
    created: 12,
    pending: 0,
  });
});

test("an index whose generations are used up is retired, and its events stay known as complete", () => {
  const table = new EventTable(owner, false, { ...limits, maxGeneration: 3 });
  const handles = Array.from({ length: 4 }, () => {
    const slot = table.create();
    table.complete(slot, triggered);
    return slot.handle;
  });
  assert.deepEqual(handles.map((handle) => place({ handle })), [[0, 1], [0, 2], [0, 3], [1, 1]]);
  assert.equal(table.stats().retired, 1);
  for (const handle of handles) assert.equal(table.outcomeOf(handle), triggered);
  assert.equal(table.outcomeOf(makeHandle(owner, 0, 4)), null);
});

test("no more than maxEvents are pending, and completing one makes room", () => {
  const table = new EventTable(owner, false, { ...limits, maxEvents: 2 });
  const slot = table.create();
  table.create();
  assert.throws(() => table.create(), { code: "LIMIT_REACHED", message: /maxEvents/ });
  table.complete(slot, triggered);
  assert.deepEqual(place(table.create()), [0, 2]);
});

test("a table without a messenger makes local handles", () => {
  const slot = new EventTable(owner, true, limits).create();
  assert.equal(indexOf(slot.handle), localFlag);
});

test("the table does not grow with the number of events", () => {
  const table = new EventTable(owner, false, limits);
  for (let i = 0; i < 200_000; i++) {
    const slots = [table.create(), table.create(), table.create()];
    for (const slot of slots) table.complete(slot, i % 3 === 0 ? poisonedWith("x") : triggered);
  }
  const highest = Math.max(
    ...[table.create(), table.create(), table.create()].map(({ handle }) => indexOf(handle)),
  );
  assert.equal(highest, 2);
  assert.equal(table.stats().history, 10);
});
