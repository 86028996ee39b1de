/** Every way in which a call with a stream ends early: both sides once, with the right code, after the items before it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger, type ServerStreamCall, stream, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { counts, fails, gate, pair, turn } from "./messenger_kit.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.number()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });
const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });

/** The items of a call until it ends, and its error. */
async function drained<T>(call: AsyncIterable<T>): Promise<{ items: T[]; error: unknown }> {
  const items: T[] = [];
  try {
    for await (const item of call) items.push(item);
    return { items, error: null };
  } catch (error) {
    return { items, error };
  }
}

/** A handler that yields up to its input and then waits until its signal aborts. Tells how it ended. */
function patient(server: Messenger, ended: string[]): Disposable {
  return server.handle(generate, async function* ({ input, signal }) {
    try {
      for (let i = 1; i <= input; i++) yield i;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    } finally {
      ended.push(`${signal.aborted} ${(signal.reason as ZeromeshError | undefined)?.code}`);
    }
  });
}

test("a second iteration throws", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(generate, async function* ({ input }) {
    yield input;
  });
  const call = client.client({ generate }, { to: peer }).generate(7);
  assert.deepEqual(await Array.fromAsync(call), [7]);
  await fails(drained(call).then(({ error }) => Promise.reject(error)), {
    name: "TypeError",
    message: /twice/,
  });
});

/** What an early end is caused by, and its error at the caller; null if it is an end that the caller wants. */
const earlyEnds: readonly {
  readonly by: string;
  readonly code: string | null;
  readonly end: (scene: EarlyEnd) => unknown;
}[] = [
  { by: "leaving the loop", code: null, end: ({ items }) => items.return!() },
  { by: "close()", code: null, end: ({ call }) => call.close() },
  { by: "signal", code: "own", end: ({ controller }) => controller.abort({ code: "own" }) },
  { by: "idleTimeoutMs", code: "TIMEOUT", end: () => {} },
  { by: "an invalid item", code: "RESULT_INVALID", end: ({ put }) => put("x" as never) },
  { by: "unregistering", code: "CANCELLED", end: ({ registered }) => registered[Symbol.dispose]() },
  { by: "the server's close()", code: "PEER_DRAINING", end: ({ server }) => server.close({ timeoutMs: 0 }) },
  { by: "the client's close()", code: "CLOSED", end: ({ client }) => client.close({ timeoutMs: 0 }) },
  { by: "disconnect()", code: "CLOSED", end: ({ client, peer }) => client.disconnect(peer) },
];

interface EarlyEnd extends Awaited<ReturnType<typeof pair>> {
  readonly call: ServerStreamCall<number>;
  readonly items: AsyncIterator<number>;
  readonly controller: AbortController;
  readonly registered: Disposable;
  /** Makes the handler's iterator give a further item. */
  readonly put: (item: number) => void;
}

for (const { by, code, end } of earlyEnds) {
  test(`${by} ends both sides once: first the handler's signal aborts, then its iterator's return() is called`, async () => {
    await using t = await leakCheck();
    const both = await pair(t);
    const { server, client, peer } = both;
    const order: string[] = [];
    let put: (item: number) => void = () => {};
    const registered = server.handle(generate, ({ signal }) => {
      signal.addEventListener("abort", () => order.push("abort"));
      const waiting = [1, 2];
      const step = (value: number): IteratorResult<number> => ({ done: false, value });
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            if (waiting.length > 0) return Promise.resolve(step(waiting.shift()!));
            return new Promise<IteratorResult<number>>((resolve) => put = (item) => resolve(step(item)));
          },
          return: () => {
            order.push("return");
            return Promise.resolve({ done: true, value: undefined });
          },
        }),
      };
    });
    const controller = new AbortController();
    const options = { signal: controller.signal, idleTimeoutMs: by === "idleTimeoutMs" ? 50 : Infinity };
    const call = client.client({ generate }, { to: peer }).generate(0, options);
    const items = call[Symbol.asyncIterator]();
    assert.deepEqual([(await items.next()).value, (await items.next()).value], [1, 2]);
    const third = items.next().then(({ done }) => done, (error) => error);
    await end({ ...both, call, items, controller, registered, put });
    const ended = await third;
    if (by === "leaving the loop") assert.equal(ended, true);
    else if (code === null) assert.equal((ended as ZeromeshError).code, "CANCELLED");
    else {
      const { code: seen, ran = "yes" } = ended as { code: string; ran?: string };
      assert.deepEqual([seen, ran], [code, "yes"]);
    }
    await until(() => order.length >= 2);
    const closed = await call.closed;
    if (code === null) assert.equal(closed, "closed");
    else assert.equal((closed as { cause?: unknown }).cause ?? closed, ended);
    for (let i = 0; i < 5; i++) await turn();
    assert.deepEqual(order, ["abort", "return"]);
    assert.equal((await items.next()).done, true);
  });
}

