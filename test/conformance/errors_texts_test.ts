/** Tests of the texts of errors whose cause is not the obvious one. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { curveKeyPair, service, unaryHandler } from "../../src/mod.ts";
import { openResources } from "../../src/libzmq/mod.ts";
import { noCurve } from "../support/curve.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { Kind, PlainVelo, requestHeader, responseHeader, utf8 } from "../support/plain_velo.ts";
import { test } from "../support/testing.ts";
import { pause, until, within } from "../support/until.ts";
import { fails, keptLog } from "./messenger_kit.ts";

/** A port where every connection is closed as soon as it is accepted, or whatever else is done with it. */
async function closingPort(
  t: LeakCheck,
  accept: (socket: Socket) => void = (socket) => void socket.destroy(),
): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.defer(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : assert.fail("no port");
}

test("an address that ends every handshake is given up before the time is over, and the error does not say it was", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const endpoint = `tcp://127.0.0.1:${await closingPort(t)}`;
  const error = await fails(client.connect(endpoint, { timeoutMs: 20_000 }), { code: "PEER_UNREACHABLE" });
  assert.doesNotMatch(error.message, /within|20000/);
  assert.match(error.message, /none of 3 handshakes was finished/);
  assert.doesNotMatch(error.message, /server key/);
});

/** Ends a ZMTP handshake as soon as it has read a whole greeting, before its own has said which mechanism it uses. */
function endsFirst(mechanism: string): (socket: Socket) => void {
  const greeting = new Uint8Array(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
  greeting.set(new TextEncoder().encode(mechanism), 12);
  return (socket) => {
    let size = 0;
    socket.write(greeting.subarray(0, 11));
    // Who says no more than that it speaks ZMTP gets to hear the rest.
    void pause(50).then(() => socket.destroyed || socket.write(greeting.subarray(11)));
    socket.on("data", (bytes: Uint8Array) => {
      size += bytes.length;
      if (size >= greeting.length) socket.destroy();
    });
  };
}

test("an instance without keys is FORBIDDEN also when the other end breaks off each handshake before it names its mechanism", async () => {
  await using t = await leakCheck();
  const client = await t.messenger({ listen: false });
  const wants = `tcp://127.0.0.1:${await closingPort(t, endsFirst("CURVE"))}`;
  for (const timeoutMs of [1_000, 20_000]) {
    await fails(client.connect(wants, { timeoutMs }), {
      code: "FORBIDDEN",
      ran: "no",
      peer: wants,
      message: `Cannot connect to ${wants}: it wants CURVE keys, and this instance has none (curve)`,
    });
  }
  const wantsNone = `tcp://127.0.0.1:${await closingPort(t, endsFirst("NULL"))}`;
  const other = await fails(client.connect(wantsNone), { code: "PEER_UNREACHABLE", ran: "no" });
  assert.match(other.message, /none of 3 handshakes was finished.*it speaks no ZMTP, wants CURVE keys/);
  assert.equal(client.stats().transport.dialled, 0);
});

test("an instance that closes while it asks what is wanted of it does not wait for the answer", async () => {
  await using t = await leakCheck();
  await t.messenger();
  const before = openResources().sockets;
  const client = await t.messenger({ listen: false });
  let connections = 0;
  const port = await closingPort(t, (socket) => {
    // The second one asks, and hears nothing.
    if (++connections === 1) socket.destroy();
    else t.defer(() => void socket.destroy());
  });
  const attempt = client.connect(`tcp://127.0.0.1:${port}`, { timeoutMs: 20_000 });
  attempt.catch(() => {});
  await until(() => connections === 2);
  await client.close();
  assert.equal(openResources().sockets, before);
  await fails(attempt, { code: "CLOSED" });
});

test("an instance that closes during its hello to a silent peer does not wait for that to leave", async () => {
  await using t = await leakCheck();
  let connections = 0;
  const port = await closingPort(t, (socket) => {
    connections++;
    t.defer(() => void socket.destroy());
  });
  const client = await t.messenger({ listen: false });
  const attempt = client.connect(`tcp://127.0.0.1:${port}`, { timeoutMs: 20_000 });
  attempt.catch(() => {});
  await until(() => connections === 1);
  // A socket that lingers would do so for a second.
  await within(client.close(), 800, "the end of the instance");
  await fails(attempt, { code: "CLOSED" });
});

test("a call to an unreachable peer says that it found no connection, not that the peer did not answer it", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const gone = await t.messenger();
  const info = gone.peerInfo();
  await gone.close();
  const to = client.registerPeer(info);
  const expected = {
    code: "TIMEOUT",
    ran: "no",
    peer: to,
    message: `Call of "x" on peer ${to} found no connection within 100 ms`,
  };
  await fails(client.unary("x", { to, timeoutMs: 100 }), expected);
  await fails(client.unary("x", { to, timeoutMs: 0 }), {
    code: "TIMEOUT",
    message: `Call of "x" on peer ${to} was not sent within 0 ms`,
  });
  client.disconnect(to);
});

