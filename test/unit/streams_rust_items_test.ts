/** Items of Rust programs: what serde writes for a struct, an enum or bytes, and the schema that it has here. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { ItemReader } from "../../src/streams/anchors/frames.ts";
import { itemFrame } from "../../src/streams/wire/frame.ts";
import { encodeItem } from "../../src/wire/mod.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { rustItems } from "../vectors/velo_streams.ts";

const schemas: Readonly<Record<string, z.ZodType>> = {
  "struct { id: u32, text: String }": z.tuple([z.number().int(), z.string()]),
  "a struct in a struct": z.tuple([z.string(), z.tuple([z.number(), z.string()])]),
  "Option<u32>: None": z.number().nullable(),
  "Vec<u8>": z.array(z.number()),
  "Bytes": z.instanceof(Uint8Array),
  "enum: a variant without a value": z.literal("Idle"),
  "enum: a variant with a value": z.object({ Busy: z.number() }),
  "u64::MAX": z.bigint(),
};

for (const { name, hex, value } of rustItems) {
  test(`an item of Rust has a schema, and the same bytes both ways: ${name}`, () => {
    const schema = schemas[name]!;
    assert.deepEqual(new ItemReader(schema, "anchor 1").read(bytesOf(hex), 1, 1), {
      type: "item",
      sender: 1,
      item: value,
    });
    assert.equal(hexOf(itemFrame(encodeItem(value, true))), hex.replaceAll(" ", ""));
  });
}

test("the fields of a struct come in their order, and an object is no struct", () => {
  const struct = rustItems[0]!;
  const reader = new ItemReader(z.object({ id: z.number(), text: z.string() }), "anchor 1");
  assert.throws(() => reader.read(bytesOf(struct.hex), 1, 3), {
    code: "PAYLOAD_INVALID",
    message: /^Item 3 of anchor 1 is invalid/,
  });
});

test("bytes are read whatever the width of their length, which Velo always writes with four bytes", () => {
  const reader = new ItemReader(z.instanceof(Uint8Array), "anchor 1");
  for (const header of ["c402", "c50002", "c600000002"]) {
    const read = reader.read(bytesOf(`81a44974656d ${header} 01c8`), 1, 1);
    assert.deepEqual(read, { type: "item", sender: 1, item: Uint8Array.of(1, 200) });
  }
});
