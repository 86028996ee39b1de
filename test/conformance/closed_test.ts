/** `closed`: what it resolves to after a good end, and what it tells when the end was a failure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import type { PeerInfo, Registration } from "../../src/mod.ts";
import { ActiveMessageExecutor } from "../../src/executor/mod.ts";
import { prometheusMeter } from "../../src/prometheus/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { within } from "../support/until.ts";

test("closed of a messenger resolves to closed, or to the text of the signal that closed it", async () => {
  await using t = await leakCheck();
  const messenger = await t.messenger();
  const { events } = messenger;
  await messenger.close();
  assert.equal(await messenger.closed, "closed");
  assert.equal(await within(events.closed, 1_000), "the messenger was closed");
  const stop = new AbortController();
  const stopped = await t.messenger({ signal: stop.signal });
  stop.abort(new Error("enough"));
  assert.equal(await within(stopped.closed, 5_000), "the signal aborted: enough");
});

class Stubborn extends StaticDiscovery {
  override registerPeer(_info: PeerInfo): Promise<Registration> {
    const unregister = () => Promise.reject(new Error("the store is read-only"));
    return Promise.resolve({ unregister, [Symbol.asyncDispose]: unregister });
  }
}

test("closed tells that discovery still has the instance, and close() does not fail for it", async () => {
  await using t = await leakCheck();
  const messenger = await t.messenger({ discovery: new Stubborn() });
  await messenger.close();
  const ending = await messenger.closed;
  assert.ok(ending instanceof Error);
  assert.match(ending.message, /^Discovery still has the entries of this instance: the store is read-only$/);
});

test("closed of a metrics server resolves when it no longer answers", async () => {
  await using _t = await leakCheck();
  const server = await prometheusMeter().serve({ port: 0 });
  await using other = server;
  await other.close();
  assert.equal(await within(server.closed, 1_000), "closed");
});

test("closed of an executor tells a good end, also by its old name, a signal, and handlers that ran on", async () => {
  await using _t = await leakCheck();
  const closed = new ActiveMessageExecutor();
  await closed.close();
  assert.equal(await closed.closed, "closed");
  const stopped = new ActiveMessageExecutor();
  await stopped.stop();
  assert.equal(await stopped.closed, "closed");
  const stop = new AbortController();
  const aborted = new ActiveMessageExecutor({ signal: stop.signal });
  stop.abort(new Error("enough"));
  assert.equal(await within(aborted.closed, 1_000), "the signal aborted: enough");
  const stuck = new ActiveMessageExecutor();
  stuck.registerHandlers({ never: () => new Promise(() => {}) });
  await stuck.send({ messageType: "never", messageData: new Uint8Array() });
  await within(stuck.close({ timeoutMs: 10, drain: true }), 1_000);
  const ending = await stuck.closed;
  assert.ok(ending instanceof Error);
  assert.match(ending.message, /^1 handlers of the executor had not finished within 10 ms$/);
});

test("closed of a cohort and of a worker's place tell the reason of a good end, ended the same", async () => {
  await using t = await leakCheck();
  const [leader, worker] = [await t.messenger(), await t.messenger()];
  const cohort = LeaderWorkerCohort.create(leader);
  const first = await joinCohort(worker, { leader: leader.endpoint });
  await first.close();
  assert.equal(await within(first.closed, 1_000), "left");
  const second = await joinCohort(worker, { leader: leader.endpoint });
  await cohort.close({ reason: "the work is done" });
  assert.equal(await within(cohort.closed, 1_000), "the work is done");
  assert.equal(await within(second.closed, 1_000), "the work is done");
  assert.equal(await second.ended, await second.closed);
  const other = LeaderWorkerCohort.create(leader);
  await leader.close();
  assert.equal(await within(other.closed, 1_000), "the leader's messenger was closed");
});
