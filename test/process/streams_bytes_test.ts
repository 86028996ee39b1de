/** Streams of bytes between two processes, of which one may stop reading or die. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "../support/testing.ts";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import type { StreamStats } from "../../src/streams/mod.ts";
import { terminalFrames } from "../../src/streams/wire/frame.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { pour, Reading, streamsOf, write } from "../support/streams_kit.ts";
import { until, within } from "../support/until.ts";

const program = "test/support/peers/streams_peer.ts";
const { finalized } = terminalFrames;
const text = (value: bigint) => new TextEncoder().encode(String(value));

async function start(t: LeakCheck, runtime: RuntimeName) {
  const child = t.use(spawnScript(program, [], { runtime }));
  const [, endpoint, id] = (await child.waitForLine("ready")).split(" ");
  return { child, endpoint: endpoint!, id: id as InstanceId };
}

/** A stream to the other process and one back, which its frames return by. */
async function echoing(client: Messenger, to: InstanceId) {
  const session = streamsOf(client).newId() * 2n;
  const reading = new Reading(client, to, { session: session + 1n });
  await client.unary("echo", { to, rawPayload: text(session) });
  return { ...write(client, to, { session }), reading };
}

function frameOf(i: number): Uint8Array {
  const frame = new Uint8Array(i % 1_000 === 0 ? 40_000 : 64);
  new DataView(frame.buffer).setUint32(0, i);
  return frame;
}

interface Ends {
  readonly writers: readonly (readonly string[])[];
  readonly readers: readonly (readonly [reason: string | null, times: number])[];
  readonly stats: StreamStats;
}

async function endsAt(client: Messenger, to: InstanceId): Promise<Ends> {
  return JSON.parse(new TextDecoder().decode(await client.unary("ends", { to })));
}

for (const runtime of allRuntimes) {
  test(`bytes go to ${runtime} through one stream and come back through another, in order`, async () => {
    await using t = await leakCheck();
    const { endpoint, id } = await start(t, runtime);
    const client = await t.messenger();
    await client.connect(endpoint);
    const { writer, reading, ends } = await echoing(client, id);
    const total = 20_000;
    const sending = pour(writer, (i) => i < total ? frameOf(i) : null).then(() => writer.end(finalized));
    for (let i = 0; i < total; i++) {
      const frame = await reading.next();
      assert.ok(frame !== null && frame.length === frameOf(i).length, `frame ${i}`);
      assert.equal(new DataView(frame.buffer, frame.byteOffset).getUint32(0), i);
    }
    await sending;
    assert.equal((await reading.end()).reason, "finalized");
    assert.deepEqual(ends, []);
    const { readers, writers, stats } = await endsAt(client, id);
    assert.deepEqual([readers, writers], [[["finalized", 1]], [[]]]);
    assert.deepEqual([stats.readers, stats.writers, stats.unreadBytes], [0, 0, 0]);
  });

  test(`a reader on ${runtime} that stops reading stops its writer, and no other stream or call`, async () => {
    await using t = await leakCheck();
    const { endpoint, id } = await start(t, runtime);
    const client = await t.messenger();
    await client.connect(endpoint);
    await client.unary("halt", { to: id, rawPayload: text(1_001n) });
    const halted = write(client, id, { session: 1_001n });
    const sent = pour(halted.writer, () => frameOf(1));
    const { writer, reading } = await echoing(client, id);
    const total = 10_000;
    void pour(writer, (i) => i < total ? frameOf(i) : null).then(() => writer.end(finalized));
    for (let i = 0; i < total; i++) {
      assert.notEqual(await reading.next(), null);
      if (i % 1_000 === 0) await client.unary("ping", { to: id });
    }
    const { stats } = await endsAt(client, id);
    assert.equal(stats.unreadBytes, 1_024 * 64);
    assert.equal(halted.writer.open, false);
    client.disconnect(id);
    assert.equal(await within(sent, 5_000, "the halted writer's end"), 1_024);
    assert.deepEqual(halted.ends.map(({ reason }) => reason), ["peerLost"]);
  });

  test(`when ${runtime} is killed, streams in both directions end once, after what had arrived`, async () => {
    await using t = await leakCheck();
    const { child, endpoint, id } = await start(t, runtime);
    const client = await t.messenger({ redialForMs: 0 });
    await client.connect(endpoint);
    const { writer, reading, ends } = await echoing(client, id);
    const sending = pour(writer, frameOf);
    for (let i = 0; i < 2_000; i++) await reading.next();
    const killed = performance.now();
    process.kill(child.pid, "SIGKILL");
    const end = await within(reading.end(), 5_000, "the reader's end");
    await within(sending, 5_000, "the writer's end");
    assert.ok(performance.now() - killed < 1_000, `${performance.now() - killed} ms`);
    assert.equal(end.reason, "peerLost");
    assert.deepEqual([ends.map(({ reason }) => reason), reading.ends], [["peerLost"], 1]);
    const { readers, writers, unreadBytes } = client.stats().streams!;
    assert.deepEqual({ readers, writers, unreadBytes }, { readers: 0, writers: 0, unreadBytes: 0 });
  });

  test(`when an instance ends, its streams end once at ${runtime}, which goes on with others`, async () => {
    await using t = await leakCheck();
    const { endpoint, id } = await start(t, runtime);
    const watching = await t.messenger();
    await watching.connect(endpoint);
    const client = await t.messenger();
    await client.connect(endpoint);
    const { writer } = await echoing(client, id);
    const sending = pour(writer, frameOf);
    await until(async () => (await endsAt(watching, id)).stats.itemsReceived > 0);
    await client.close({ timeoutMs: 0 });
    await sending;
    const ended = await until(async () => {
      const ends = await endsAt(watching, id);
      return ends.stats.readers + ends.stats.writers === 0 && ends.readers[0]![0] !== null ? ends : undefined;
    });
    assert.deepEqual([ended.readers, ended.writers], [[["peerLost", 1]], [["peerLost"]]]);
    const again = await echoing(watching, id);
    again.writer.end(finalized);
    assert.equal((await again.reading.end()).reason, "finalized");
  });
}
