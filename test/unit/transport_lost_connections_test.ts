import { expect, test } from "bun:test";
import { type LostConnection, LostConnections } from "../../src/transport/lost_connections.ts";

/** A connection that is lost. */
class Lost implements LostConnection {
  backlog: object | null = null;
}

function make(): { all: LostConnections<Lost>; ended: Lost[] } {
  const ended: Lost[] = [];
  return { all: new LostConnections<Lost>((lost) => ended.push(lost)), ended };
}

test("when the socket is empty, all are at their end of which nothing waits", () => {
  const { all, ended } = make();
  const [one, other] = [new Lost(), new Lost()];
  other.backlog = {};
  all.add(one);
  all.add(other);
  all.drained();
  expect(ended).toEqual([one]);
  expect(all.empty).toBe(false);
  other.backlog = null;
  all.drained();
  expect(ended).toEqual([one, other]);
  expect(all.empty).toBe(true);
});

test("a connection is at its end when nothing of it came for a whole round of the others", () => {
  const { all, ended } = make();
  const lost = new Lost();
  all.add(lost);
  // It sends every tenth message, and so has more.
  for (let i = 0; i < 1_000; i++) all.message(i % 10 === 0 ? lost : undefined, 10);
  expect(ended).toEqual([]);
  let after = 0;
  for (; ended.length === 0 && after < 1_000; after++) all.message(undefined, 10);
  expect(ended).toEqual([lost]);
  // Ten connections have had two turns each at the least.
  expect(after).toBeWithin(36, 109);
});

test("messages of connections that are not lost delay no end", () => {
  const { all, ended } = make();
  const lost = new Lost();
  all.add(lost);
  for (let i = 0; i < 100; i++) all.message(new Lost(), 3);
  expect(ended).toEqual([lost]);
});
