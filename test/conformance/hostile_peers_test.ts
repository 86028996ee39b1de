/** Mutated frames from a server that we have called, over the connection that we dialled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newInstanceId } from "../../src/core/mod.ts";
import { unaryHandler } from "../../src/mod.ts";
import { allFeatures } from "../../src/wire/mod.ts";
import type { Socket } from "../../src/libzmq/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import {
  framesOf,
  type HostileMessage,
  hostileMessages,
  systematicMessages,
} from "../support/hostile_frames.ts";
import { hex, readRequest, responseHeader, unhex } from "../support/plain_velo.ts";
import { prng } from "../support/prng.ts";
import { Inbox, rawContext } from "../support/raw_sockets.ts";
import { until } from "../support/until.ts";
import { bytes, pair, text } from "./messenger_kit.ts";

const random = 5_000;

/** Everything systematic, and random messages; without what an honest peer may say to end a connection. */
function* messages(name: string): Generator<HostileMessage> {
  const next = hostileMessages(prng(name));
  const all = function* (): Generator<HostileMessage> {
    yield* systematicMessages();
    for (let i = 0; i < random; i++) yield next();
  };
  for (const message of all()) {
    // Bombs of a hundred kilobytes have their tests; here they would only take time.
    // A fourth part ends the connection, for which the process test of hostile peers has strangers enough.
    if (message.payload.length > 10_000 || message.parts === 0 || message.parts > 3) continue;
    if (!String.fromCharCode(...message.header).includes("_goodbye")) yield message;
  }
}

/** Names the sender in the header, where a header has an id: else every request would be a stranger's. */
function asWorker(message: HostileMessage, worker: string): HostileMessage {
  const [type] = message.typeFrame;
  const at = type === 0 || type === 4 ? 2 : -1;
  if (at < 0 || message.header.length < at + 16) return message;
  const header = message.header.slice();
  header.set(unhex(worker), at);
  return { ...message, header };
}

async function sendAll(
  name: string,
  worker: string,
  send: (frames: Uint8Array[]) => boolean,
  swallow: () => void,
): Promise<void> {
  let sent = 0;
  for (const message of messages(name)) {
    const frames = framesOf(asWorker(message, worker));
    await until(() => send(frames), { intervalMs: 1 });
    if (++sent % 200 === 0) {
      swallow();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** A server of our kind, by hand: it answers `_hello`, and then whatever the test says. */
async function badServer(t: LeakCheck): Promise<{
  endpoint: string;
  requests: { from: Uint8Array; name: string; id: string }[];
  send: (to: Uint8Array, frames: readonly Uint8Array[]) => boolean;
  socket: Socket;
}> {
  const socket = (await rawContext(t)).socket("ROUTER").set("LINGER", 0).set("ROUTER_MANDATORY", 1);
  const endpoint = socket.bind("tcp://127.0.0.1:*");
  const instanceId = newInstanceId();
  const requests: { from: Uint8Array; name: string; id: string }[] = [];
  const send = (to: Uint8Array, frames: readonly Uint8Array[]): boolean => socket.send([to, ...frames]);
  new Inbox(socket, ([from, type, header]) => {
    if (type?.[0] !== 0) return;
    const { name, id } = readRequest(hex(header!));
    if (name !== "_hello") return void requests.push({ from: from!, name, id });
    const reply = { handlers: ["echo"], zeromesh: { v: 1, features: allFeatures, instance_id: instanceId } };
    send(from!, [Uint8Array.of(1), unhex(responseHeader(id)), bytes(JSON.stringify(reply))]);
  });
  return { endpoint, requests, send, socket };
}

test("a server that answers its caller with mutated frames gets nothing but its own calls wrong", async () => {
  await using t = await leakCheck();
  const { client, server, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const bad = await badServer(t);
  const to = await client.connect(bad.endpoint);
  const call = client.unary("held", { to });
  const other = client.unary("echo", { to: peer, rawPayload: bytes("meanwhile") });
  const { from, id } = await until(() => bad.requests.find(({ name }) => name === "held"));
  assert.equal(text(await other), "meanwhile");
  await sendAll("a bad server", id.slice(0, 16), (frames) => bad.send(from, frames), () => {});
  assert.equal(client.stats().calls.pending, 1);
  bad.send(from, [Uint8Array.of(1), unhex(responseHeader(id)), bytes("true")]);
  assert.equal(text(await call), "true");
  const { drops } = client.stats().transport;
  for (const reason of ["headerTruncated", "schemaVersion", "batchTruncated", "replyUnknown"] as const) {
    assert.ok((drops[reason] ?? 0) > 0, `${reason}: ${JSON.stringify(drops)}`);
  }
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("x") })), "x");
});
