/** Messages that never end, and messages of too many parts, over connections that are no socket of libzmq's. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket as TcpSocket } from "node:net";
import process from "node:process";
import { curveKeyPair, type LogFields, type Messenger, unaryHandler } from "../../src/mod.ts";
import type { Socket, TcpConnections } from "../../src/libzmq/mod.ts";
import { UnfinishedMessages } from "../../src/transport/unfinished.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { rawContext } from "../support/raw_sockets.ts";
import { test } from "../support/testing.ts";
import { until, within } from "../support/until.ts";
import { zmtpCommand, zmtpGreeting, zmtpStart } from "../support/zmtp.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";
import { bytes, fails, pair, text, turn } from "./messenger_kit.ts";

const mebibyte = 2 ** 20;
const skip = process.platform !== "linux" && "only Linux tells how much a connection has received";

/** A part of 64 KiB, with another one behind it. */
const part = new Uint8Array(9 + 65_536);
part[0] = 3;
new DataView(part.buffer).setBigUint64(1, 65_536n);

const piece = new Uint8Array(64 * 1024);

/** A stranger who has introduced itself by hand, or says something else first. */
async function stranger(
  t: LeakCheck,
  server: Messenger,
  start: Uint8Array = zmtpStart(),
): Promise<{ socket: TcpSocket; ended: () => boolean }> {
  const socket = connect(Number(server.endpoint.split(":").at(-1)), "127.0.0.1");
  t.defer(() => void socket.destroy());
  const ended = watchEnd(socket);
  await once(socket, "connect");
  let heard = 0;
  socket.on("data", (data) => void (heard += data.length));
  socket.write(start);
  // libzmq cuts a connection on which too much comes before it has said READY itself.
  await until(() => heard > 64 || (start.length === 64 && heard === 64));
  return { socket, ended };
}

function watchEnd(socket: TcpSocket): () => boolean {
  let ended = false;
  const end = (): void => void (ended = true);
  // Without a reader there is no end.
  socket.resume().on("close", end).on("end", end).on("error", end);
  return () => ended;
}

/** Writes parts until the connection ends; returns how many MiB that were. */
async function writeForever(socket: TcpSocket, ended: () => boolean): Promise<number> {
  let written = 0;
  for (; !ended() && written < 400 * mebibyte; written += part.length) {
    // The victim lives in this process too, and has to have its turns.
    if (written % (16 * part.length) === 0) await turn();
    if (!socket.write(part)) await until(() => ended() || !socket.writableNeedDrain, { intervalMs: 1 });
  }
  return written / mebibyte;
}

test("a message that never ends costs its own connection only", { skip }, async () => {
  await using t = await leakCheck();
  const options = { ipc: false, maxPayloadBytes: mebibyte };
  const { server, client, peer } = await pair(t, { server: options, client: { ipc: false } });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const { socket, ended } = await stranger(t, server);
  const written = await writeForever(socket, ended);
  assert.ok(written < 200, `${written} MiB were taken`);
  await until(() => server.stats().transport.drops.unfinished === 1);
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("still here") })), "still here");
});