test("a source whose next item never comes is ended with its call, and the items before it arrive", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const got: string[] = [];
  let registered: Disposable | null = null;
  const handle = (): void => {
    registered = server.handle(upload, async ({ input }) => {
      for await (const item of input) {
        got.push(item);
        if (item === "throw") throw new Error("it broke");
        if (item === "leave") return 1;
      }
      return 0;
    });
  };
  handle();
  const remote = client.client({ upload }, { to: peer });
  const ways: readonly [first: string, code: string | null, end: (call: { close(): unknown }) => unknown][] =
    [
      ["close", "CANCELLED", (call) => call.close()],
      ["throw", "HANDLER_FAILED", () => {}],
      ["leave", null, () => {}],
      ["unregister", "CANCELLED", () => registered?.[Symbol.dispose]()],
    ];
  for (const [first, code, end] of ways) {
    let returned = 0;
    const waiting = [first];
    const call = remote.upload({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          const value = waiting.shift();
          return value === undefined ? new Promise(() => {}) : Promise.resolve({ done: false, value });
        },
        return: () => {
          returned++;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    });
    await until(() => got.at(-1) === first);
    await end(call);
    if (code === null) assert.equal(await call.result, 1);
    else await fails(call.result, { code });
    await call.closed;
    await turn();
    assert.equal(returned, 1, first);
  }
});

test("an invalid item ends its call at once, whose source never comes back from its end", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const got: unknown[] = [];
  server.handle(upload, async ({ input, signal }) => {
    try {
      for await (const item of input) got.push(item);
    } catch (error) {
      got.push((error as ZeromeshError).code, signal.aborted);
    }
    return 0;
  });
  let returned = 0;
  const items: unknown[] = ["a", 7, "b"];
  const call = client.client({ upload }, { to: peer }).upload({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: items.shift() as string }),
      return: () => {
        returned++;
        return new Promise(() => {});
      },
    }),
  });
  const error = await fails(call.result, { code: "PAYLOAD_INVALID", message: /^Item 2 of the input / });
  assert.equal(await call.closed, error);
  await until(() => got.length === 3);
  assert.deepEqual(got, ["a", "CANCELLED", true]);
  assert.deepEqual([returned, items], [1, ["b"]]);
});

test("idleTimeoutMs ends a call without items, after those that arrived", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const ended: string[] = [];
  patient(server, ended);
  const { items, error } = await drained(
    client.client({ generate }, { to: peer }).generate(3, { idleTimeoutMs: 100 }),
  );
  assert.deepEqual(items, [1, 2, 3]);
  assert.equal((error as ZeromeshError).code, "TIMEOUT");
  assert.match((error as Error).message, /idleTimeoutMs/);
  await until(() => ended.length === 1);
  assert.deepEqual(ended, ["true CANCELLED"]);
});

test("the caller's signal ends the call with its reason on this side, and aborts the handler's", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const ended: string[] = [];
  patient(server, ended);
  const controller = new AbortController();
  const call = client.client({ generate }, { to: peer }).generate(2, { signal: controller.signal });
  const got = drained(call);
  await until(() => counts(server, "generate").inFlight === 1);
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal((await got).error, reason);
  assert.equal(await call.closed, reason);
  await until(() => ended.length === 1);
  const before = new AbortController();
  before.abort(reason);
  assert.equal(
    (await drained(client.client({ generate }, { to: peer }).generate(2, { signal: before.signal }))).error,
    reason,
  );
});

test("a caller that gives its input up ends the handler's, after the items before it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const got: unknown[] = [];
  server.handle(upload, async ({ input, signal }) => {
    try {
      for await (const item of input) got.push(item);
    } catch (error) {
      got.push((error as ZeromeshError).code, signal.aborted);
    }
    return 1;
  });
  const remote = client.client({ upload }, { to: peer });
  const call = remote.upload();
  await call.send("a");
  await call.send("b");
  await call.close();
  await fails(call.result, { code: "CANCELLED" });
  assert.equal(await call.closed, "closed");
  await until(() => got.length === 4);
  assert.deepEqual(got, ["a", "b", "CANCELLED", true]);
  const broken = new Error("the source broke");
  const failing = remote.upload((function* () {
    yield "c";
    throw broken;
  })());
  await assert.rejects(failing.result, broken);
  await until(() => got.length === 7);
  assert.deepEqual(got.slice(4), ["c", "CANCELLED", true]);
});

