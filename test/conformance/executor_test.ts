/** The executor: limits, order, notifications, stopping; the four tests of its document by their names. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ActiveMessage,
  ActiveMessageExecutor,
  type ExecutorOptions,
  parseNotification,
  type ResponseNotification,
  sendToExecutor,
  serveExecutor,
} from "../../src/executor/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { bytes, fails, gate, pair, text, thrown } from "./messenger_kit.ts";

function open(t: LeakCheck, options: ExecutorOptions = {}): ActiveMessageExecutor {
  return t.use(new ActiveMessageExecutor(options));
}

function message(messageType: string, responseNotification?: string, data = "x"): ActiveMessage {
  return { messageType, messageData: bytes(data), responseNotification };
}

/** The next notifications, as many as wanted. */
async function read(executor: ActiveMessageExecutor, wanted: number): Promise<ResponseNotification[]> {
  const seen: ResponseNotification[] = [];
  const reading = (async () => {
    for await (const response of executor.responses) {
      seen.push(response);
      if (seen.length === wanted) return;
    }
  })();
  await within(reading, 5_000, `${wanted} notifications`);
  return seen;
}

function balanced(executor: ActiveMessageExecutor): void {
  const { accepted, queued, running, succeeded, failed, dropped } = executor.stats();
  assert.equal(accepted, queued + running + succeeded + failed + dropped);
}

test("test_active_message_flow: ok, err with the message, an empty payload, and an unknown type", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 2 });
  executor.registerHandlers({
    ping: (data) => {
      if (text(data) !== "ping") throw new Error("not a ping");
    },
    data_transfer: async (data) => {
      await Promise.resolve();
      assert.ok(data.length > 0);
    },
  });
  await executor.send(message("ping", "ping_test", "ping"));
  await executor.send(message("data_transfer", "data_test", "some data"));
  await executor.send(message("ping", "error_test", ""));
  await executor.send(message("unknown", "unknown_test"));
  const seen = (await read(executor, 4)).sort((a, b) => a.notification < b.notification ? -1 : 1);
  assert.deepEqual(seen, [
    { notification: "data_test:ok", isSuccess: true },
    { notification: "error_test:err(not a ping)", isSuccess: false },
    { notification: "ping_test:ok", isSuccess: true },
    { notification: "unknown_test:err(No handler for message type: unknown)", isSuccess: false },
  ]);
});

test("test_resource_capturing_handler: an object keeps what it needs, and sees messages in the order sent", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 1 });
  const handler = {
    seen: [] as string[],
    async handleMessage(data: Uint8Array) {
      await Promise.resolve();
      this.seen.push(text(data));
    },
  };
  executor.registerHandlers({ keep: handler });
  for (const data of ["one", "two", "three"]) await executor.send(message("keep", undefined, data));
  await until(() => executor.stats().succeeded === 3);
  assert.deepEqual(handler.seen, ["one", "two", "three"]);
});

test("test_communication_integration: another instance sends, and gets the notification as its answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const executor = open(t, { concurrency: 2 });
  const done: string[] = [];
  executor.registerHandlers({
    note: (data) => void done.push(text(data)),
    bad: () => {
      throw new Error("out of (paper):ok");
    },
  });
  using _serving = serveExecutor(server, executor);
  const to = { to: peer };
  assert.equal(await sendToExecutor(client, message("note", undefined, "first"), to), null);
  assert.deepEqual(await sendToExecutor(client, message("note", "a:b", "second"), to), {
    notification: "a:b:ok",
    isSuccess: true,
  });
  assert.deepEqual(await sendToExecutor(client, message("bad", "a:ok"), to), {
    notification: "a:ok:err(out of (paper):ok)",
    isSuccess: false,
  });
  assert.deepEqual(await sendToExecutor(client, message("nobody", "x"), to), {
    notification: "x:err(No handler for message type: nobody)",
    isSuccess: false,
  });
  await until(() => done.length === 2);
  await executor.stop();
  await fails(sendToExecutor(client, message("note", "late"), to), { code: "HANDLER_FAILED" });
});

