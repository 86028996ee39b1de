/** JSON Schema, draft 2020-12, as a Standard Schema. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SchemaIssue } from "../../src/core/mod.ts";
import { type JsonSchema, jsonSchema } from "../../src/json-schema/mod.ts";
import { contract } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { collectGarbage } from "../support/collect.ts";
import { until } from "../support/until.ts";
import { fails, pair, thrown } from "./messenger_kit.ts";

/** The paths of what is wrong with a value; null when nothing is. */
function faults(schema: JsonSchema, value: unknown): string[] | null {
  const result = jsonSchema(schema)["~standard"].validate(value) as { issues?: readonly SchemaIssue[] };
  if (result.issues === undefined) {
    assert.deepEqual(result, { value }, "a value is neither changed nor copied");
    return null;
  }
  return result.issues.map(({ path = [] }) => path.map(String).join("."));
}

const draft = "https://json-schema.org/draft/2020-12/schema";

test("prefixItems describes a tuple, and items what comes after it", () => {
  const schema = {
    type: "array",
    prefixItems: [{ type: "string" }, { type: "number" }],
    items: { type: "boolean" },
  };
  assert.equal(faults(schema, ["a", 1, true]), null);
  assert.equal(faults(schema, ["a"]), null);
  assert.deepEqual(faults(schema, ["a", "b", true, 4]), ["1", "3"]);
  assert.deepEqual(faults({ prefixItems: [true], items: false }, [1, 2]), [""]);
});

test("$defs, $ref, $anchor and $dynamicRef lead to other parts of the same schema", () => {
  const tree = {
    $schema: draft,
    $ref: "#/$defs/node",
    $defs: {
      node: {
        type: "object",
        properties: { name: { $ref: "#name" }, children: { type: "array", items: { $ref: "#/$defs/node" } } },
        required: ["name"],
      },
      name: { $anchor: "name", type: "string", minLength: 1 },
    },
  };
  assert.equal(faults(tree, { name: "a", children: [{ name: "b", children: [] }] }), null);
  assert.deepEqual(faults(tree, { name: "a", children: [{ name: "" }, {}] }), [
    "children.0.name",
    "children.1.name",
  ]);
  const dynamic = {
    $dynamicAnchor: "node",
    type: "object",
    properties: { next: { $dynamicRef: "#node" } },
    unevaluatedProperties: false,
  };
  assert.equal(faults(dynamic, { next: { next: {} } }), null);
  assert.deepEqual(faults(dynamic, { next: { more: 1 } }), ["next.more"]);
});

test("unevaluatedProperties sees what allOf, oneOf, $ref and if have looked at", () => {
  const shape = {
    $defs: { named: { properties: { name: { type: "string" } } } },
    allOf: [{ $ref: "#/$defs/named" }],
    oneOf: [
      { properties: { radius: { type: "number" } }, required: ["radius"] },
      { properties: { side: { type: "number" } }, required: ["side"] },
    ],
    unevaluatedProperties: false,
  };
  assert.equal(faults(shape, { name: "a", radius: 1 }), null);
  assert.equal(faults(shape, { name: "a", side: 1 }), null);
  assert.deepEqual(faults(shape, { name: "a", side: 1, more: 1 }), ["more"]);
  const kind = {
    properties: { kind: { enum: ["circle", "square"] } },
    if: { properties: { kind: { const: "circle" } } },
    then: { properties: { radius: { type: "number" } } },
    else: { properties: { side: { type: "number" } } },
    unevaluatedProperties: false,
  };
  assert.equal(faults(kind, { kind: "circle", radius: 1 }), null);
  assert.equal(faults(kind, { kind: "square", side: 1 }), null);
  assert.deepEqual(faults(kind, { kind: "circle", side: 1 }), ["side"]);
});

test("unevaluatedItems, dependentRequired and contains with its bounds are known", () => {
  const items = { prefixItems: [{ type: "string" }], unevaluatedItems: false };
  assert.equal(faults(items, ["a"]), null);
  assert.deepEqual(faults(items, ["a", 2]), [""]);
  const card = { dependentRequired: { card: ["address"] } };
  assert.equal(faults(card, { card: 1, address: "x" }), null);
  assert.deepEqual(faults(card, { card: 1 }), ["address"]);
  const some = { contains: { type: "number" }, minContains: 2, maxContains: 2 };
  assert.equal(faults(some, [1, "a", 2]), null);
  assert.notEqual(faults(some, [1, 2, 3]), null);
});