test("a server that answers with a message that never ends is given up", { skip }, async () => {
  await using t = await leakCheck();
  const client = await t.messenger({ listen: false, ipc: false, maxPayloadBytes: mebibyte });
  // One for each time that it is dialled.
  const written: Promise<number>[] = [];
  const sockets = new Set<TcpSocket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const ended = watchEnd(socket);
    const start = zmtpStart();
    // The type of the socket: a ROUTER here.
    start.set(bytes("ROUTER"), start.length - 6);
    let heard = 0;
    socket.on("data", (data) => void (heard += data.length)).write(start);
    written.push(until(() => heard > 64 || ended()).then(() => writeForever(socket, ended)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as { port: number };
  await fails(client.connect(`tcp://127.0.0.1:${port}`, { timeoutMs: 1_000 }), { code: /PEER_/ });
  await until(() => (client.stats().transport.drops.unfinished ?? 0) >= 1);
  for (const mebibytes of await within(Promise.all(written), 5_000)) assert.ok(mebibytes < 200);
});

for (const [kind, secure] of [["with", true], ["without", false]] as const) {
  test(
    `handshakes ${kind} keys that go on and on take little memory, and keep nobody out`,
    { skip },
    async () => {
      await using t = await leakCheck();
      const [ours, theirs] = [await curveKeyPair(), await curveKeyPair()];
      const cuts: number[] = [];
      const warn = (_text: string, fields?: LogFields) => void cuts.push(Number(fields?.["bytes"] ?? 0));
      const server = await t.messenger({
        ipc: false,
        logger: { debug() {}, info() {}, warn, error() {} },
        // Without keys a quarter of it is what all of them may take together.
        ...(secure ? { curve: { ...ours, allow: [theirs.publicKey] } } : { maxInFlightBytes: 8 * mebibyte }),
      });
      server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
      const strangers: (Awaited<ReturnType<typeof stranger>> & { written: number })[] = [];
      for (let i = 0; i < 8; i++) {
        const made = await stranger(t, server, zmtpGreeting(secure ? "CURVE" : "NULL"));
        made.socket.write(zmtpCommand(24 * mebibyte));
        strangers.push({ ...made, written: 0 });
      }
      // Little in each turn: between two looks of the server, whose timers take turns with this one, little comes then.
      let most = 0;
      const timer = setInterval(() => {
        for (const each of strangers) {
          if (each.ended() || each.written >= 22 * mebibyte || each.socket.writableNeedDrain) continue;
          each.socket.write(piece);
          each.written += piece.length;
        }
        const together = strangers.reduce((sum, { ended, written }) => sum + (ended() ? 0 : written), 0);
        most = Math.max(most, together);
      }, 10);
      t.defer(() => clearInterval(timer));
      // Without keys those stay that are small enough together.
      const cut = secure ? 8 : 7;
      await until(() => (server.stats().transport.drops.unfinished ?? 0) >= cut, { timeoutMs: 10_000 });
      const client = await t.messenger({ listen: false, ipc: false, ...(secure ? { curve: theirs } : {}) });
      const to = await client.connect(server.endpoint, secure ? { serverKey: ours.publicKey } : {});
      assert.equal(text(await client.unary("echo", { to, rawPayload: bytes("welcome") })), "welcome");
      // Each was cut when it had sent more than a handshake takes, or all together more than they may.
      const [alone, together] = secure ? [2, 8] : [4, 6];
      assert.ok(Math.max(...cuts) < alone * mebibyte, `${cuts}`);
      assert.ok(most < together * mebibyte, `${most}`);
    },
  );
}

for (const [kind, secure] of [["with", true], ["without", false]] as const) {
  test(`a large first message of a peer ${kind} keys is no handshake`, { skip }, async () => {
    await using t = await leakCheck();
    const [ours, theirs] = [await curveKeyPair(), await curveKeyPair()];
    const curve = secure ? { curve: { ...ours, allow: [theirs.publicKey] } } : {};
    const server = await t.messenger({ ipc: false, ...curve });
    const socket = (await rawContext(t)).socket("DEALER").set("LINGER", 0);
    if (secure) {
      socket.set("CURVE_SERVERKEY", ours.publicKey);
      socket.set("CURVE_PUBLICKEY", theirs.publicKey).set("CURVE_SECRETKEY", theirs.secretKey);
    }
    socket.connect(server.endpoint);
    // It takes longer than the time between two looks.
    socket.send([Uint8Array.of(0), new Uint8Array(40), new Uint8Array(60 * mebibyte)]);
    await until(() => server.stats().transport.receivedMessages === 1, { timeoutMs: 10_000 });
    assert.equal(server.stats().transport.drops.unfinished, undefined);
  });
}

test("large payloads that do end are no unfinished messages", { skip }, async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { ipc: false }, client: { ipc: false } });
  server.registerHandler(unaryHandler("size", ({ payload }) => bytes(String(payload.length))));
  const rawPayload = new Uint8Array(32 * mebibyte);
  for (let i = 0; i < 4; i++) {
    assert.equal(text(await client.unary("size", { to: peer, rawPayload })), String(rawPayload.length));
  }
  assert.equal(server.stats().transport.drops.unfinished, undefined);
});

test("a message of four parts ends its connection, and is counted", { skip }, async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { ipc: false }, client: { ipc: false } });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const { socket, ended } = await stranger(t, server);
  socket.write(Uint8Array.of(1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0));
  await until(ended);
  assert.equal(server.stats().transport.drops.frameCount, 1);
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("still here") })), "still here");
});

test(
  "a message of half a million empty parts ends its connection, and is thrown away while others have their turn",
  {
    skip,
  },
  async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { server: { ipc: false }, client: { ipc: false } });
    const other = await t.messenger({ ipc: false });
    for (const one of [server, other]) one.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    const to = await client.connect(other.endpoint);
    const { socket, ended } = await stranger(t, server);
    const parts = new Uint8Array(mebibyte);
    for (let i = 0; i < parts.length; i += 2) parts[i] = 1;
    parts[parts.length - 2] = 0;
    socket.write(parts);
    await until(() => server.stats().transport.drops.typeLength === 1, { intervalMs: 0 });
    // It waits until the last part was thrown away, since both came to one socket.
    let waits = true;
    const behind = client.unary("echo", { to: peer, rawPayload: bytes("behind") }).finally(() =>
      waits = false
    );
    let answered = 0;
    let ticks = 0;
    const ticking = setInterval(() => void ticks++, 1);
    t.defer(() => clearInterval(ticking));
    for (; waits; answered++) await client.unary("echo", { to });
    assert.equal(text(await behind), "behind");
    assert.ok(answered > 5 && ticks > 5, `${answered} echoes of another socket and ${ticks} ticks meanwhile`);
    await until(ended);
  },
);

test("a descriptor that belongs to another connection by now is left alone, and nothing counts as cut", () => {
  const clock = new FakeClock();
  const kernel = { who: "a", received: 0, ended: [] as number[] };
  const connections = {
    name: () => kernel.who,
    received: () => kernel.received,
    shutdown: (fd: number) => void kernel.ended.push(fd),
  } as unknown as TcpConnections;
  const cuts: number[] = [];
  const watched = new UnfinishedMessages({
    clock,
    connections,
    limitBytes: mebibyte,
    maxFirstBytes: 1_024 * mebibyte,
    secure: false,
    drainMonitors: () => {},
    cut: (bytes) => void cuts.push(bytes),
  });
  for (const [who, how] of [["b", "look"], ["b", "end"], ["a", "look"], ["a", "end"]] as const) {
    Object.assign(kernel, { who: "a", received: 0, ended: [] });
    cuts.length = 0;
    watched.add(7, { closed: false, readable: false } as unknown as Socket, () => 0);
    Object.assign(kernel, { who, received: 100 * mebibyte });
    if (how === "look") clock.advance(100);
    else watched.end(7);
    const own = who === "a";
    assert.deepEqual([kernel.ended, cuts.length], [own ? [7] : [], own && how === "look" ? 1 : 0]);
  }
  watched.close();
});