test("test_concurrency_performance: ten handlers of 100 ms with a limit of 4 take 300 ms, and not less", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 4 });
  let [now, most] = [0, 0];
  executor.registerHandlers({
    slow: async () => {
      most = Math.max(most, ++now);
      await pause(100);
      now--;
    },
  });
  const start = performance.now();
  for (let i = 0; i < 10; i++) await executor.send(message("slow", `n${i}`));
  const seen = await read(executor, 10);
  const took = performance.now() - start;
  assert.ok(seen.every(({ isSuccess }) => isSuccess));
  assert.equal(most, 4);
  assert.ok(took >= 295 && took < 600, `it took ${took} ms`);
});

test("no more handlers than the limit run at any moment, over thousands of messages", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 7, maxQueued: 100 });
  let [now, most] = [0, 0];
  executor.registerHandlers({
    step: async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
    },
  });
  for (let i = 0; i < 5_000; i++) {
    await executor.send(message("step"));
    if (i % 500 === 0) balanced(executor);
    assert.ok(executor.stats().queued <= 100);
  }
  await until(() => executor.stats().succeeded === 5_000);
  assert.equal(most, 7);
});

test("a handler that throws in its first step, rejects, or rejects with nothing is reported, and the next one runs", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 1 });
  executor.registerHandlers({
    throws: () => {
      throw new Error("at once");
    },
    rejects: () => Promise.reject(new Error("later")),
    nothing: () => Promise.reject(),
    text: () => {
      throw "just text";
    },
    fine: () => {},
  });
  for (const type of ["throws", "rejects", "nothing", "text", "fine"]) {
    await executor.send(message(type, type));
  }
  assert.deepEqual((await read(executor, 5)).map(({ notification }) => notification), [
    "throws:err(at once)",
    "rejects:err(later)",
    "nothing:err(The handler rejected with nothing)",
    "text:err(just text)",
    "fine:ok",
  ]);
});

test("a handler that never settles is given up at its deadline: its signal aborts, and its place is free again", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 1, handlerTimeoutMs: 50 });
  const held = gate(t);
  let reason: unknown;
  executor.registerHandlers({
    hold: async (_, { signal }) => {
      signal.addEventListener("abort", () => reason = signal.reason);
      await held.opened;
    },
    fine: () => {},
  });
  await executor.send(message("hold", "first"));
  await executor.send(message("fine", "second"));
  const seen = await read(executor, 2);
  assert.match(seen[0]!.notification, /^first:err\(The handler of "hold" was not done within 50 ms\)$/);
  assert.equal(seen[1]!.notification, "second:ok");
  assert.equal((reason as { code?: string }).code, "TIMEOUT");
  assert.equal(executor.stats().abandoned, 1);
  held.open();
  await until(() => executor.stats().abandoned === 0);
  balanced(executor);
});

test("stop() waits for what runs and tells what it did not begin; then the stream of notifications ends", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 1 });
  const held = gate(t);
  executor.registerHandlers({ hold: () => held.opened });
  await executor.send(message("hold", "runs"));
  await executor.send(message("hold", "waits"));
  await executor.send(message("hold"));
  await until(() => executor.stats().running === 1);
  const stopping = executor.stop();
  await fails(executor.send(message("hold", "late")), { code: "CLOSED", ran: "no" });
  held.open();
  await within(Promise.all([stopping, executor.stop()]), 1_000);
  const seen: string[] = [];
  for await (const { notification } of executor.responses) seen.push(notification);
  assert.deepEqual(seen, [
    "waits:err(The executor was closed before this message was handled)",
    "runs:ok",
  ]);
  assert.equal(executor.stats().dropped, 2);
  balanced(executor);
});

test("stop({ drain: true }) handles what waits, and stop() is over in time whatever handlers do", async () => {
  await using t = await leakCheck();
  const draining = open(t, { concurrency: 1 });
  draining.registerHandlers({ step: () => Promise.resolve() });
  for (let i = 0; i < 5; i++) await draining.send(message("step", `${i}`));
  await draining.close({ drain: true });
  assert.deepEqual((await read(draining, 5)).map(({ notification }) => notification), [
    "0:ok",
    "1:ok",
    "2:ok",
    "3:ok",
    "4:ok",
  ]);
  const stuck = open(t, { concurrency: 1 });
  stuck.registerHandlers({ never: () => new Promise(() => {}) });
  await stuck.send(message("never", "runs"));
  await stuck.send(message("never", "waits"));
  await within(stuck.close({ drain: true, timeoutMs: 30 }), 1_000);
  const seen = (await read(stuck, 2)).map(({ notification }) => notification);
  assert.ok(seen.includes("runs:err(The executor was closed and waited 30 ms)"), String(seen));
  assert.ok(seen.some((notification) => notification.startsWith("waits:err(")));
});

