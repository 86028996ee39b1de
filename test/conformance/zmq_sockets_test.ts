/** `zeromesh/zmq`: programs in the manner of the npm package. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as zmq from "zeromesh/zmq";
import { test } from "../support/testing.ts";
import { pause } from "../support/until.ts";
import { failure, linked } from "./zmq_sockets_kit.ts";

type Both = zmq.Socket & zmq.Readable & zmq.Writable;

test("a message of one part or of several arrives as buffers of its own", async () => {
  const [push, pull] = await linked(new zmq.Push(), new zmq.Pull());
  await push.send("one");
  const [one] = await pull.receive();
  assert.ok(Buffer.isBuffer(one));
  assert.equal(one.toString(), "one");
  assert.equal(one.buffer.byteLength, 3);
  await push.send([
    "a",
    new Uint8Array([98]),
    null,
    12,
    new Uint16Array([1]).buffer,
    new DataView(new ArrayBuffer(2)),
  ]);
  const parts = await pull.receive();
  assert.deepEqual(parts.map((part) => [...part]), [[97], [98], [], [49, 50], [1, 0], [0, 0]]);
  push.close();
  pull.close();
});

test("a second receive and a second blocked send are refused, and end with the socket", async () => {
  const dealer = new zmq.Dealer({ immediate: true, linger: 0 });
  const reading = failure(dealer.receive());
  const writing = failure(dealer.send("x"));
  assert.throws(() => dealer.receive(), { code: "EBUSY" });
  assert.throws(() => dealer.send("y"), { code: "EBUSY" });
  dealer.close();
  assert.equal((await reading).code, "EAGAIN");
  assert.equal((await writing).code, "EAGAIN");
  assert.equal((await failure(() => dealer.receive())).code, "EBADF");
  assert.equal(dealer.closed, true);
});

test("for await receives until the socket is closed", async () => {
  const [push, pull] = await linked(new zmq.Push(), new zmq.Pull());
  const count = 2_000;
  const sending = (async () => {
    for (let i = 0; i < count; i++) await push.send(String(i));
  })();
  let next = 0;
  for await (const [part] of pull) {
    assert.equal(String(part), String(next++));
    if (next === count) void pause(5).then(() => pull.close());
  }
  await sending;
  assert.equal(next, count);
  push.close();
});

for (
  const [name, make] of Object.entries({
    "Request and Reply": (): [Both, Both] => [new zmq.Reply(), new zmq.Request()],
    "Dealer and Dealer": (): [Both, Both] => [new zmq.Dealer(), new zmq.Dealer()],
    "Pair and Pair": (): [Both, Both] => [new zmq.Pair(), new zmq.Pair()],
  })
) {
  test(`${name} talk both ways`, async () => {
    const [server, client] = await linked(...make());
    const serving = (async () => {
      for await (const [part] of server) await server.send(`${part}!`);
    })();
    for (let i = 0; i < 100; i++) {
      await client.send(String(i));
      const [answer] = await client.receive();
      assert.equal(String(answer), `${i}!`);
    }
    server.close();
    client.close();
    await serving;
  });
}

test("a socket that cannot send says so to a program without types", async () => {
  for (const socket of [new zmq.Subscriber(), new zmq.Pull()]) {
    const { send } = socket as unknown as zmq.Push;
    assert.throws(() => (send as unknown as () => void).call(socket), {
      name: "TypeError",
      message: "Message must be present",
    });
    assert.equal((await failure(send.call(socket as unknown as zmq.Push, "x"))).code, "ENOTSUP");
    socket.close();
  }
});