test("true takes everything, false nothing", () => {
  assert.equal(faults(true, { any: "thing" }), null);
  assert.deepEqual(faults(false, 1), [""]);
});

test("an invalid schema of this draft is refused, and the message says where", () => {
  const wrong: [JsonSchema, RegExp][] = [
    [{ type: "nothing" }, /schema\/type must be/],
    [{ properties: 3 }, /schema\/properties must be object/],
    [{ $ref: "#/$defs/none" }, /can't resolve reference #\/\$defs\/none/],
    [{ $ref: "https://example.com/other.json" }, /can't resolve reference/],
    [{ $schema: "http://json-schema.org/draft-07/schema#" }, /draft-07/],
  ];
  for (const [schema, message] of wrong) {
    const error = thrown(() => jsonSchema(schema));
    assert.ok(error instanceof TypeError);
    assert.match(error.message, message);
  }
});

test("schemas with the same $id know nothing of each other", () => {
  const of = (type: string) => ({
    $id: "https://example.com/value",
    properties: { inner: { $ref: "inner" } },
    $defs: { inner: { $id: "inner", type } },
  });
  const [text, number] = [of("string"), of("number")];
  assert.equal(faults(text, { inner: "a" }), null);
  assert.equal(faults(number, { inner: 1 }), null);
  assert.deepEqual(faults(number, { inner: "a" }), ["inner"]);
  const stranger = thrown(() => jsonSchema({ $ref: "https://example.com/inner" }));
  assert.match(stranger.message, /can't resolve reference/);
});

test("a schema is compiled once, as it was then", () => {
  let read = 0;
  const properties = {
    get n(): unknown {
      read++;
      return { type: "number" };
    },
  };
  const source: { properties: unknown; required?: string[] } = { properties };
  const schema = jsonSchema(source as unknown as JsonSchema);
  const readToCompile = read;
  source.required = ["n"];
  for (let n = 0; n < 100; n++) assert.deepEqual(schema["~standard"].validate({ n }), { value: { n } });
  assert.deepEqual(schema["~standard"].validate({}), { value: {} });
  assert.equal(read, readToCompile);
  assert.deepEqual(schema["~standard"].jsonSchema.input(), { properties: { n: { type: "number" } } });
});

test("unused schemas are freed", async () => {
  const made: WeakRef<object>[] = [];
  for (let n = 0; n < 50; n++) {
    const schema = jsonSchema({
      $id: `https://example.com/${n}`,
      $defs: { n: { $id: `${n}/inner`, const: n } },
    });
    made.push(new WeakRef(schema["~standard"].jsonSchema.input() as object));
  }
  const garbage: Uint8Array[] = [];
  await until(() => {
    collectGarbage();
    // Where nobody can ask for a collection, memory outside the heap brings one about.
    garbage[0] = new Uint8Array(32 * 1024 * 1024);
    return made.filter((one) => one.deref() === undefined).length > 40;
  }, { message: "the garbage collector to take them" });
});

test("a contract of JSON Schemas checks what goes in and what comes out", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const point = {
    type: "array",
    prefixItems: [{ type: "number" }, { type: "number" }],
    items: false,
    minItems: 2,
  };
  const swap = contract("swap", {
    input: jsonSchema<[number, number]>(point),
    output: jsonSchema<[number, number]>(point),
  });
  server.handle(swap, ({ input: [x, y] }): [number, number] => {
    return x === 0 ? [y] as unknown as [number, number] : [y, x];
  });
  const call = (payload: unknown) =>
    client.typedUnary(swap, { to: peer, payload: payload as [number, number] });
  assert.deepEqual(await call([1, 2]), [2, 1]);
  await fails(call([1, "2"]), { code: "PAYLOAD_INVALID", ran: "no" });
  await fails(call([0, 2]), { code: "RESULT_INVALID" });
});
