/** Tests of the answers of `curve.allow`, and of when a peer is admitted. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { Guard, silentLogger } from "../../src/core/mod.ts";
import { keyCheck } from "../../src/messenger/peers/key_check.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";

const never = (): Promise<boolean> => new Promise(() => {});

function checked(allow: () => unknown) {
  const guard = new Guard(silentLogger);
  const clock = new FakeClock();
  return { check: keyCheck(allow, guard, clock), guard, clock };
}

test("true lets a key in, and so does a promise of it; nothing else does", async () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const answers = [false, "yes", 1, {}, null, undefined, () => true, revoked.proxy];
  assert.equal(checked(() => true).check("key"), true);
  assert.equal(await checked(() => Promise.resolve(true)).check("key"), true);
  for (const answer of answers) {
    const now = checked(() => answer);
    assert.equal(now.check("key"), false);
    assert.equal(now.guard.faults().allow, answer === false ? 0 : 1);
    if (answer === revoked.proxy) continue;
    const later = checked(() => Promise.resolve(answer));
    assert.equal(await later.check("key"), false);
    assert.equal(later.guard.faults().allow, answer === false ? 0 : 1);
    assert.equal(later.clock.timers.length, 0);
  }
});

test("a promise that does not settle within two seconds admits no client, whatever its later value", async () => {
  const late = Promise.withResolvers<boolean>();
  const { check, guard, clock } = checked(() => late.promise);
  const decision = check("key");
  clock.advance(2_000);
  assert.equal(await decision, false);
  late.resolve(true);
  await late.promise;
  assert.deepEqual([guard.faults().allow, clock.timers.length], [1, 0]);
});

test("of 1 025 keys whose answers are waited for the last one is refused at once, and places are free again", async () => {
  const { check, guard, clock } = checked(never);
  const undecided = Array.from({ length: 1_024 }, () => check("key"));
  assert.equal(check("one too many"), false);
  assert.equal(guard.faults().allow, 1);
  clock.advance(2_000);
  assert.ok((await Promise.all(undecided)).every((admitted) => admitted === false));
  assert.notEqual(check("later"), false);
});
