/** Wrong uses of contracts with a stream: each says what is wrong, and what to do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, stream } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { fails, pair, thrown } from "./messenger_kit.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.number()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });

test("other calls refuse a contract with a stream, and name what calls it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(generate, () => []);
  await fails(client.typedUnary(generate as never, { to: peer, payload: 1 as never }), {
    name: "TypeError",
    message:
      'Cannot call typedUnary with the contract "generate": it takes none of kind "stream"; a method of client() calls it',
  });
  await fails(client.amSync(generate as never, { to: peer, payload: 1 as never }), {
    code: "HANDLER_NOT_FOUND",
    message: /call it with a client of that contract/,
  });
});

test("a handler that is no function, and a source that is none, are TypeErrors", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  for (const wrong of [undefined, 5, [1]]) {
    const { name, message } = thrown(() => server.handle(generate, wrong as never));
    assert.equal(`${name}: ${message}`, 'TypeError: Cannot make handler "generate": it needs a function');
  }
  const remote = client.client({ upload }, { to: peer });
  for (const wrong of ["abc", 5, {}, () => ["a"]]) {
    const { name, message } = thrown(() => remote.upload(wrong as never));
    assert.match(`${name}: ${message}`, /TypeError: Cannot call "upload": the items must come from an async/);
  }
});
