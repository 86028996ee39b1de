/** Sends to a handler that takes no more items. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, stream } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { unhandledIn } from "../support/unhandled.ts";
import { until } from "../support/until.ts";
import { fails, gate, pair } from "./messenger_kit.ts";

const upload = contract("upload", {
  input: stream(z.string()),
  output: z.number(),
  errors: { TOO_BIG: z.object({ at: z.number() }) },
});
const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });

test("sends that the failure of the handler ends have its declared error", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(upload, async ({ input, fail }) => {
    let at = 0;
    for await (const item of input) if ((at += item.length) > 10) throw fail("TOO_BIG", { at });
    return at;
  });
  const remote = client.client({ upload }, { to: peer });
  for (let i = 0; i < 20; i++) {
    const call = remote.upload();
    const sending = (async () => {
      for (;;) await call.send("abcdef");
    })();
    const error = await fails(sending, { code: "TOO_BIG" });
    assert.ok(upload.isError(error, "TOO_BIG") && error.details.at === 12);
    assert.equal(await call.result.catch((other) => other), error);
  }
});

test("a handler that takes no more items and goes on ends the sends alone", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  server.handle(chat, async function* ({ input }) {
    for await (const item of input) {
      yield item;
      break;
    }
    await opened;
    yield "last";
  });
  await using talk = client.client({ chat }, { to: peer }).chat();
  await talk.send("first");
  const items = talk[Symbol.asyncIterator]();
  assert.equal((await items.next()).value, "first");
  await fails(
    until(async () => {
      await talk.send("more");
      return false;
    }),
    { code: "CANCELLED", ran: "yes", message: /takes no more items/ },
  );
  await talk.end();
  open();
  assert.equal((await items.next()).value, "last");
  assert.equal((await items.next()).done, true);
});

test("a source that fails because its handler takes no more items does not fail the call", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  server.handle(chat, async function* ({ input }) {
    for await (const _ of input) break;
    await opened;
    yield "last";
  });
  let fail: (error: Error) => void = () => {};
  let returned = 0;
  // Like a connection that is read: its end fails the read that waits.
  const source = (): AsyncIterable<string> => {
    let read = 0;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          if (read++ === 0) return Promise.resolve({ done: false, value: "first" });
          return new Promise((_, reject) => fail = reject);
        },
        return: () => {
          returned++;
          fail(new Error("the connection was closed"));
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
  };
  const talk = client.client({ chat }, { to: peer }).chat(source());
  await until(() => returned === 1);
  open();
  assert.deepEqual(await Array.fromAsync(talk), ["last"]);
});

test("an invalid item is named by its own number where validators answer later", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const late = z.string().refine(async (text) => await Promise.resolve(text !== "bad"));
  const lateUpload = contract("upload", { input: stream(late), output: z.number() });
  const error = { code: "PAYLOAD_INVALID", message: /^Item 1 of the input / };
  const seen: unknown[] = [];
  server.handle(lateUpload, async ({ input }) => {
    const items = input[Symbol.asyncIterator]();
    const both = [items.next(), items.next()];
    seen.push(
      ...(await Promise.allSettled(both)).map((one) => one.status === "rejected" ? one.reason : null),
    );
    return 0;
  });
  await using checked = client.client({ upload: lateUpload }, { to: peer }).upload();
  const sends = [checked.send("bad"), checked.send("good"), checked.send("good")];
  await fails(sends[0]!, error);
  await Promise.all(sends.slice(1));
  assert.equal(await checked.result, 0);
  await using unchecked = client.client({ upload }, { to: peer }).upload();
  await Promise.all([unchecked.send("bad"), unchecked.send("good")]);
  await unchecked.result.catch(() => {});
  await fails(Promise.reject(seen[2]), error);
});

test("items that wait for their validator are bounded in bytes, and leave as they were given", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  const item = z.object({ text: z.string() });
  const measured = contract("measure", { input: stream(item), output: z.array(z.number()) });
  server.handle(measured, async ({ input }) => {
    const lengths: number[] = [];
    for await (const { text } of input) lengths.push(text.length);
    return lengths;
  });
  const late = item.refine(async ({ text }) => {
    await opened;
    return !text.startsWith("bad");
  });
  const own = contract("measure", { input: stream(late), output: z.array(z.number()) });
  await using call = client.client({ own }, { to: peer }).own();
  const given = { text: "x".repeat(300_000) };
  const unhandled = await unhandledIn(async () => {
    const sends = [call.send(given), call.send(given), call.send(given)];
    const full = { code: "QUEUE_FULL", details: { item: 4, waitingItems: 3, waitingBytes: 900_036 } };
    await fails(call.send(given), full);
    // Nobody is told that it is invalid, since it was refused already.
    void call.send({ text: "bad".padEnd(300_000) }).catch(() => {});
    given.text = "";
    open();
    await Promise.all(sends);
    await call.end();
    assert.deepEqual(await call.result, [300_000, 300_000, 300_000]);
  });
  assert.deepEqual(unhandled, []);
});

test("an item that cannot be encoded is invalid first, where its validator says so later", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const late = z.unknown().refine(async (value) => await Promise.resolve(value !== 1n));
  const own = contract("upload", { input: stream(late), output: z.number() });
  server.handle(own, async ({ input }) => (await Array.fromAsync(input)).length);
  await using call = client.client({ own }, { to: peer }).own();
  const sends = [call.send(1n), call.send(2n), call.send(3)];
  await fails(sends[0]!, { code: "PAYLOAD_INVALID", message: /^Item 1 of the input / });
  await fails(sends[1]!, { code: "ENCODING_FAILED", message: /^Item 2 of the input / });
  await sends[2];
  await call.end();
  assert.equal(await call.result, 1);
});
