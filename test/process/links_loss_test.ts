/** Tests of calls whose peer dies, stops, leaves, comes back or never was a peer. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket as TcpSocket } from "node:net";
import process from "node:process";
import { test } from "../support/testing.ts";
import type { InstanceId, Messenger, MessengerOptions, Status } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { freePort } from "../support/ports.ts";
import { busy } from "../support/raw_sockets.ts";
import { longRun, peerRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { pause, until, within } from "../support/until.ts";

const program = "test/support/peers/links_peer.ts";
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A peer in a process of its own. */
interface Peer {
  readonly child: SpawnedProcess;
  readonly endpoint: string;
  readonly id: InstanceId;
}

async function start(t: LeakCheck, args: readonly string[], runtime?: RuntimeName): Promise<Peer> {
  const child = t.use(spawnScript(program, args, runtime === undefined ? {} : { runtime }));
  const [, endpoint, id] = (await child.waitForLine("ready")).split(" ");
  return { child, endpoint: endpoint!, id: id as InstanceId };
}

/** A client that has dialled a peer. The peer's process ends after the client. */
async function dialled(
  t: LeakCheck,
  args: readonly string[] = ["serve"],
  options: { runtime?: RuntimeName; client?: MessengerOptions } = {},
): Promise<Peer & { client: Messenger; statuses: Status[] }> {
  const peer = await start(t, args, options.runtime);
  const client = await t.messenger(options.client);
  const statuses: Status[] = [];
  void (async () => {
    for await (const status of client.status()) statuses.push(status);
  })();
  assert.equal(await client.connect(peer.endpoint), peer.id);
  return { ...peer, client, statuses };
}

async function counts(client: Messenger, peer: InstanceId): Promise<{ held: number; noted: number }> {
  return JSON.parse(decoder.decode(await client.unary("counts", { to: peer })));
}

interface Ended {
  readonly code: string | undefined;
  readonly ran: string | undefined;
  readonly at: number;
}

/** The end of each of many calls, with its time. */
function endings(calls: readonly Promise<unknown>[]): Promise<Ended[]> {
  return Promise.all(calls.map(async (call) => {
    try {
      await call;
      return { code: undefined, ran: undefined, at: performance.now() };
    } catch (error) {
      const { code, ran } = error as { code?: string; ran?: string };
      return { code, ran, at: performance.now() };
    }
  }));
}

for (const runtime of peerRuntimes) {
  test(`a peer killed with a thousand calls in flight ends them all within a second (${runtime})`, async () => {
    await using t = await leakCheck();
    const { child, client, id, statuses } = await dialled(t, ["serve"], {
      runtime,
      client: { redialForMs: 0 },
    });
    const ends = endings(Array.from({ length: 1_000 }, () => client.unary("hold", { to: id })));
    await until(async () => (await counts(client, id)).held === 1_000);
    const killed = performance.now();
    process.kill(child.pid, "SIGKILL");
    const all = await within(ends, 5_000, "a thousand calls to end");
    assert.ok(all.every(({ code }) => code === "PEER_DISCONNECTED"), JSON.stringify(all.slice(0, 3)));
    assert.ok(all.every(({ ran }) => ran === "maybe"), JSON.stringify(all.slice(0, 3)));
    assert.ok(
      all.every(({ at }) => at - killed < 1_000),
      `the last one after ${Math.max(...all.map(({ at }) => at)) - killed} ms`,
    );
    const down = await until(() => statuses.find(({ type }) => type === "peerDown"));
    assert.ok(down.type === "peerDown" && down.peer === id && down.code === "PEER_DISCONNECTED");
    assert.equal(client.peers()[0]?.up, false);
    assert.deepEqual([client.stats().calls.pending, client.stats().transport.dialled], [0, 0]);
  });

  for (const how of ["close", "exit"]) {
    test(`a peer that answers 500 calls and ends leaves none of them unanswered (${how}, ${runtime})`, async () => {
      await using t = await leakCheck();
      const { child, client, id } = await dialled(t, ["answer", "500", how], { runtime });
      const calls = Array.from(
        { length: 500 },
        (_, i) => client.unary("last", { to: id, rawPayload: encoder.encode(`${i}`) }),
      );
      const answers = Promise.all(calls);
      answers.catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
      // This side does not read while the peer answers, leaves and is gone.
      busy(400);
      const got = await within(answers, 5_000, "500 answers of a peer that is gone");
      assert.deepEqual(got.map((answer) => decoder.decode(answer)), got.map((_, i) => `${i}`));
      assert.deepEqual(
        await within(child.exit, 5_000, "the peer's end"),
        { code: 0, signal: null },
        child.errorText,
      );
    });
  }
}