test("a handler that takes no more items ends its caller's input, and still answers", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  server.handle(upload, async ({ input }) => {
    for await (const item of input) {
      await opened;
      return item.length;
    }
    return 0;
  });
  const remote = client.client({ upload }, { to: peer });
  const returned: string[] = [];
  const call = remote.upload((async function* () {
    try {
      for (;;) {
        yield "abc";
        await turn();
      }
    } finally {
      returned.push("returned");
    }
  })());
  open();
  assert.equal(await call.result, 3);
  await until(() => returned.length === 1);
  await using another = remote.upload();
  await another.send("ab");
  assert.equal(await another.result, 2);
  await fails(another.send("c"), { code: "CANCELLED", ran: "yes" });
});

test("a handler that is unregistered ends its running streams after their items", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const ended: string[] = [];
  const registered = patient(server, ended);
  const call = client.client({ generate }, { to: peer }).generate(3);
  const got = drained(call);
  await until(() => counts(server, "generate").inFlight === 1);
  registered[Symbol.dispose]();
  const { items, error } = await got;
  assert.deepEqual(items, [1, 2, 3]);
  assert.equal((error as ZeromeshError).code, "CANCELLED");
  assert.equal((error as ZeromeshError).ran, "yes");
  assert.match((error as Error).message, /unregistered/);
  assert.deepEqual(ended, ["true CANCELLED"]);
});

test("a server that closes lets a stream finish within the time, and cuts an endless one short", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  const ended: string[] = [];
  server.handle(chat, async function* () {
    yield "a";
    await opened;
    yield "b";
  });
  patient(server, ended);
  const remote = client.client({ chat, generate }, { to: peer });
  const finishing = drained(remote.chat());
  const endless = drained(remote.generate(3));
  await until(() => counts(server, "chat").inFlight + counts(server, "generate").inFlight === 2);
  const closing = server.close({ timeoutMs: 300 });
  open();
  assert.deepEqual(await finishing, { items: ["a", "b"], error: null });
  const { items, error } = await endless;
  assert.deepEqual(items, [1, 2, 3]);
  assert.equal((error as ZeromeshError).code, "PEER_DRAINING");
  assert.equal((error as ZeromeshError).ran, "yes");
  await closing;
  assert.deepEqual(ended, ["true CLOSED"]);
});

test("a caller that closes ends its calls with CLOSED", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const ended: string[] = [];
  patient(server, ended);
  const got = drained(client.client({ generate }, { to: peer }).generate(2));
  await until(() => counts(server, "generate").inFlight === 1);
  await client.close({ timeoutMs: 0 });
  assert.equal(((await got).error as ZeromeshError).code, "CLOSED");
  await until(() => ended.length === 1);
});

test("a call that is refused ends at once: unknown handler, wrong input, authorize, no stream", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    server: { authorize: (call) => call.handlerName !== "upload" },
  });
  server.handle(generate, async function* ({ input }) {
    yield input;
  });
  server.handle(upload, () => 1);
  const remote = client.client({ generate, upload, chat }, { to: peer });
  const { error } = await drained(remote.chat(["a"]));
  assert.equal((error as ZeromeshError).code, "HANDLER_NOT_FOUND");
  assert.equal((error as ZeromeshError).ran, "no");
  await fails(remote.upload(["a"]).result, { code: "FORBIDDEN", ran: "no" });
  await fails(drained(remote.generate("1" as never)).then((r) => Promise.reject(r.error)), {
    code: "PAYLOAD_INVALID",
  });
  const plain = contract("generate", { input: z.number(), output: z.number() });
  await fails(client.typedUnary(plain, { to: peer, payload: 1 }), {
    code: "HANDLER_NOT_FOUND",
    ran: "no",
    message: /a contract with a stream/,
  });
});

test("nothing that nobody awaits is an unhandled rejection", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const unhandled: unknown[] = [];
  const listener = (event: PromiseRejectionEvent | unknown): void => {
    (event as PromiseRejectionEvent).preventDefault?.();
    unhandled.push(event);
  };
  const process = (await import("node:process")).default;
  process.on("unhandledRejection", listener);
  t.defer(() => void process.off("unhandledRejection", listener));
  server.handle(upload, async ({ input }) => {
    for await (const _ of input) throw new Error("no");
    return 0;
  });
  const remote = client.client({ upload, chat, generate }, { to: peer });
  const call = remote.upload();
  void call.send(3 as never);
  void call.send("a");
  void call.end();
  void call.send("b");
  void remote.chat(["a"]);
  void remote.generate(1);
  void remote.upload();
  await call.closed;
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(unhandled, []);
  await client.close();
});
