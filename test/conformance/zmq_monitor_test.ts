import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket as TcpSocket } from "node:net";
import process from "node:process";
import { test } from "../support/testing.ts";
import {
  type Backend,
  type Context,
  Errno,
  type Handle,
  MonitorEvent,
  type Socket,
} from "../../src/libzmq/mod.ts";
import { openMonitorHub } from "../../src/libzmq/monitor.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { freePort, portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { longRun } from "../support/runtime.ts";
import {
  Inbox,
  nextOf,
  numbered,
  parts,
  rawContext,
  texts,
  turn,
  waiterKinds,
} from "../support/raw_sockets.ts";
import { pause, until } from "../support/until.ts";

const names = new Map<number, string>(Object.entries(MonitorEvent).map(([name, bit]) => [bit, name]));

/** Everything that a monitor tells, by name. */
interface Log {
  readonly events: { readonly event: string; readonly value: number }[];
  /** The names alone, in order. */
  readonly names: string[];
}

function watch(socket: Socket, mask: number = MonitorEvent.ALL): Log {
  const events: { event: string; value: number }[] = [];
  socket.monitor(mask, (event, value) => {
    events.push({ event: names.get(event) ?? String(event), value });
  });
  return {
    events,
    get names() {
      return events.map(({ event }) => event);
    },
  };
}

/** A DEALER as the library makes them: it never dials again by itself. */
function dealer(context: Context, handshakeMs = 300): Socket {
  return context.socket("DEALER").set("RECONNECT_IVL", 86_400_000).set("HANDSHAKE_IVL", handshakeMs);
}

