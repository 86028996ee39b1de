import { expect, test } from "bun:test";
import { newInstanceId } from "../../src/core/mod.ts";
import { PeerTable } from "../../src/messenger/peers/peer_table.ts";
import type { Peer, Session } from "../../src/messenger/peers/peer.ts";

function crowd(size: number): { table: PeerTable; strangers: Peer[] } {
  const table = new PeerTable(size);
  return { table, strangers: Array.from({ length: size }, () => table.meet(newInstanceId())) };
}

test("a stranger takes the place of the stranger that has been silent for longest, and of no known peer", () => {
  const { table, strangers } = crowd(4);
  const friends = Array.from({ length: 4 }, () => table.know(newInstanceId()));
  const [first, second, third] = strangers as [Peer, Peer, Peer];
  table.settle(first);
  second.introduced.add({} as Session);
  table.meet(newInstanceId());
  expect(table.get(third.instanceId)).toBeUndefined();
  for (const peer of [...friends, first, second]) expect(table.get(peer.instanceId)).toBe(peer);
});

test("a stranger is refused where all others are connected, and a known peer takes a known one's place", () => {
  const { table, strangers } = crowd(2);
  for (const peer of strangers) peer.introduced.add({} as Session);
  expect(() => table.meet(newInstanceId())).toThrow("maxConnections");
  const [first, second, third] = Array.from({ length: 3 }, () => table.know(newInstanceId())) as [
    Peer,
    Peer,
    Peer,
  ];
  expect(table.get(first.instanceId)).toBeUndefined();
  for (const peer of [second, third]) peer.introduced.add({} as Session);
  expect(() => table.know(newInstanceId())).toThrow("maxConnections");
  expect(table.size).toBe(4);
});

test("a stranger that this side calls is known from then on, and leaves its place to another", () => {
  const { table, strangers } = crowd(3);
  const [first] = strangers as [Peer];
  expect(table.know(first.instanceId)).toBe(first);
  for (let i = 0; i < 10; i++) table.meet(newInstanceId());
  expect(table.get(first.instanceId)).toBe(first);
  expect(table.size).toBe(4);
});

test("a full table is not searched for the place of a stranger", () => {
  const { table, strangers } = crowd(10_000);
  for (const peer of strangers.slice(1)) peer.introduced.add({} as Session);
  const start = performance.now();
  // Looking through all of them for each would take minutes.
  for (let i = 0; i < 20_000; i++) table.meet(newInstanceId());
  expect(performance.now() - start).toBeLessThan(5_000);
});
