import assert from "node:assert/strict";
import { test } from "node:test";
import { PollEvent, type Source } from "../../src/libzmq/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import {
  Inbox,
  linked,
  nextOf,
  parts,
  rawContext,
  sendSoon,
  texts,
  waiterKinds,
} from "../support/raw_sockets.ts";
import { pause, until } from "../support/until.ts";

for (const waiter of waiterKinds) {
  test(`a socket that nobody waits for costs no wake, whatever arrives, and is read once it is wanted (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const { reactor } = context;
    const { bound, connected } = linked(context, "PULL", "PUSH");
    // Another socket is waited for, so that there is a wait that the unread one could end.
    new Inbox(linked(context, "PULL", "PUSH").bound, () => {});
    let calls = 0;
    const source: Source = {
      receive: () => {
        // A socket may be asked once more before the reactor knows.
        if (registration.wants === 0) return 0;
        calls++;
        reactor.want(registration, 0);
        return 1;
      },
    };
    const registration = reactor.add(bound.handle, source, { idle: true });
    t.defer(() => reactor.remove(registration));
    reactor.want(registration, PollEvent.POLLIN);
    await sendSoon(connected, parts("first"));
    await until(() => calls === 1);
    // It was not read: its descriptor stays readable.
    const before = reactor.stats().wakes;
    for (let i = 0; i < 20; i++) {
      await sendSoon(connected, parts(String(i)));
      await pause(2);
    }
    const wakes = reactor.stats().wakes - before;
    assert.ok(wakes <= 5, `${wakes} wakes`);
    assert.equal(calls, 1);
    assert.deepEqual(texts(await nextOf(bound)), ["first"]);
    reactor.want(registration, PollEvent.POLLIN);
    reactor.touch(registration);
    await until(() => calls === 2);
  });
}

test("a reactor that makes its waiter at the first wait notices what came before it", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const { Reactor } = await import("../../src/libzmq/mod.ts");
  const { systemClock, silentLogger } = await import("../../src/core/mod.ts");
  const reactor = Reactor.open(context.backend, { clock: systemClock, logger: silentLogger });
  const { bound, connected } = linked(context, "PULL", "PUSH");
  let calls = 0;
  const registration = reactor.add(bound.handle, { receive: () => (calls++, 0) }, { idle: true });
  reactor.ref();
  reactor.want(registration, PollEvent.POLLIN);
  await sendSoon(connected, parts("x"));
  await until(() => calls > 0);
  let turns = 0;
  reactor.soon(() => turns++);
  assert.equal(turns, 0);
  await until(() => turns === 1);
  reactor.remove(registration);
  reactor.unref();
  await reactor.close();
});