test("with no room a sender waits in turn, gives up by its signal, or fails at once where that is wanted", async () => {
  await using t = await leakCheck();
  const held = gate(t);
  const executor = open(t, { concurrency: 1, maxQueued: 1 });
  const seen: string[] = [];
  const hold = async (data: Uint8Array): Promise<void> => {
    seen.push(text(data));
    await held.opened;
  };
  executor.registerHandlers({ hold });
  await executor.send(message("hold", undefined, "runs"));
  await executor.send(message("hold", undefined, "waits"));
  const controller = new AbortController();
  const given = executor.send(message("hold", undefined, "given up"), { signal: controller.signal });
  const third = executor.send(message("hold", undefined, "third"));
  const fourth = executor.send(message("hold", undefined, "fourth"));
  controller.abort(new Error("enough"));
  await assert.rejects(given, { message: "enough" });
  held.open();
  await within(Promise.all([third, fourth]), 1_000);
  await until(() => executor.stats().succeeded === 4);
  assert.deepEqual(seen, ["runs", "waits", "third", "fourth"]);

  const failing = open(t, { concurrency: 1, maxQueued: 1, overflow: "fail" });
  const other = gate(t);
  failing.registerHandlers({ hold: () => other.opened });
  await failing.send(message("hold"));
  await failing.send(message("hold"));
  await fails(failing.send(message("hold")), { code: "QUEUE_FULL", ran: "no" });
  other.open();
});

test("unread notifications delay further messages, and nothing is lost", async () => {
  await using t = await leakCheck();
  const executor = open(t, { concurrency: 2, maxUnreadResponses: 3 });
  executor.registerHandlers({ fine: () => {} });
  for (let i = 0; i < 10; i++) await executor.send(message("fine", `${i}`));
  await pause(20);
  assert.equal(executor.stats().unreadResponses, 3);
  assert.equal(executor.stats().queued, 7);
  const seen = await read(executor, 10);
  assert.equal(new Set(seen.map(({ notification }) => notification)).size, 10);
});

test("several readers share the notifications, and each goes to one", async () => {
  await using t = await leakCheck();
  const executor = open(t);
  executor.registerHandlers({ fine: () => {} });
  const seen: string[] = [];
  const readers = [1, 2, 3].map(async () => {
    for await (const { notification } of executor.responses) seen.push(notification);
  });
  for (let i = 0; i < 30; i++) await executor.send(message("fine", `${i}`));
  await until(() => seen.length === 30);
  await executor.stop();
  await within(Promise.all(readers), 1_000, "the readers to end");
  assert.equal(new Set(seen).size, 30);
});

test("wrong options, messages and handlers are refused with what is wrong, and nothing is half done", async () => {
  await using t = await leakCheck();
  assert.match(
    thrown(() => new ActiveMessageExecutor({ concurrency: 0 })).message,
    /concurrency must be .*, got 0/,
  );
  assert.ok(thrown(() => new ActiveMessageExecutor({ handlerTimeoutMs: NaN })) instanceof TypeError);
  assert.ok(thrown(() => new ActiveMessageExecutor({ overflow: "drop" as "fail" })) instanceof TypeError);
  const misspelt = { concurency: 2 } as object;
  assert.match(thrown(() => new ActiveMessageExecutor(misspelt)).message, /there is no option "concurency"/);
  const executor = open(t);
  const wrong = { a: () => {}, b: 7 as unknown as () => void };
  assert.match(thrown(() => executor.registerHandlers(wrong)).message, /handler of "b" must be a function/);
  assert.equal(executor.unregisterHandler("a"), false);
  await assert.rejects(
    executor.send({ messageType: "a" } as ActiveMessage),
    /messageData must be a Uint8Array/,
  );
  await assert.rejects(executor.send(null as unknown as ActiveMessage), TypeError);
  assert.equal(executor.stats().accepted, 0);
});

