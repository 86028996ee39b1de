/** Memory of libzmq that is free again goes back to the system, on another thread. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "../support/testing.ts";
import { leakCheck } from "../support/fixture.ts";
import { rawContext } from "../support/raw_sockets.ts";

const messages = 20_000;
const bytes = 8_000;

/** Memory of this process that lies in RAM, in MiB. */
function residentMiB(): number {
  return process.memoryUsage().rss / 2 ** 20;
}

test("memory that libzmq has freed between used blocks is returned", async (context) => {
  await using t = await leakCheck();
  const { backend } = await rawContext(t);
  const own = await rawContext(t);
  const [push, pull] = [own.socket("PUSH"), own.socket("PULL")];
  for (const socket of [push, pull]) socket.set("SNDHWM", 0).set("RCVHWM", 0).set("LINGER", 0);
  const endpoint = "inproc://much";
  pull.bind(endpoint);
  push.connect(endpoint);
  const message = [new Uint8Array(bytes).fill(1)];
  for (let i = 0; i < messages; i++) assert.equal(push.send(message), true);
  // The last one stays, and what lies before it cannot go back by itself.
  for (let i = 1; i < messages; i++) assert.notEqual(pull.receive(), null);
  const before = residentMiB();
  const returned = backend.returnMemory();
  if (returned === null) return context.diagnostic("this C library cannot be asked");
  await returned;
  const after = residentMiB();
  context.diagnostic(`${before.toFixed(0)} -> ${after.toFixed(0)} MiB`);
  assert.ok(before - after > 80, `${before} MiB before, ${after} after`);
  assert.deepEqual(pull.receive(), message);
});
