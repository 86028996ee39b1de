import { expect, test } from "bun:test";
import { KeepAlive } from "../../src/messenger/keep_alive.ts";

/** A transport that knows whether it keeps the process alive. */
function fakeTransport() {
  return {
    holds: false,
    ref() {
      this.holds = true;
    },
    unref() {
      this.holds = false;
    },
  };
}

test("the process stays alive until the last of several holds is given back, each once", () => {
  const transport = fakeTransport();
  const keepAlive = new KeepAlive(transport, false);
  const one = keepAlive.hold();
  const two = keepAlive.hold();
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  expect(transport.holds).toBe(true);
  two[Symbol.dispose]();
  expect(transport.holds).toBe(false);
});

test("after the end nothing keeps the process alive any more", () => {
  const transport = fakeTransport();
  const keepAlive = new KeepAlive(transport, true);
  const held = keepAlive.hold();
  expect(transport.holds).toBe(true);
  keepAlive.end();
  expect(transport.holds).toBe(false);
  keepAlive.hold();
  keepAlive.active = true;
  held[Symbol.dispose]();
  expect(transport.holds).toBe(false);
});