test("a prefix may hold colons and brackets, and a notification is taken apart into what it was made of", () => {
  const cases: [notification: string, prefix: string, error?: string][] = [
    ["a:ok", "a"],
    ["a:b:ok", "a:b"],
    [":ok", ""],
    ["ok:ok:ok", "ok:ok"],
    ["a:b:err(no (luck): today)", "a:b", "no (luck): today"],
    ["a:err()", "a", ""],
  ];
  for (const [notification, prefix, error] of cases) {
    const wanted = { prefix, isSuccess: error === undefined, error };
    assert.deepEqual(parseNotification(notification), wanted);
    assert.deepEqual(parseNotification(notification, prefix), wanted);
  }
  assert.equal(parseNotification("x:err(y:err(z))", "x")?.error, "y:err(z)");
  assert.equal(parseNotification("x:err(y)" + ":ok", "x:err(y)")?.isSuccess, true);
  for (const none of ["", "ok", "a:okay", "a:err(b"]) assert.equal(parseNotification(none), null);
  assert.equal(parseNotification("a:b:ok", "a"), null);
});

test("its signal stops an executor, also one that has aborted before, and what waits is told", async () => {
  await using t = await leakCheck();
  const stop = new AbortController();
  const executor = open(t, { concurrency: 1, signal: stop.signal });
  const hold = gate(t);
  executor.registerHandlers({ job: () => hold.opened });
  await executor.send(message("job", "first"));
  await executor.send(message("job", "second"));
  stop.abort();
  await fails(executor.send(message("job")), { code: "CLOSED" });
  hold.open();
  const seen: string[] = [];
  for await (const { notification } of executor.responses) seen.push(notification);
  assert.deepEqual(seen, [
    "second:err(The executor was closed before this message was handled)",
    "first:ok",
  ]);
  const late = open(t, { signal: stop.signal });
  await fails(late.send(message("job")), { code: "CLOSED" });
});

test("a logger that throws costs an executor no message", async () => {
  await using t = await leakCheck();
  const broken = (): never => {
    throw new Error("the disk is full");
  };
  const logger = { debug: broken, info: broken, warn: broken, error: broken };
  const executor = open(t, { concurrency: 1, logger });
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  executor.registerHandlers({
    fails: () => {
      throw new Error("no");
    },
    odd: () => {
      throw proxy;
    },
    works: () => {},
  });
  await executor.send(message("fails"));
  await executor.send(message("odd", "odd"));
  await executor.send(message("odd"));
  await executor.send(message("works", "after"));
  const [odd, after] = await read(executor, 2);
  assert.deepEqual([odd?.isSuccess, after?.notification], [false, "after:ok"]);
  await until(() => executor.stats().running === 0);
  balanced(executor);
});

test("one sender takes its share of the queue, and those that wait for a place get it in turns", async () => {
  await using t = await leakCheck();
  const free = gate(t);
  const make = (overflow: "wait" | "fail") => {
    const executor = open(t, { concurrency: 1, maxQueued: 34, overflow });
    executor.registerHandlers({ work: () => free.opened });
    return executor;
  };
  const strict = make("fail");
  for (let i = 0; i < 33; i++) await strict.send(message("work"), { sender: "greedy" });
  await fails(strict.send(message("work"), { sender: "greedy" }), { code: "QUEUE_FULL", message: /share/ });
  await strict.send(message("work"), { sender: "modest" });
  assert.equal(strict.stats().queued, 33);
  const patient = make("wait");
  const order: string[] = [];
  const send = (sender: string) =>
    patient.send(message("work"), { sender }).then(() => void order.push(sender));
  const sent = Array.from({ length: 40 }, () => send("greedy"));
  for (const sender of ["modest", "modest", "third"]) sent.push(send(sender));
  await until(() => patient.stats().queued === 34);
  assert.deepEqual(order.slice(33), ["modest", "modest"]);
  free.open();
  await Promise.all(sent);
  assert.deepEqual(order.slice(35, 37).sort(), ["greedy", "third"]);
});

test("an instance that fills the executor of another one leaves places to others", async () => {
  await using t = await leakCheck();
  const free = gate(t);
  const executor = open(t, { concurrency: 1, maxQueued: 34, overflow: "fail" });
  executor.registerHandlers({ work: () => free.opened });
  const { server, client: greedy, peer: to } = await pair(t);
  serveExecutor(server, executor);
  const modest = await t.messenger();
  await modest.connect(server.endpoint);
  const sends = Array.from({ length: 40 }, () => sendToExecutor(greedy, message("work"), { to }));
  const outcomes = await Promise.allSettled(sends);
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 33);
  assert.equal(await sendToExecutor(modest, message("work"), { to }), null);
});