test("calls that wait in our queue when their peer dies did not run, the others may have", async () => {
  await using t = await leakCheck();
  const { child, client, id } = await dialled(t, ["serve"], {
    client: { highWaterMark: 20, redialForMs: 0 },
  });
  process.kill(child.pid, "SIGSTOP");
  const payload = new Uint8Array(30_000);
  const calls = Array.from({ length: 600 }, () => client.unary("hold", { to: id, rawPayload: payload }));
  const ends = endings(calls);
  // On a busy machine libzmq's threads take messages a while longer.
  let queued = 0;
  await until(() => {
    const before = queued;
    queued = client.stats().transport.queuedMessages;
    return queued > 50 && queued === before;
  }, { intervalMs: 100 });
  const killed = performance.now();
  process.kill(child.pid, "SIGKILL");
  const all = await within(ends, 5_000, "the calls to end");
  assert.ok(all.every(({ code }) => code === "PEER_DISCONNECTED"));
  assert.ok(all.every(({ at }) => at - killed < 1_000));
  const notRun = all.filter(({ ran }) => ran === "no").length;
  assert.ok(Math.abs(notRun - queued) <= 5, `${notRun} did not run, and ${queued} were queued`);
  assert.equal(all.filter(({ ran }) => ran === "maybe").length, 600 - notRun);
  assert.equal(client.stats().transport.queuedMessages, 0);
});

test("a peer that is stopped for a moment keeps its connection, and answers when it goes on", async () => {
  await using t = await leakCheck();
  const { child, client, id, statuses } = await dialled(t);
  process.kill(child.pid, "SIGSTOP");
  const started = performance.now();
  const calls = Array.from(
    { length: 50 },
    (_, i) => client.unary("echo", { to: id, rawPayload: encoder.encode(`${i}`) }),
  );
  const all = Promise.all(calls);
  let answered = false;
  all.then(() => answered = true, () => {});
  await pause(1_500);
  assert.equal(answered, false);
  process.kill(child.pid, "SIGCONT");
  const answers = await within(all, 3_000, "the answers of a peer that goes on");
  assert.deepEqual(answers.map((answer) => decoder.decode(answer)), answers.map((_, i) => `${i}`));
  assert.ok(performance.now() - started >= 1_500);
  assert.deepEqual(statuses.map(({ type }) => type), ["peerUp"]);
  assert.equal(client.stats().transport.dialled, 1);
});

test(
  `a peer that stays stopped is given up within the heartbeat bound`,
  {
    skip: longRun ? false : "it takes four seconds: --long runs it",
  },
  async () => {
    await using t = await leakCheck();
    const { child, client, id } = await dialled(t, ["serve"], { client: { redialForMs: 0 } });
    const stopped = performance.now();
    process.kill(child.pid, "SIGSTOP");
    const [ended] = await within(
      endings([client.unary("echo", { to: id, timeoutMs: 30_000 })]),
      10_000,
      "the call to end",
    );
    assert.deepEqual([ended!.code, ended!.ran], ["PEER_DISCONNECTED", "maybe"]);
    assert.ok(ended!.at - stopped > 2_000 && ended!.at - stopped < 5_500, `after ${ended!.at - stopped} ms`);
    process.kill(child.pid, "SIGCONT");
    const [again] = await endings([client.unary("echo", { to: id })]);
    assert.equal(again!.code, undefined, "a call dials again");
  },
);

test("a successor on the same port gets nothing that was meant for its predecessor", async () => {
  await using t = await leakCheck();
  const port = await freePort();
  const endpoint = `tcp://127.0.0.1:${port}`;
  const { child, client, id, statuses } = await dialled(t, ["serve", endpoint], {
    client: { highWaterMark: 50 },
  });
  // Frozen, so that what is sent stays in libzmq's queue and in ours.
  process.kill(child.pid, "SIGSTOP");
  const ends = endings(Array.from({ length: 300 }, () => client.unary("hold", { to: id })));
  for (let i = 0; i < 2_000; i++) {
    client.amSend("note", { to: id, rawPayload: new Uint8Array(2_000) }).catch(() => {});
  }
  await pause(30);
  process.kill(child.pid, "SIGKILL");
  await within(child.exit, 5_000, "the first process to be gone");
  const successor = await start(t, ["serve", endpoint]);
  assert.notEqual(successor.id, id);
  const all = await within(ends, 5_000, "the calls to end");
  assert.ok(all.every(({ code }) => code === "PEER_DISCONNECTED"), JSON.stringify(all[0]));
  // A call to the first one, or a redial in the background, ends with the error that it was replaced.
  const replaced = await until(() => statuses.find(({ type }) => type === "peerReplaced"), {
    timeoutMs: 5_000,
  });
  assert.ok(replaced.type === "peerReplaced" && replaced.peer === id && replaced.successor === successor.id);
  const [old] = await endings([client.unary("echo", { to: id })]);
  assert.deepEqual([old!.code, old!.ran], ["PEER_REPLACED", "no"]);
  const peer = await client.connect(endpoint);
  assert.equal(peer, successor.id);
  assert.equal(
    decoder.decode(await client.unary("echo", { to: peer, rawPayload: encoder.encode("hello") })),
    "hello",
  );
  await pause(200);
  assert.deepEqual(await counts(client, peer), { held: 0, noted: 0 });
});

