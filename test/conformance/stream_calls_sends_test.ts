/** Sends to a handler that takes no more items. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, stream } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
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
