import { expect, test } from "bun:test";
import { OutboundBytes } from "../../src/transport/outbound_bytes.ts";
import { OutboundBudget } from "../../src/transport/outbound_budget.ts";
import type { TcpConnections } from "../../src/libzmq/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

const mebibyte = 2 ** 20;

/** Connections whose kernel says what a test tells it to. */
class FakeConnections implements Partial<TcpConnections> {
  acks = 0;
  left = 1;
  unix = false;
  who = "socket:[1]";
  looks = 0;
  readonly ended: number[] = [];
  acked(): number {
    this.looks++;
    return this.unix ? -1 : this.acks;
  }
  unread(): number {
    return this.left;
  }
  identity(): string {
    return this.who;
  }
  shutdown(fd: number): void {
    this.ended.push(fd);
  }
}

function make(options: { maxPeerBytes?: number; maxInFlightBytes?: number; slowPeerMs?: number } = {}) {
  const [kernel, clock] = [new FakeConnections(), new FakeClock()];
  let retries = 0;
  const freed: number[] = [];
  const all = new OutboundBudget({
    maxPeerBytes: 32 * mebibyte,
    maxInFlightBytes: 256 * mebibyte,
    slowPeerMs: 1_000,
    ...options,
    connections: kernel as unknown as TcpConnections,
    context: {
      memory: { passed: () => {}, freed: (bytes) => void freed.push(bytes) },
      lingering: { keep: () => {} },
    },
    clock,
    retry: () => void retries++,
  });
  const ends: string[] = [];
  const open = () => {
    const outbound = new OutboundBytes(all, (reason) => void ends.push(reason));
    outbound.connected(7, false);
    return outbound;
  };
  return { kernel, clock, all, ends, open, freed, retries: () => retries };
}

/** Hands over messages of this size while they are admitted; returns how many. */
function fill(outbound: OutboundBytes, bytes: number): number {
  let count = 0;
  for (; outbound.admits(bytes) && count < 10_000; count++) outbound.handed(20, bytes);
  return count;
}

test("a connection may have a quarter of its share in libzmq, and more when it has left", () => {
  const { kernel, clock, open, all, retries } = make();
  const outbound = open();
  expect(fill(outbound, mebibyte)).toBe(7);
  expect(all.bytes).toBe(outbound.held);
  expect(outbound.held).toBeWithin(7 * mebibyte, 7 * mebibyte + 1_000);
  expect(outbound.admits(1)).toBeFalse();
  outbound.block(true);
  kernel.acks += 3 * mebibyte;
  expect(outbound.admits(1)).toBeFalse();
  clock.advance(1);
  expect(retries()).toBe(1);
  expect(fill(outbound, mebibyte)).toBe(3);
});

test("one message may always go alone, however large it is", () => {
  const { kernel, open } = make();
  const outbound = open();
  expect(fill(outbound, 40 * mebibyte)).toBe(1);
  outbound.refused = false;
  kernel.acks += 50 * mebibyte;
  expect(fill(outbound, 40 * mebibyte)).toBe(1);
});

test("the more all hold, the less one more connection may have, and there is always some left", () => {
  const { open, all } = make({ maxInFlightBytes: 64 * mebibyte });
  const counts = Array.from({ length: 40 }, () => fill(open(), mebibyte / 4));
  expect(counts[0]).toBeGreaterThan(counts[20]!);
  expect(counts[39]).toBeGreaterThanOrEqual(1);
  expect(all.bytes).toBeLessThan(64 * mebibyte);
});

test("small messages are looked at once for each 256 KiB", () => {
  const { kernel, open } = make();
  const outbound = open();
  kernel.looks = 0;
  for (let i = 0; i < 40_000; i++) if (outbound.admits(64)) outbound.handed(20, 64);
  expect(kernel.looks).toBeWithin(10, 20);
});

test("of a Unix socket everything has left when nothing in it is unread, and before that nothing", () => {
  const { kernel, clock, open } = make();
  kernel.unix = true;
  const outbound = open();
  expect(fill(outbound, mebibyte)).toBe(7);
  outbound.block(true);
  clock.advance(10);
  expect(fill(outbound, mebibyte)).toBe(0);
  kernel.left = 0;
  clock.advance(100);
  expect(outbound.held).toBe(0);
  expect(fill(outbound, mebibyte)).toBeGreaterThan(7);
});

test("a count that is too high is corrected when the system holds nothing", () => {
  const { kernel, clock, open, ends, all } = make();
  const outbound = open();
  outbound.handed(20, mebibyte);
  expect(outbound.held).toBeGreaterThan(mebibyte);
  kernel.left = 0;
  clock.advance(5_000);
  expect([outbound.held, all.bytes, ends.length, clock.timers.length]).toEqual([0, 0, 0, 0]);
});

test("a connection from which nothing leaves for slowPeerMs is ended, and one from which something leaves is not", () => {
  const { kernel, clock, open, ends } = make();
  const outbound = open();
  fill(outbound, mebibyte);
  outbound.block(true);
  for (let i = 0; i < 10; i++) {
    clock.advance(900);
    kernel.acks += 1_000;
    clock.advance(50);
    expect(ends).toEqual([]);
  }
  clock.advance(1_200);
  expect(ends[0]).toContain("slowPeerMs");
});

test("without the kernel's answer, a connection for which libzmq takes nothing is ended", () => {
  const { clock, all, ends } = make();
  const outbound = new OutboundBytes(all, (reason) => void ends.push(reason));
  expect(fill(outbound, mebibyte)).toBe(10_000);
  outbound.block(true);
  clock.advance(900);
  outbound.handed(20, 5);
  clock.advance(900);
  expect(ends).toEqual([]);
  clock.advance(300);
  expect(ends.length).toBeGreaterThan(0);
});

test("only the very connection is shut down, and not another one with its descriptor", () => {
  const { kernel, open } = make();
  const outbound = open();
  outbound.shutdown();
  expect(kernel.ended).toEqual([7]);
  kernel.who = "socket:[2]";
  outbound.shutdown();
  expect(kernel.ended).toEqual([7]);
});

test("an ended connection holds nothing, and is not observed any more", () => {
  const { clock, open, all } = make();
  const outbound = open();
  fill(outbound, mebibyte);
  outbound.wait(5_000);
  outbound.block(true);
  outbound.close();
  outbound.close();
  outbound.wait(-5_000);
  expect([all.bytes, outbound.held]).toEqual([0, 0]);
  clock.advance(100);
  expect(clock.timers.length).toBe(0);
});

test("a connection that ends frees the bytes that libzmq holds and those that were queued before it", () => {
  const { open, freed } = make();
  const outbound = open();
  fill(outbound, mebibyte);
  const { held } = outbound;
  expect(held).toBeGreaterThan(mebibyte);
  outbound.close(48 * mebibyte);
  outbound.close(1);
  expect(freed).toEqual([held + 48 * mebibyte]);
});
