/** Messages of a gibibyte: refused on either side before memory is taken for them, or carried whole. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import process from "node:process";
import { test } from "../support/testing.ts";
import { encodeRequest, ResponseKind } from "../../src/wire/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { rawContext } from "../support/raw_sockets.ts";
import { longRun } from "../support/runtime.ts";
import { start } from "../support/transport_peers.ts";
import { until, within } from "../support/until.ts";
import { hasVitals, vitals } from "../support/vitals.ts";
import { zmtpStart } from "../support/zmtp.ts";

const mebibyte = 1_048_576;
const gibibyte = 1_024 * mebibyte;
const notLinux = hasVitals ? false : "nobody here tells what a process holds";
const notLong = longRun ? notLinux : "takes gigabytes and seconds: --long runs it";

const text = (of: string) => new TextEncoder().encode(of);

/** The beginning of a long frame of so many bytes. */
function longFrame(bytes: number): Uint8Array {
  const start = new Uint8Array(9);
  start[0] = 2;
  new DataView(start.buffer).setBigUint64(1, BigInt(bytes));
  return start;
}

test(
  "a payload of 1 GiB is refused by the sender before memory is taken for it",
  { skip: notLinux },
  async () => {
    await using t = await leakCheck();
    const { endpoint } = await start(t);
    const client = await t.messenger();
    const to = await client.connect(endpoint);
    const rawPayload = new Uint8Array(gibibyte);
    const { sentMessages } = client.stats().transport;
    const before = (await vitals(process.pid)).residentMiB;
    for (const pattern of ["unary", "amSend", "amSync"] as const) {
      await assert.rejects(client[pattern]("echo", { to, rawPayload }), {
        code: "PAYLOAD_TOO_LARGE",
        ran: "no",
        details: { bytes: gibibyte, limit: 64 * mebibyte },
      });
    }
    const grown = (await vitals(process.pid)).residentMiB - before;
    assert.ok(grown < 32, `${grown} MiB more`);
    assert.equal(client.stats().transport.sentMessages, sentMessages);
    assert.equal((await client.unary("echo", { to, rawPayload: text("x") })).length, 1);
  },
);

for (const size of [65 * mebibyte, gibibyte, 1_024 * gibibyte]) {
  test(
    `a frame that announces ${
      size / mebibyte
    } MiB costs its sender the connection, and the receiver no memory`,
    { skip: notLinux },
    async () => {
      await using t = await leakCheck();
      const { child, endpoint } = await start(t);
      const client = await t.messenger();
      const to = await client.connect(endpoint);
      await client.unary("echo", { to, rawPayload: new Uint8Array(100_000) });
      const before = (await vitals(child.pid)).residentMiB;
      for (let i = 0; i < 10; i++) {
        let ended = false;
        const socket = connect(portOf(endpoint), "127.0.0.1");
        t.defer(() => void socket.destroy());
        socket.on("error", () => {}).on("close", () => ended = true).resume();
        // The type and the header of a request, whole; of its payload the length and the first bytes.
        const start = [...zmtpStart(), 1, 1, 0, 1, 3, 1, 2, 3, ...longFrame(size)];
        socket.write(Uint8Array.from(start));
        socket.write(new Uint8Array(200_000));
        await until(() => ended, { message: "the connection to be cut" });
      }
      const grown = (await vitals(child.pid)).residentMiB - before;
      assert.ok(grown < 32, `${grown} MiB more`);
      assert.equal((await client.unary("echo", { to, rawPayload: text("x") })).length, 1);
    },
  );
}

test(
  "1 GiB that is really sent to a peer that takes 64 MiB costs it no memory",
  { skip: notLong },
  async () => {
    await using t = await leakCheck({ settleMs: 10_000 });
    const { child, endpoint } = await start(t);
    const client = await t.messenger();
    const to = await client.connect(endpoint);
    const dealer = (await rawContext(t)).socket("DEALER").set("LINGER", 0);
    dealer.connect(endpoint);
    const header = new Uint8Array(64);
    const id = { id0: 1, id1: 2, id2: 0, id3: 0 };
    const length = encodeRequest(
      header,
      new DataView(header.buffer),
      0,
      ResponseKind.unary,
      id,
      text("echo"),
      null,
    );
    const frames = [Uint8Array.of(0), header.subarray(0, length)];
    dealer.send([...frames, text("x")]);
    await client.unary("echo", { to, rawPayload: text("x") });
    const before = (await vitals(child.pid)).residentMiB;
    dealer.send([...frames, new Uint8Array(gibibyte)]);
    let highest = before;
    for (let i = 0; i < 20; i++) {
      highest = Math.max(highest, (await vitals(child.pid)).residentMiB);
      assert.equal((await client.unary("echo", { to, rawPayload: text("x") })).length, 1);
    }
    assert.ok(highest - before < 32, `${highest - before} MiB more`);
    dealer.close({ lingerMs: 0 });
  },
);

test("1 GiB goes there and back where both sides allow it", { skip: notLong }, async () => {
  await using t = await leakCheck({ settleMs: 10_000 });
  const options = { maxPayloadBytes: gibibyte };
  const { endpoint } = await start(t, options);
  const client = await t.messenger(options);
  const to = await client.connect(endpoint);
  const rawPayload = new Uint8Array(gibibyte);
  const view = new DataView(rawPayload.buffer);
  for (let at = 0; at < gibibyte; at += mebibyte) view.setUint32(at, at / mebibyte);
  const answer = await within(client.unary("echo", { to, rawPayload, timeoutMs: 60_000 }), 60_000);
  assert.equal(answer.length, gibibyte);
  const got = new DataView(answer.buffer, answer.byteOffset, answer.length);
  for (let at = 0; at < gibibyte; at += mebibyte) assert.equal(got.getUint32(at), at / mebibyte);
  await assert.rejects(client.unary("echo", { to, rawPayload: new Uint8Array(gibibyte + 1) }), {
    code: "PAYLOAD_TOO_LARGE",
  });
});
