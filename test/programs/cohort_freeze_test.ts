/** A handler, a lane and a worker that stand still at once delay nobody else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import { crew, crewTimes, placeOf } from "../support/cohort_crew.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";

const rounds = 100;
const held = 20;

/** The middle of how long calls take, in milliseconds, made one after another. */
async function medianOf(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await within(call(), 5_000, "an answer beside what is frozen");
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[rounds / 2]!;
}

async function json(messenger: Messenger, name: string, to: InstanceId, payload?: unknown): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(await messenger.unary(name, { to, payload })));
}

test("one handler, one lane and one worker freeze at once, and the rest is as quick as before", async () => {
  await using t = await leakCheck();
  // Whoever stands still keeps its place, and has it when it goes on.
  const { leader, cohort, workers } = await crew(t, 4, { failurePolicy: { replaceWithinMs: 60_000 } });
  const [first, , third, frozen] = workers.map((worker) => placeOf(worker).instanceId) as [
    InstanceId,
    InstanceId,
    InstanceId,
    InstanceId,
  ];
  const other = await t.messenger();
  const ranks = workers.map(placeOf).filter(({ instanceId }) => instanceId !== frozen).map(({ rank }) =>
    rank
  );
  await other.connect(leader.peers().find(({ instanceId }) => instanceId === first)!.endpoints[0]!);

  // Of the worker with the frozen handler and the frozen lane: another handler, and the other senders' lanes.
  const rest: [string, () => Promise<unknown>][] = [
    ["another handler of the same worker", () => leader.unary("square", { to: first, payload: 3 })],
    ["another sender's lane of the same handler", () => other.amSync("lane", { to: first, payload: "x" })],
    ["another worker", () => leader.unary("square", { to: third, payload: 3 })],
    ["the other workers together", async () => {
      for (const rank of ranks) {
        const [outcome] = await cohort.map("square", () => 3, { rank });
        assert.ok(outcome?.ok);
      }
    }],
  ];
  const measure = async (): Promise<number[]> => {
    const medians: number[] = [];
    for (const [, call] of rest) medians.push(await medianOf(call));
    return medians;
  };
  await measure();
  const before = await measure();

  const calls = Array.from({ length: held }, () => leader.unary("hold", { to: first }));
  const notes = ["hold", ...Array.from({ length: held - 1 }, (_, i) => i)].map((payload) =>
    leader.amSync("lane", { to: first, payload })
  );
  const waiting = async () => await json(leader, "waiting", first) === 2 * held - 2;
  await until(waiting, { message: "everything but one of each to wait" });
  workers[3]!.signal("SIGSTOP");
  const stopped = Array.from(
    { length: held },
    () => leader.unary("square", { to: frozen, payload: 5 }).then(() => "answered", (error) => error.code),
  );
  const isLost = () => cohort.workers().find(({ instanceId }) => instanceId === frozen)?.state === "lost";
  await until(isLost, { timeoutMs: 3 * crewTimes.lostAfterMs });

  const during = await measure();
  rest.forEach(([what], i) =>
    assert.ok(during[i]! < 3 * before[i]! + 1, `${what}: ${before[i]} ms before, ${during[i]} ms beside`)
  );
  assert.ok(await waiting(), "what was frozen still is");

  workers[3]!.signal("SIGCONT");
  await leader.amSync("thaw", { to: first });
  await within(Promise.all([...calls, ...notes]), 5_000, "what was frozen to go on");
  assert.deepEqual(
    await json(leader, "noted", first, leader.instanceId),
    Array.from(
      { length: held },
      (_, i) => i === 0 ? "hold" : i - 1,
    ),
  );
  // They were answered late, or their connection was given up; none hangs.
  for (
    const outcome of await within(Promise.all(stopped), 10_000, "the calls to the worker that stood still")
  ) {
    assert.match(outcome, /^(answered|PEER_DISCONNECTED)$/);
  }
  await until(() => cohort.complete, { timeoutMs: 10_000 });
});
