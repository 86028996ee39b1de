import { expect, test } from "bun:test";
import { LinkTable } from "../../src/transport/link_table.ts";
import { seededPrng } from "../support/prng.ts";

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const find = <L>(table: LinkTable<L>, id: Uint8Array, room = 0) => {
  // Ids are looked up in a buffer that is larger than they are.
  const buffer = new Uint8Array(id.length + room).fill(0xee);
  buffer.set(id);
  return table.find(buffer, viewOf(buffer), id.length);
};

test("a link is found by its id's bytes, wherever they lie", () => {
  const table = new LinkTable<string>();
  const id = Uint8Array.from({ length: 24 }, (_, i) => i);
  table.add(id, "one");
  expect(find(table, id.slice(), 40)).toBe("one");
  expect(find(table, id.subarray(0, 23))).toBeUndefined();
  expect(find(table, Uint8Array.of(...id, 0))).toBeUndefined();
  const other = id.slice();
  other[0] = 99;
  expect(find(table, other)).toBeUndefined();
  expect(table.size).toBe(1);
});

test("ids whose hashes are the same are told apart, and each can be taken out alone", () => {
  const table = new LinkTable<number>();
  const ids = Array.from({ length: 5 }, (_, i) => {
    const id = new Uint8Array(24).fill(7);
    id[0] = i; // the hash is made of the last eight bytes
    return id;
  });
  for (const order of [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]]) {
    ids.forEach((id, i) => table.add(id, i));
    const left = new Set(ids.keys());
    for (const gone of order) {
      expect(table.remove(ids[gone]!, gone)).toBeTrue();
      expect(table.remove(ids[gone]!, gone)).toBeFalse();
      left.delete(gone);
      for (const i of ids.keys()) expect(find(table, ids[i]!)).toBe(left.has(i) ? i : undefined as never);
      expect(table.size).toBe(left.size);
    }
  }
});

test("the link found last is not found any more once it is taken out", () => {
  const table = new LinkTable<string>();
  const id = new Uint8Array(24).fill(1);
  table.add(id, "old");
  expect(find(table, id)).toBe("old");
  table.remove(id, "old");
  expect(find(table, id)).toBeUndefined();
  table.add(id, "new");
  expect(find(table, id)).toBe("new");
});

test("remove() of another link with the same id takes nothing out", () => {
  const table = new LinkTable<string>();
  const id = new Uint8Array(16).fill(3);
  table.add(id, "mine");
  expect(table.remove(id, "another")).toBeFalse();
  expect(find(table, id)).toBe("mine");
});

test("ids of every length from nothing to 255 bytes are told apart", () => {
  const table = new LinkTable<number>();
  for (let length = 0; length < 256; length++) table.add(new Uint8Array(length).fill(1), length);
  for (let length = 0; length < 256; length++) {
    expect(find(table, new Uint8Array(length).fill(1), 3)).toBe(length);
    if (length > 0) expect(find(table, new Uint8Array(length).fill(2))).toBeUndefined();
  }
  expect([...table.values()].sort((a, b) => a - b)).toEqual(Array.from({ length: 256 }, (_, i) => i));
});

test("a table under random use answers as a Map of texts does", () => {
  const random = seededPrng(11);
  const table = new LinkTable<object>();
  const model = new Map<string, { id: Uint8Array; link: object }>();
  for (let step = 0; step < 20_000; step++) {
    const id = new Uint8Array(random.below(3) === 0 ? 5 : 24);
    id[0] = random.below(4);
    id[id.length - 1] = random.below(8);
    const key = id.join();
    const known = model.get(key);
    if (known === undefined) {
      const link = {};
      table.add(id, link);
      model.set(key, { id, link });
    } else if (random.below(2) === 0) {
      expect(table.remove(known.id, known.link)).toBeTrue();
      model.delete(key);
    } else if (find(table, id) !== known.link) throw new Error(`step ${step}: another link for ${key}`);
  }
  expect(table.size).toBe(model.size);
  expect(new Set(table.values())).toEqual(new Set([...model.values()].map(({ link }) => link)));
});
