import { expect, test } from "bun:test";
import { LingeringConnections } from "../../src/libzmq/lingering_connections.ts";
import type { TcpConnections } from "../../src/libzmq/mod.ts";
import { until } from "../support/until.ts";

/** One connection whose descriptor of libzmq is 7, and of which 8 is the duplicate. */
class FakeConnections implements Partial<TcpConnections> {
  theirs = "socket:[1]";
  own = "socket:[1]";
  spare = true;
  otherEndClosed = false;
  readonly done: string[] = [];
  duplicate(fd: number): number {
    this.done.push(`duplicate ${fd}`);
    return this.spare ? 8 : -1;
  }
  identity(fd: number): string {
    return fd === 7 ? this.theirs : this.own;
  }
  endWriting(fd: number): void {
    this.done.push(`end ${fd}`);
  }
  discard(fd: number): boolean {
    if (this.done.at(-1) !== `discard ${fd}`) this.done.push(`discard ${fd}`);
    return this.otherEndClosed;
  }
  close(fd: number): void {
    this.done.push(`close ${fd}`);
  }
}

function make() {
  const kernel = new FakeConnections();
  return { kernel, lingering: new LingeringConnections(kernel as unknown as TcpConnections) };
}

test("a connection's own direction ends when libzmq has closed it, and it is closed when the other end has", async () => {
  const { kernel, lingering } = make();
  lingering.keep(7, "socket:[1]", 10_000);
  let finished = false;
  const end = lingering.finished().then(() => void (finished = true));
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(kernel.done).toEqual(["duplicate 7"]);
  kernel.theirs = "socket:[2]";
  await until(() => kernel.done.length > 1);
  expect(kernel.done).toEqual(["duplicate 7", "end 8", "discard 8"]);
  expect(finished).toBeFalse();
  kernel.otherEndClosed = true;
  await end;
  expect(kernel.done).toEqual(["duplicate 7", "end 8", "discard 8", "close 8"]);
});

test("an other end that never closes is waited for no longer than the linger says", async () => {
  const { kernel, lingering } = make();
  const began = performance.now();
  lingering.keep(7, "socket:[1]", 150);
  kernel.theirs = "socket:[2]";
  await lingering.finished();
  expect(performance.now() - began).toBeGreaterThanOrEqual(149);
  expect(kernel.done.at(-1)).toBe("close 8");
});

test("a descriptor that is another connection's by now is left alone", async () => {
  const { kernel, lingering } = make();
  kernel.own = "socket:[2]";
  lingering.keep(7, "socket:[1]", 10_000);
  await lingering.finished();
  expect(kernel.done).toEqual(["duplicate 7", "close 8"]);
});

test("without a descriptor to spare, or where the platform has none, nothing is kept", async () => {
  const { kernel, lingering } = make();
  kernel.spare = false;
  lingering.keep(7, "socket:[1]", 10_000);
  const none = new LingeringConnections(null);
  none.keep(7, "socket:[1]", 10_000);
  await Promise.all([lingering.finished(), none.finished()]);
  none.finishNow(performance.now());
  expect(kernel.done).toEqual(["duplicate 7"]);
});

test("at the end of the process it is waited in place, for what was kept before as well", () => {
  const { kernel, lingering } = make();
  lingering.keep(7, "socket:[1]", 10_000);
  const began = performance.now();
  lingering.finishNow(began + 20);
  expect(performance.now() - began).toBeWithin(99, 5_000);
  expect(kernel.done).toEqual(["duplicate 7", "end 8", "discard 8", "close 8"]);
});
