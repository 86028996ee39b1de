/** A messenger that is closed leaves nothing that the sanitizers of `Deno.test` find, in the first test and in others. */
import { assertEquals } from "@std/assert";
import { curveKeyPair, Messenger, unaryHandler } from "../../src/mod.ts";

for (const round of ["first", "second"]) {
  Deno.test({
    name: `the ${round} test that makes messengers passes with sanitizeResources and sanitizeOps`,
    sanitizeResources: true,
    sanitizeOps: true,
    async fn() {
      const keys = await curveKeyPair();
      await using server = await Messenger.create();
      server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
      await using client = await Messenger.create();
      const peer = await client.connect(server.endpoint);
      const answer = await client.unary("echo", { to: peer, rawPayload: new Uint8Array([1, 2]) });
      assertEquals([answer.length, keys.publicKey.length], [2, 40]);
    },
  });
}