/** A TCP server that does with each connection what a test says. */
async function tcpServer(t: LeakCheck, serve: (socket: TcpSocket) => void): Promise<string> {
  const open = new Set<TcpSocket>();
  const server = createServer((socket) => {
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

for (const waiter of waiterKinds) {
  test(`a connection over TCP is told at both ends (${waiter})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t, { waiter });
    const router = context.socket("ROUTER");
    const atRouter = watch(router);
    const endpoint = router.bind("tcp://127.0.0.1:*");
    const client = dealer(context);
    const atClient = watch(client);
    client.connect(endpoint);
    await until(() =>
      atClient.names.includes("HANDSHAKE_SUCCEEDED") && atRouter.names.includes("HANDSHAKE_SUCCEEDED")
    );
    assert.deepEqual(atClient.names, ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED"]);
    assert.deepEqual(atRouter.names, ["LISTENING", "ACCEPTED", "HANDSHAKE_SUCCEEDED"]);
    const connected = atClient.events[1]!.value;
    const accepted = atRouter.events[1]!.value;
    assert.ok(connected > 0 && accepted > 0 && connected !== accepted);
    client.close();
    await until(() => atRouter.names.includes("DISCONNECTED"));
    assert.deepEqual(atRouter.events.at(-1), { event: "DISCONNECTED", value: accepted });
    // The side that closes gets no event, since its monitor ended first.
    assert.deepEqual(atClient.names, ["CONNECT_DELAYED", "CONNECTED", "HANDSHAKE_SUCCEEDED"]);
  });
}

test("a connection over IPC is told, without a delay (a name without a file: Linux only)", {
  skip: process.platform === "linux" ? false : "names without a file are Linux's",
}, async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER");
  const endpoint = router.bind(ipcEndpoint());
  const client = dealer(context);
  const log = watch(client);
  client.connect(endpoint);
  await until(() => log.names.includes("HANDSHAKE_SUCCEEDED"));
  assert.deepEqual(log.names, ["CONNECTED", "HANDSHAKE_SUCCEEDED"]);
});

test("only the events of the mask are told", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER");
  const log = watch(router, MonitorEvent.ACCEPTED | MonitorEvent.DISCONNECTED);
  const endpoint = router.bind("tcp://127.0.0.1:*");
  for (let i = 1; i <= 3; i++) {
    const client = dealer(context);
    client.connect(endpoint);
    client.send(parts("hello"));
    await nextOf(router);
    client.close();
    await until(() => log.names.length === 2 * i);
  }
  assert.deepEqual(new Set(log.names), new Set(["ACCEPTED", "DISCONNECTED"]));
});

test("a port without a listener is CLOSED, and then silence", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const client = dealer(context);
  const log = watch(client);
  client.connect(`tcp://127.0.0.1:${await freePort()}`);
  await until(() => log.names.includes("CLOSED"));
  await pause(150);
  assert.deepEqual(log.names.filter((name) => name !== "CONNECT_RETRIED"), ["CONNECT_DELAYED", "CLOSED"]);
  if (process.platform !== "linux") return;
  const absent = dealer(context);
  const other = watch(absent);
  absent.connect(ipcEndpoint());
  await until(() => other.names.includes("CLOSED"));
});

for (const reset of [false, true]) {
  test(`the loss of a connection is DISCONNECTED at both ends within moments (${reset ? "reset" : "closed"})`, async () => {
    await using t = await leakCheck();
    const context = await rawContext(t);
    const router = context.socket("ROUTER");
    const atRouter = watch(router);
    const proxy = t.use(await startProxy({ targetPort: portOf(router.bind("tcp://127.0.0.1:*")) }));
    const client = dealer(context);
    const atClient = watch(client);
    client.connect(proxy.endpoint);
    client.send(parts("hello"));
    await nextOf(router);
    const start = performance.now();
    proxy.cut({ reset });
    await until(() => atClient.names.includes("DISCONNECTED") && atRouter.names.includes("DISCONNECTED"));
    assert.ok(performance.now() - start < 1_000);
    assert.equal(
      atRouter.events.at(-1)!.value,
      atRouter.events.find(({ event }) => event === "ACCEPTED")!.value,
    );
    // What was unread stays readable at the dialler; it dials nobody else.
    assert.equal(client.receive(), null);
    await pause(50);
    assert.equal(proxy.accepted, 1);
  });
}

test("messages that had arrived stay readable when the connection is lost", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER");
  const proxy = t.use(await startProxy({ targetPort: portOf(router.bind("tcp://127.0.0.1:*")) }));
  const client = dealer(context);
  const log = watch(client);
  client.connect(proxy.endpoint);
  client.send(parts("hello"));
  const [id] = await nextOf(router);
  for (let i = 0; i < 500; i++) assert.equal(router.send([id!, numbered(i)]), true);
  // Each message of 8 bytes takes 10 on the wire, and the handshake a little.
  await until(() => proxy.bytes.down >= 500 * 10 + 64);
  await pause(50);
  proxy.cut();
  await until(() => log.names.includes("DISCONNECTED"));
  const read: number[] = [];
  for (let message = client.receive(); message !== null; message = client.receive()) {
    read.push(new DataView(message[0]!.buffer).getUint32(0, true));
  }
  assert.deepEqual(read, Array.from({ length: 500 }, (_, i) => i));
});

test("a server that accepts and says nothing fails the handshake when its time is up", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const endpoint = await tcpServer(t, () => {});
  const client = dealer(context);
  const log = watch(client);
  client.connect(endpoint);
  await until(() => log.names.includes("DISCONNECTED"));
  const happened = log.events.filter(({ event }) => event !== "CONNECT_RETRIED");
  assert.deepEqual(happened.map(({ event }) => event), [
    "CONNECT_DELAYED",
    "CONNECTED",
    "HANDSHAKE_FAILED_NO_DETAIL",
    "DISCONNECTED",
  ]);
  assert.equal(happened[2]!.value, Errno.EAGAIN);
});

test("a server that accepts and hangs up fails the handshake at once", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const endpoint = await tcpServer(t, (socket) => socket.destroy());
  const client = dealer(context, 10_000);
  const log = watch(client);
  client.connect(endpoint);
  await until(() => log.names.includes("DISCONNECTED"));
  assert.ok(log.names.includes("HANDSHAKE_FAILED_NO_DETAIL"));
  assert.ok(!log.names.includes("HANDSHAKE_SUCCEEDED"));
});

test("a server that speaks HTTP is never a success, whatever the socket says about writing", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  let greeted = 0;
  const endpoint = await tcpServer(t, (socket) => {
    socket.on("data", () => {
      greeted++;
      socket.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
  });
  const client = dealer(context, 200);
  const log = watch(client);
  client.connect(endpoint);
  await until(() => greeted > 0);
  await pause(500);
  assert.ok(log.names.includes("CONNECTED"));
  assert.ok(!log.names.includes("HANDSHAKE_SUCCEEDED"));
});

test("a client that speaks HTTP reaches no message, and others are served", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER").set("HANDSHAKE_IVL", 200);
  const log = watch(router);
  const inbox = new Inbox(router);
  const endpoint = router.bind("tcp://127.0.0.1:*");
  const aborted = new AbortController();
  const answer = fetch(endpoint.replace("tcp:", "http:"), { signal: aborted.signal }).then(
    () => "answered",
    () => "failed",
  );
  await until(() => log.names.includes("ACCEPTED"));
  const client = dealer(context);
  client.connect(endpoint);
  client.send(parts("hello"));
  await until(() => inbox.messages.some((message) => texts(message)[1] === "hello"));
  aborted.abort();
  assert.equal(await answer, "failed");
  assert.equal(log.names.filter((name) => name === "HANDSHAKE_SUCCEEDED").length, 1);
});

