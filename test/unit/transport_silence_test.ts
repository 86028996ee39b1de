/** Accepted connections on which nothing arrives any more. */
import { expect, test } from "bun:test";
import type { TcpConnections } from "../../src/libzmq/mod.ts";
import { Silence, silenceBound } from "../../src/transport/silence.ts";

const bound = silenceBound(1_000);

/** A connection, looked at every 50 ms. */
function watched(boundMs = bound) {
  let now = 0;
  let waiting = 0;
  let received = 0;
  const silence = new Silence();
  const connections = { waiting: () => waiting } as Partial<TcpConnections> as TcpConnections;
  const look = () => silence.over(connections, 7, received, now, boundMs);
  /** Lets time pass, and tells after how much of it the connection was silent for too long. */
  const pass = (ms: number): number | null => {
    for (const end = now + ms, began = now; now < end;) {
      now += 50;
      if (look()) return now - began;
    }
    return null;
  };
  look();
  return {
    pass,
    hear: () => void received++,
    setWaiting: (bytes: number) => void (waiting = bytes),
    /** Nothing is looked at for a time, as where JavaScript is busy. */
    sleep: (ms: number) => void (now += ms),
    look,
  };
}

test("a connection is silent after four heartbeats that did not come", () => {
  expect(bound).toBe(4_000);
  const { pass, hear } = watched();
  for (let i = 0; i < 10; i++) {
    expect(pass(3_000)).toBeNull();
    hear();
  }
  expect(pass(60_000)).toBe(4_050);
});

test("a connection that this process does not read, or did not look at, is not silent", () => {
  const { pass, hear, setWaiting, sleep, look } = watched();
  setWaiting(1);
  expect(pass(60_000)).toBeNull();
  setWaiting(0);
  expect(pass(3_500)).toBeNull();
  hear();
  sleep(20_000);
  expect(look()).toBe(false);
  // The system tells nothing of it.
  setWaiting(-1);
  expect(pass(60_000)).toBeNull();
});

test("a connection whose dialler has not said when its heartbeats come is never silent", () => {
  expect(watched(silenceBound(Infinity)).pass(1_000_000)).toBeNull();
  expect(watched(silenceBound(5_000)).pass(60_000)).toBe(20_000);
});