test("an instance without keys is FORBIDDEN where keys are required, over TCP, over IPC and by peer info", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ curve: { ...await curveKeyPair(), allow: "any" } });
  const client = await t.messenger();
  for (const endpoint of server.endpoints) {
    const error = await fails(client.connect(endpoint, { timeoutMs: 20_000 }), {
      code: "FORBIDDEN",
      ran: "no",
    });
    assert.match(error.message, /wants CURVE keys/);
  }
  const to = client.registerPeer(server.peerInfo());
  await fails(client.unary("x", { to }), {
    code: "FORBIDDEN",
    ran: "no",
    message: /uses CURVE, and this instance has no keys/,
  });
});

test(
  "a service whose instances all refuse this one is FORBIDDEN at once, and says why",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const discovery = new StaticDiscovery();
    const pairs = await Promise.all([curveKeyPair(), curveKeyPair()]);
    const worker = await t.messenger({ discovery, services: ["work"], curve: { ...pairs[0], allow: [] } });
    worker.registerHandler(unaryHandler("whoami", () => new Uint8Array()));
    const stranger = await t.messenger({ discovery, curve: { ...pairs[1], allow: "any" } });
    const without = await t.messenger({ discovery });
    const cases = [[stranger, /refused the key of this instance/], [
      without,
      /uses CURVE, and this instance has no keys/,
    ]] as const;
    for (const [client, why] of cases) {
      for (const timeoutMs of [2_000, 20_000]) {
        const call = client.unary("whoami", { to: service("work"), timeoutMs });
        const error = await fails(call, { code: "FORBIDDEN", ran: "no" }, 1_900);
        assert.match(
          error.message,
          /^Cannot call service "work": none of its instances \(1\) can be called now/,
        );
        assert.match(error.message, why);
      }
    }
  },
);

test("an ACK that has no time at all is named by its error", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  for (const id of ["mine", undefined]) {
    const ack = client.registerAck({ id, timeoutMs: 0 });
    assert.ok(ack.id.length > 0);
    await fails(ack.received, { code: "TIMEOUT", message: `ACK ${ack.id} did not come within 0 ms` });
  }
  assert.equal(client.stats().acks.waiting, 0);
});

test("a payload that could not be fetched because its sender went is reported so, and not by what was to follow", async () => {
  await using t = await leakCheck();
  const { logger, lines } = keptLog();
  const server = await t.messenger({ logger });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  const worker = (server.peers()[0]!.workerId << 64n) | 7n;
  const value = utf8(worker.toString());
  const map = `81a3${utf8("_rv")}d9${(value.length / 2).toString(16)}${value}`;
  node.send(server.endpoint, 0, requestHeader(Kind.unary, node.nextId(), "echo", map));
  const acquire = await node.nextRequest("_rv_acquire");
  const ready = { lease_id: 3, transfer_id: 4, total_len: 4, chunk_size: 4, chunk_count: 1 };
  node.send(server.endpoint, 1, responseHeader(acquire.request.id), { Ready: ready });
  await node.nextRequest("_rv_pull");
  await node.close();
  const line = await until(() => lines.find(({ message }) => message === "a payload could not be fetched"));
  assert.match(String(line.fields["why"]), /^Peer .* was lost while "_rv_pull" was under way/);
});