test("a monitor belongs to one socket, and the events of many are told apart", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER");
  const endpoint = router.bind("tcp://127.0.0.1:*");
  // Nobody listens on it, and no other test can come to: a free port may be taken, also by the dialling socket itself.
  const nowhere = "tcp://127.0.0.1:1";
  const logs = Array.from({ length: 40 }, (_, i) => {
    const client = dealer(context);
    const log = watch(client);
    client.connect(i % 2 === 0 ? endpoint : nowhere);
    return log;
  });
  const awaited = (i: number): string => i % 2 === 0 ? "HANDSHAKE_SUCCEEDED" : "CLOSED";
  await until(() => logs.every(({ names }, i) => names.includes(awaited(i))), {
    timeoutMs: 20_000,
    message: () => {
      const left = logs.flatMap(({ names }, i) => names.includes(awaited(i)) ? [] : [`${i}: ${names}`]);
      return `the events of sockets ${left.join("; ")}`;
    },
  });
  logs.forEach((log, i) => {
    assert.equal(log.names.includes("CONNECTED"), i % 2 === 0, `socket ${i}: ${log.names}`);
    assert.equal(log.names.includes("CLOSED"), i % 2 === 1, `socket ${i}: ${log.names}`);
  });
  assert.equal(context.monitors.kind, "shared");
});

test("a socket is monitored once, and says so", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("DEALER");
  socket.monitor(MonitorEvent.ALL, () => {});
  assert.throws(() => socket.monitor(MonitorEvent.ALL, () => {}), TypeError);
});

test("monitored sockets that dial, lose and close again and again leave a context that works", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER");
  const atRouter = watch(router, MonitorEvent.ACCEPTED | MonitorEvent.DISCONNECTED);
  new Inbox(router, () => {});
  const endpoint = router.bind("tcp://127.0.0.1:*");
  const proxy = t.use(await startProxy({ targetPort: portOf(endpoint) }));
  const nowhere = `tcp://127.0.0.1:${await freePort()}`;
  const cycles = longRun ? 10_000 : 300;
  const descriptors = () => context.backend.descriptors()?.open ?? 0;
  let early = 0;
  for (let i = 0; i < cycles; i++) {
    const client = dealer(context);
    const log = watch(client);
    const told = (name: string): Promise<unknown> =>
      until(() => log.names.includes(name), {
        timeoutMs: 10_000,
        intervalMs: 1,
        message: () => `${name} of client ${i}, after ${log.names.join()}`,
      });
    client.connect(i % 3 === 0 ? proxy.endpoint : i % 3 === 1 ? endpoint : nowhere);
    client.send(parts("hello"));
    if (i % 3 === 0) {
      // Lost by the network, noticed, closed.
      await told("HANDSHAKE_SUCCEEDED");
      proxy.cut({ reset: i % 2 === 0 });
      await told("DISCONNECTED");
    } else if (i % 3 === 1) {
      // Closed by ourselves, sometimes in the middle of connecting.
      if (i % 2 === 0) await told("HANDSHAKE_SUCCEEDED");
    } else await told("CLOSED");
    client.close();
    if (i === 20) early = descriptors();
  }
  await until(() => descriptors() <= early + 4, {
    message: () => `descriptors to settle: ${early} early, ${descriptors()} now`,
  });
  await until(() => {
    const { names } = atRouter;
    return names.filter((name) => name === "ACCEPTED").length ===
      names.filter((name) => name === "DISCONNECTED").length;
  });
  const fresh = dealer(context);
  const log = watch(fresh);
  fresh.connect(endpoint);
  await until(() => log.names.includes("HANDSHAKE_SUCCEEDED"));
});