test("a call to a peer that was killed dials it, and without an answer it did not run", async () => {
  await using t = await leakCheck();
  const { child, client, id } = await dialled(t, ["serve"], { client: { redialForMs: 0 } });
  process.kill(child.pid, "SIGKILL");
  await until(() => client.peers()[0]?.up === false);
  const [gone] = await within(
    endings([client.unary("echo", { to: id, timeoutMs: 400 })]),
    3_000,
    "the call to end",
  );
  assert.deepEqual([gone!.code, gone!.ran], ["TIMEOUT", "no"]);
});

test("an address without a listener is PEER_UNREACHABLE in time, with the reason", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const port = await freePort();
  const start = performance.now();
  await assert.rejects(client.connect(`tcp://127.0.0.1:${port}`, { timeoutMs: 300 }), {
    code: "PEER_UNREACHABLE",
    message: /within 300 ms.*no process answers there/,
  });
  assert.ok(performance.now() - start < 1_500);
});

/** The behaviour of a TCP server towards a connection. */
type Serve = (socket: TcpSocket) => void;

async function tcpServer(t: LeakCheck, serve: Serve): Promise<string> {
  const open = new Set<TcpSocket>();
  const server = createTcpServer((socket) => {
    open.add(socket);
    socket.on("error", () => {}).on("close", () => open.delete(socket));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  t.defer(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
    })
  );
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const strangers: [what: string, serve: Serve, message: RegExp][] = [
  ["accepts and says nothing", () => {}, /did not finish the ZMTP handshake|does not speak ZMTP/],
  ["accepts and hangs up", (socket) => socket.destroy(), /ended during the ZMTP handshake|no ZMTP/],
  [
    "speaks HTTP and keeps the connection",
    (socket) =>
      socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")),
    /ZMTP|_hello/,
  ],
  ["speaks SSH", (socket) => socket.write("SSH-2.0-OpenSSH_9.9\r\n"), /ZMTP|_hello/],
  ["sends noise", (socket) => socket.write(new Uint8Array(4_096).fill(0xff)), /ZMTP|_hello/],
];

for (const [what, serve, message] of strangers) {
  test(`a server that ${what} is given up in time, with the reason`, async () => {
    await using t = await leakCheck();
    const endpoint = await tcpServer(t, serve);
    const client = await t.messenger();
    const start = performance.now();
    await assert.rejects(client.connect(endpoint, { timeoutMs: 700 }), (error: Error & { code?: string }) => {
      // Noise may look like ZMTP with a mechanism that we do not have.
      const forbidden = what === "sends noise" && error.code === "FORBIDDEN";
      assert.ok(forbidden || error.code === "PEER_UNREACHABLE", `${error.code}`);
      assert.match(error.message, message);
      assert.ok(error.message.includes(endpoint), error.message);
      return true;
    });
    assert.ok(performance.now() - start < 2_000, `after ${performance.now() - start} ms`);
    assert.deepEqual(client.peers(), []);
    assert.equal(client.stats().calls.pending, 0);
  });
}

test("an HTTP server is PEER_UNREACHABLE in time, with the reason", async () => {
  await using t = await leakCheck();
  const server = createServer((_request, response) => void response.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  t.defer(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    })
  );
  const client = await t.messenger();
  const endpoint = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await assert.rejects(client.connect(endpoint, { timeoutMs: 700 }), {
    code: "PEER_UNREACHABLE",
    message: /ZMTP|_hello/,
  });
});

test("clients that speak HTTP, noise or nothing to a listener do not keep peers from being answered", async () => {
  await using t = await leakCheck();
  const { connect } = await import("node:net");
  const server = await t.messenger();
  const port = Number(/:(\d+)$/.exec(server.endpoint)![1]);
  const words = [
    "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "",
    "\xff\xff\xff\xff",
    "SSH-2.0-x\r\n",
    "\x00".repeat(100_000),
  ];
  for (let i = 0; i < 20; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(words[i % words.length]!, "latin1");
    t.defer(() => void socket.destroy());
  }
  await until(() => server.stats().transport.silent >= 4);
  const client = await t.messenger();
  const peer = await within(client.connect(server.endpoint), 2_000, "a connection beside strangers");
  assert.ok((await client.availableHandlers(peer)).includes("_hello"));
  assert.deepEqual(server.stats().transport.drops.identityMismatch, undefined);
});
