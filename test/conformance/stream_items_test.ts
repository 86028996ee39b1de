/** Items of contracts with a stream: each arrives as it was sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, stream } from "../../src/mod.ts";
import { ItemCodec } from "../../src/streams/calls/item_codec.ts";
import { leakCheck } from "../support/fixture.ts";
import { pair } from "./messenger_kit.ts";

const letters = ["x", "é", "€", "😀", "\u0000", '"\\\n\u007f', "\ufeff"];
// Around the lengths from which a text, or its bytes, are written or read in another way.
const lengths = [0, 1, 95, 96, 97, 511, 512, 513, 4_097, 21_846, 65_536, 65_537, 300_000];

const texts = lengths.flatMap((length) => [
  "x".repeat(length),
  ...letters.map((letter) => letter + "x".repeat(length)),
  ...letters.map((letter) => "x".repeat(length) + letter),
]).concat(letters.map((letter) => letter.repeat(30_000)));

const others = [0, -1.5, true, null, [], {}, [texts[5]], { a: { b: ["é".repeat(5_000)] } }, "x", "\ud800", {
  text: "€".repeat(100_000),
}];

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 7);
}

const packed = [
  ...lengths.map(bytes),
  bytes(100).subarray(3, 50),
  undefined,
  2n ** 70n,
  new Map([["a", bytes(70_000)]]),
  new Float64Array([1.5, Number.NaN]),
  ...others.filter((value) => value !== "\ud800"),
];

for (const encoding of ["json", "msgpack"] as const) {
  test(`texts, bytes and values of every length arrive as they were sent, with ${encoding}`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    const echo = contract("echo", { input: stream(z.unknown()), output: stream(z.unknown()), encoding });
    server.handle(echo, ({ input }) => input);
    const remote = client.client({ echo }, { to: peer });
    const items: unknown[] = [...texts, ...(encoding === "json" ? others : packed)];
    await using call = remote.echo();
    const answers = call[Symbol.asyncIterator]();
    for (let i = 0; i < items.length; i += 3) {
      // Those that are not awaited wait for credit now and then, so they are kept.
      const some = items.slice(i, i + 3);
      const sends = some.map((item) => call.send(item));
      for (const item of some) assert.deepEqual((await answers.next()).value, item);
      await Promise.all(sends);
    }
    // From here on the reader is behind.
    const behind = [...items.slice(0, 40), ...items.slice(-40)];
    const sending = (async () => {
      for (const item of behind) await call.send(item);
      await call.end();
    })();
    assert.deepEqual(await Array.fromAsync({ [Symbol.asyncIterator]: () => answers }), behind);
    await sending;
  });
}

test("a frame whose text is not UTF-8, or of a kind that does not exist, is no item", () => {
  const codec = new ItemCodec("msgpack");
  const decode = (...frame: number[]) =>
    codec.decode({ bytes: Uint8Array.from(frame), start: 0, end: frame.length });
  assert.deepEqual(decode(2, 0xc3, 0xa9), { value: "é" });
  assert.deepEqual(decode(2, 0xc3), { error: "not valid UTF-8" });
  assert.deepEqual(decode(2, ...Array.from({ length: 600 }, () => 0xff)), { error: "not valid UTF-8" });
  assert.deepEqual(decode(1, 0xe9), { value: "é" });
  assert.deepEqual(decode(3, 0xe9), { value: Uint8Array.of(0xe9) });
  for (const frame of [[], [4], [0x20], [0xff]]) {
    assert.deepEqual(decode(...frame), { error: "it is no item of a contract" });
  }
  assert.ok(decode(0, 0xc1).error!.startsWith("not a MessagePack value"));
});