test("thousands of events that wait for a busy reader stop no socket, and none of them is lost", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const outside = await rawContext(t);
  const router = context.socket("ROUTER");
  const log = watch(
    router,
    MonitorEvent.ACCEPTED | MonitorEvent.DISCONNECTED | MonitorEvent.HANDSHAKE_SUCCEEDED,
  );
  const endpoint = router.bind("tcp://127.0.0.1:*");
  const clients = longRun ? 5_000 : 1_000;
  // Without one turn of the event loop in between, so that nobody reads the monitor meanwhile.
  for (let i = 0; i < clients; i++) {
    const client = outside.socket("DEALER").set("IMMEDIATE", 1);
    client.connect(endpoint);
    const giveUpAt = performance.now() + 5_000;
    while (!client.send(parts("x"))) {
      client.events();
      if (performance.now() > giveUpAt) {
        assert.fail(`connection ${i} was never finished: the context stands still`);
      }
    }
    client.close({ lingerMs: 1_000 });
  }
  assert.equal(log.events.length, 0);
  // The context's own I/O goes on while the events wait.
  const [left, right] = [context.socket("PAIR"), context.socket("PAIR")];
  right.connect(left.bind("tcp://127.0.0.1:*"));
  const giveUpAt = performance.now() + 5_000;
  while (!right.send(parts("alive"))) right.events();
  let alive: Uint8Array[] | null = null;
  while (alive === null && performance.now() < giveUpAt) alive = left.receive();
  assert.deepEqual(texts(alive ?? []), ["alive"]);
  await until(() => log.names.filter((name) => name === "DISCONNECTED").length === clients, {
    timeoutMs: 10_000,
  });
  assert.equal(log.names.filter((name) => name === "ACCEPTED").length, clients);
  // For one descriptor connection and loss take turns.
  const live = new Set<number>();
  for (const { event, value } of log.events) {
    if (event === "ACCEPTED") {
      assert.ok(!live.has(value), `descriptor ${value} was accepted twice`);
      live.add(value);
    } else if (event === "DISCONNECTED") assert.ok(live.delete(value), `descriptor ${value} was lost twice`);
  }
  assert.equal(live.size, 0);
  let unread = 0;
  while (router.receive() !== null) unread++;
  assert.equal(unread, clients);
});

test("a listener that closes its socket, or another one, while events are told is safe", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const router = context.socket("ROUTER");
  const endpoint = router.bind("tcp://127.0.0.1:*");
  const told: number[] = [];
  const clients = Array.from({ length: 20 }, () => dealer(context));
  clients.forEach((client, i) => {
    client.monitor(MonitorEvent.HANDSHAKE_SUCCEEDED, () => {
      told.push(i);
      client.close();
      clients[(i + 1) % clients.length]!.close();
    });
  });
  for (const client of clients) client.connect(endpoint);
  await until(() => clients.every(({ closed }) => closed));
  await turn();
  assert.ok(told.length >= 10 && told.length <= 20, `${told.length} were told`);
  assert.equal(context.openSockets, 1);
});

test("without a shared reader each monitor has its own, and none of their events is lost", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const { backend, reactor } = context;
  const refusing = Object.create(backend) as Backend;
  const kept = ["monitor", "receive", "receiveMore", "region", "socket", "setOption", "closeSocket"] as const;
  for (const name of kept) {
    Object.defineProperty(refusing, name, {
      value: (backend[name] as (...args: unknown[]) => unknown).bind(backend),
    });
  }
  // What a libzmq would say that does check the types of sockets on inproc.
  let readers = 0;
  Object.defineProperty(refusing, "connect", {
    value: (socket: Handle, endpoint: string) =>
      endpoint.startsWith("inproc://forced-m") && readers++ === 0
        ? -Errno.EINVAL
        : backend.connect(socket, endpoint),
  });
  const hub = openMonitorHub({
    backend: refusing,
    handle: context.handle,
    reactor,
  }, "forced");
  t.defer(() => hub.close());
  assert.equal(hub.kind, "pairs");
  const router = context.socket("ROUTER");
  const events = { accepted: 0, lost: 0 };
  const stop = hub.watch(router.handle, MonitorEvent.ACCEPTED | MonitorEvent.DISCONNECTED, (event) => {
    if (event === MonitorEvent.ACCEPTED) events.accepted++;
    else events.lost++;
  });
  const endpoint = router.bind("tcp://127.0.0.1:*");
  for (let i = 1; i <= 100; i++) {
    const client = dealer(context);
    const seen: number[] = [];
    const end = hub.watch(client.handle, MonitorEvent.ALL, (event) => seen.push(event));
    client.connect(endpoint);
    // Every other one is ended in the middle of connecting.
    if (i % 2 === 0) await until(() => seen.includes(MonitorEvent.HANDSHAKE_SUCCEEDED), { intervalMs: 1 });
    end();
    end();
    client.close();
  }
  // More events at once than a pass of the reactor reads.
  const outside = await rawContext(t);
  for (let i = 0; i < 300; i++) {
    const client = outside.socket("DEALER").set("IMMEDIATE", 1);
    client.connect(endpoint);
    const giveUpAt = performance.now() + 5_000;
    while (!client.send(parts("x")) && performance.now() < giveUpAt) client.events();
    client.close({ lingerMs: 1_000 });
  }
  await until(() => events.accepted >= 350 && events.lost === events.accepted, {
    message: () => `as many losses as connections: ${JSON.stringify(events)}`,
  });
  stop();
});

/** An IPC endpoint that nobody else uses, without a file. */
function ipcEndpoint(): string {
  return `ipc://@zeromesh-test-${crypto.randomUUID()}`;
}
