/** Sockets and contexts of `zeromesh/zmq` that are closed in the middle of something. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "../support/testing.ts";
import { longRun } from "../support/runtime.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { pause, within } from "../support/until.ts";
import * as zmq from "zeromesh/zmq";

const timedOut = { code: "EAGAIN", message: "Operation was not possible or timed out" };

test("a socket that is closed ends its pending receive, send and loop", async () => {
  await using _ = await socketCheck();
  const reader = new zmq.Dealer();
  const received = reader.receive();
  reader.close();
  await assert.rejects(received, timedOut);
  const writer = new zmq.Dealer();
  const sent = writer.send("nobody is there");
  writer.close();
  await assert.rejects(sent, timedOut);
  const looped = new zmq.Dealer();
  setTimeout(() => looped.close(), 5);
  for await (const message of looped) assert.fail(String(message));
  for (const socket of [reader, writer, looped]) {
    assert.ok(socket.closed && !socket.readable && !socket.writable);
    await assert.rejects(async () => await socket.receive(), {
      code: "EBADF",
      message: "Socket is closed",
    });
    await assert.rejects(async () => await socket.send("x"), { code: "EBADF" });
    socket.close();
  }
});

test("the end of a context ends what its sockets are waiting for, with ETERM", async () => {
  await using _ = await socketCheck();
  const context = new zmq.Context();
  const [reader, writer, looped, observed] = [1, 2, 3, 4].map(() => new zmq.Dealer({ context, linger: 0 }));
  const loop = async () => {
    for await (const message of looped!) assert.fail(String(message));
  };
  const ends = [
    assert.rejects(reader!.receive(), { code: "ETERM" }),
    assert.rejects(writer!.send("nobody is there"), { code: "ETERM" }),
    assert.rejects(loop(), { code: "ETERM" }),
  ];
  const events = observed!.events.receive();
  await within(context[Symbol.asyncDispose](), 5_000, "the context to end");
  await within(Promise.all(ends), 5_000, "the operations to end");
  assert.deepEqual(await within(events, 5_000, "the last event"), { type: "end" });
  for (const socket of [reader, writer, looped, observed]) assert.equal(socket!.closed, true);
  assert.throws(() => new zmq.Dealer({ context }), { code: "EFAULT" });
});

test("sockets and contexts are disposed of by using", async () => {
  await using _ = await socketCheck();
  let outer: zmq.Pair;
  {
    await using context = new zmq.Context();
    await using one = new zmq.Pair({ context });
    using other = new zmq.Pair({ context });
    await one.bind("inproc://using");
    other.connect("inproc://using");
    await other.send("hello");
    assert.equal(String(await one.receive()), "hello");
    outer = one;
  }
  assert.equal(outer.closed, true);
});

test("what was sent before close arrives, as long as the linger lasts", async () => {
  await using _ = await socketCheck();
  const pull = new zmq.Pull();
  await pull.bind("tcp://127.0.0.1:*");
  const push = new zmq.Push();
  push.connect(pull.lastEndpoint!);
  for (let i = 0; i < 100; i++) await push.send(String(i));
  push.close();
  for (let i = 0; i < 100; i++) assert.equal(String(await pull.receive()), String(i));
  pull.close();
});

test("too many sockets of a context are refused, and others can be opened after one is closed", async () => {
  await using _ = await socketCheck();
  await using context = new zmq.Context({ maxSockets: 10 });
  const sockets: zmq.Dealer[] = [];
  assert.throws(() => {
    for (let i = 0; i < 20; i++) sockets.push(new zmq.Dealer({ context }));
  }, { code: "EMFILE", message: "Too many open file descriptors" });
  assert.ok(sockets.length > 5, `${sockets.length} sockets were opened`);
  for (const socket of sockets) socket.close();
  await within(
    (async () => {
      // libzmq ends sockets on a thread of its own.
      for (;;) {
        try {
          return new zmq.Dealer({ context }).close();
        } catch {
          await pause(5);
        }
      }
    })(),
    5_000,
    "a free place",
  );
});

const cycles = longRun ? 100_000 : 1_000;

test(`${cycles} sockets that bind, connect and close leave no memory and no descriptors behind`, async () => {
  await using _ = await socketCheck();
  const cycle = async (i: number): Promise<void> => {
    const [pull, push] = [new zmq.Pull({ linger: 0 }), new zmq.Push({ linger: 0 })];
    await pull.bind(i % 2 === 0 ? "tcp://127.0.0.1:*" : `inproc://cycle ${i}`);
    push.connect(pull.lastEndpoint ?? `inproc://cycle ${i}`);
    if (i % 8 === 0) {
      const received = pull.receive();
      await push.send("x");
      await received;
    }
    if (i % 16 === 1) void pull.events;
    // A program may close without a turn of the event loop for long.
    if (i % 1_000 === 0) await pause(1);
    pull.close();
    push.close();
  };
  for (let i = 0; i < cycles / 4; i++) await cycle(i);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < cycles; i++) await cycle(i);
  const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grownMiB < 48, `the memory grew by ${grownMiB} MiB`);
});
