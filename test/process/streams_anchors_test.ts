/** Anchors and senders in different processes, of which one is killed, frozen or started again. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "../support/testing.ts";
import { type InstanceId, type Messenger, unaryHandler } from "../../src/mod.ts";
import { type AnchorFrame, streams } from "../../src/streams/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { freePort } from "../support/ports.ts";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { pause, until, within } from "../support/until.ts";

const program = "test/support/peers/anchors_peer.ts";

interface Peer {
  readonly child: SpawnedProcess;
  readonly endpoint: string;
  readonly id: InstanceId;
}

async function start(t: LeakCheck, runtime: RuntimeName, ...endpoint: readonly string[]): Promise<Peer> {
  const child = t.use(spawnScript(program, endpoint, { runtime }));
  const [, at, id] = (await child.waitForLine("ready")).split(" ");
  return { child, endpoint: at!, id: id as InstanceId };
}

async function tell(
  messenger: Messenger,
  to: InstanceId,
  what: string,
  value: unknown = null,
): Promise<unknown> {
  const answer = await messenger.unary(what, { to, payload: value });
  return JSON.parse(new TextDecoder().decode(answer));
}

interface State {
  readonly sent: number;
  readonly cancelled: readonly (string | null)[];
  readonly ended: readonly (string | null)[];
  readonly left: number;
}

const stateAt = async (messenger: Messenger, to: InstanceId) => await tell(messenger, to, "state") as State;

async function untilNothing(messenger: Messenger): Promise<void> {
  await until(() => {
    const { writers, readers, unreadBytes, anchors, senders } = messenger.stats().streams!;
    return writers + readers + unreadBytes + anchors + senders === 0;
  }, { message: "the end of all streams" });
}

for (const runtime of allRuntimes) {
  test(`a sender on ${runtime} that is killed ends its anchor, after the items that had arrived`, async () => {
    await using t = await leakCheck();
    const { child, endpoint, id } = await start(t, runtime);
    const ours = await t.messenger({ redialForMs: 0 });
    await ours.connect(endpoint);
    const anchor = streams(ours).anchor();
    await tell(ours, id, "produce", String(anchor.handle));
    for (let i = 0; i < 3_000; i++) assert.equal((await anchor.next()).value, i);
    // A full window has arrived, and waits.
    await until(() => ours.stats().streams!.unreadBytes > 1_000, { message: "unread items" });
    process.kill(child.pid, "SIGKILL");
    await until(() => anchor.senders === 0, { message: "the loss", timeoutMs: 2_000 });
    const rest = within(
      (async () => {
        for (let i = 3_000;; i++) assert.equal((await anchor.next()).value, i);
      })(),
      5_000,
    );
    await assert.rejects(rest, { code: "PEER_DISCONNECTED", peer: id });
    assert.equal((await anchor.next()).done, true);
    await untilNothing(ours);
  });

  test(`a sender on ${runtime} that is frozen is dropped in time, and told when it goes on`, async () => {
    await using t = await leakCheck();
    const { child, endpoint, id } = await start(t, runtime);
    const ours = await t.messenger();
    await ours.connect(endpoint);
    const anchor = streams(ours).anchor({ heartbeatMs: 200 });
    await tell(ours, id, "produce", String(anchor.handle));
    assert.equal((await anchor.next()).value, 0);
    process.kill(child.pid, "SIGSTOP");
    const frozen = performance.now();
    await assert.rejects(
      within(
        (async () => {
          for (;;) await anchor.next();
        })(),
        5_000,
      ),
      (error: { code?: string }) => error.code === "STREAM_DROPPED" || error.code === "PEER_DISCONNECTED",
    );
    assert.ok(performance.now() - frozen < 3_000, `${performance.now() - frozen} ms`);
    process.kill(child.pid, "SIGCONT");
    const { cancelled, left } = await until(async () => {
      const state = await stateAt(ours, id);
      return state.cancelled[0] !== null && state;
    });
    assert.equal(typeof cancelled[0], "string");
    assert.equal(left, 0);
    await untilNothing(ours);
  });

  test(`a reader on ${runtime} that is killed ends its sender, also what waits for it`, async () => {
    await using t = await leakCheck();
    const { child, endpoint, id } = await start(t, runtime);
    const ours = await t.messenger({ redialForMs: 0 });
    await ours.connect(endpoint);
    const sender = await streams(ours).attach(await tell(ours, id, "anchor") as string);
    const sending = (async () => {
      for (let i = 0;; i++) await sender.send(i);
    })();
    const failed = assert.rejects(within(sending, 10_000), { code: "PEER_DISCONNECTED", peer: id });
    assert.equal(await tell(ours, id, "read", 2_000), 1_999);
    process.kill(child.pid, "SIGKILL");
    await failed;
    assert.equal(sender.cancelled.aborted, true);
    await assert.rejects(sender.finalize(), { code: "PEER_DISCONNECTED" });
    await untilNothing(ours);
  });

  test(`one of many senders is killed and started again on ${runtime}, and the others go on`, async () => {
    await using t = await leakCheck();
    const address = `tcp://127.0.0.1:${await freePort()}`;
    const first = await start(t, runtime, address);
    const other = await start(t, runtime);
    // A second connection to the new process, where the old one is dialled still, would be given up.
    const ours = await t.messenger({ redialForMs: 0 });
    await ours.connect(first.endpoint);
    await ours.connect(other.endpoint);
    const anchor = streams(ours).anchor({ senders: "many", heartbeatMs: 200 });
    assert.equal(await tell(ours, first.id, "produce", String(anchor.handle)), 1);
    assert.equal(await tell(ours, other.id, "produce", String(anchor.handle)), 2);
    const next = [0, 0, 0, 0];
    const ends: AnchorFrame<unknown>[] = [];
    const reading = (async () => {
      for await (const frame of anchor) {
        if (frame.type === "item") assert.equal(frame.item, next[frame.sender]!++);
        else ends.push(frame);
      }
    })();
    reading.catch(() => {});
    await until(() => next[1]! > 1_000 && next[2]! > 1_000, { message: "items of both" });
    process.kill(first.child.pid, "SIGKILL");
    await until(() => ends.length === 1, { message: "the loss of the first" });
    assert.deepEqual([ends[0]!.type, ends[0]!.sender], ["dropped", 1]);
    const second = await start(t, runtime, address);
    await ours.connect(second.endpoint);
    assert.equal(await tell(ours, second.id, "produce", String(anchor.handle)), 3);
    const before = next[2]!;
    await until(() => next[3]! > 1_000 && next[2]! > before + 1_000, { message: "items of the others" });
    anchor.cancel();
    await within(reading, 5_000);
    for (const { id } of [other, second]) {
      const state = await until(async () => {
        const now = await stateAt(ours, id);
        return now.cancelled[0] !== null && now.left === 0 && now;
      });
      assert.deepEqual(state.cancelled, ["CANCELLED"]);
    }
    await untilNothing(ours);
  });
  test(`a program on ${runtime} that does not listen lives while it waits for an item`, async () => {
    await using t = await leakCheck();
    const ours = await t.messenger();
    const handles: string[] = [];
    ours.registerHandler(unaryHandler("later", ({ json }) => void handles.push(String(json()))));
    const script = "test/support/peers/anchors_waiter.ts";
    const child = t.use(spawnScript(script, [ours.endpoint], { runtime }));
    await child.waitForLine("waiting");
    // Nothing is under way now. A program that nothing holds would be gone.
    await pause(300);
    const sender = await streams(ours).attach(handles[0]!);
    await sender.send(1);
    await child.waitForLine("got 1");
    await sender.finalize();
    await child.waitForLine("done");
    // The loop was the last that it had to do.
    assert.equal((await within(child.exit, 5_000)).code, 0);
  });
}
