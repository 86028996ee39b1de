/** A feature brings a kind of contract of its own, which `handle`, `serve` and `client` then take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  type AnySchema,
  type Contract,
  contractKind,
  type ContractTypes,
  type HandlerInput,
  type SchemaInput,
  type SchemaOfKind,
  type SchemaOutput,
} from "../../src/core/mod.ts";
import { contract, type Messenger, type TypedContext, typedUnaryHandler } from "../../src/mod.ts";
import { type ContractKind, portOf } from "../../src/messenger/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { fails, pair, thrown } from "./messenger_kit.ts";

/** The items of a list: its handler is a generator, and its caller iterates over them. */
interface ListTypes<Item extends AnySchema> extends ContractTypes {
  readonly method: (
    input: SchemaInput<Extract<this["contract"], Contract>["input"]>,
  ) => AsyncIterable<SchemaOutput<Item>>;
  readonly handler: (
    context: TypedContext<HandlerInput<Extract<this["contract"], Contract>>>,
  ) => Iterable<SchemaInput<Item>>;
}

function listOf<Item extends z.ZodType>(item: Item): z.ZodArray<Item> & SchemaOfKind<ListTypes<Item>> {
  return Object.assign(z.array(item), { [contractKind]: { name: "list" } });
}

const kind: ContractKind = {
  handler: (target, run, options) =>
    typedUnaryHandler(
      target as Contract<AnySchema, AnySchema>,
      (context) => [...run(context) as Iterable<unknown>],
      options,
    ),
  method: (caller, target, options) =>
    async function* (input: unknown) {
      const { kind: _, ...plain } = target;
      yield* await caller.typedUnary(
        { ...plain, kind: "unary" } as never,
        options(input) as never,
      ) as unknown[];
    },
};

const upTo = contract("upTo", { input: z.number(), output: listOf(z.string()) });
const double = contract("double", { input: z.number(), output: z.number() });

/** The items that a client's method gives. */
async function items<Item>(list: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of list) all.push(item);
  return all;
}

function* count({ input }: { readonly input: number }): Iterable<string> {
  for (let i = 1; i <= input; i++) yield String(i);
}

test("contracts of a feature's kind are handled and called as the feature says, beside all others", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  for (const messenger of [server, client]) portOf(messenger)!.contractKind("list", kind);
  const served = server.serve({ upTo, double }, { upTo: count, double: ({ input }) => 2 * input });
  const remote = client.client({ upTo, double }, { to: peer });
  const texts: string[] = await items(remote.upTo(3));
  assert.deepEqual(texts, ["1", "2", "3"]);
  assert.equal(await remote.double(4), 8);
  served[Symbol.dispose]();
  using _ = server.handle(upTo, function* ({ input, messenger }) {
    const own: Messenger = messenger;
    yield `${input} of ${own.instanceId}`;
  });
  assert.deepEqual(await items(remote.upTo(1)), [`1 of ${peer}`]);
  await assert.rejects(items(remote.upTo("1" as never)), { code: "PAYLOAD_INVALID" });
});

test("without the feature a contract of its kind is FEATURE_UNAVAILABLE for handlers and for clients", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const unavailable = { code: "FEATURE_UNAVAILABLE", handler: "upTo" };
  const failing = [
    () => server.handle(upTo, count),
    () => server.serve({ double, upTo }, { double: ({ input }) => input, upTo: count }),
    () => client.client({ upTo }, { to: peer }),
  ];
  for (const run of failing) assert.throws(run, unavailable);
  assert.match(thrown(failing[0]!).message, /contracts of kind "list"/);
  assert.deepEqual(Object.keys(server.stats().handlers.byHandler), []);
  const added = portOf(server)!.contractKind("list", kind);
  assert.throws(() => portOf(server)!.contractKind("list", kind), TypeError);
  assert.throws(() => portOf(server)!.contractKind("unary", kind), TypeError);
  server.handle(upTo, count)[Symbol.dispose]();
  added[Symbol.dispose]();
  assert.throws(failing[0]!, unavailable);
});

test("the patterns by their own names take no contract of another kind", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  await fails(client.typedUnary(upTo as never, { to: peer, payload: 1 } as never), { name: "TypeError" });
});

/** Types only: what neither end may do with such a contract. */
export function types(messenger: Messenger, to: Messenger["instanceId"]): void {
  const remote = messenger.client({ upTo }, { to });
  // @ts-expect-error TS2345: the input is a number
  void remote.upTo("3");
  // @ts-expect-error TS2339: it is no promise
  void remote.upTo(3).then;
  // @ts-expect-error TS2322: the items are texts
  messenger.handle(upTo, () => [1]);
  // @ts-expect-error TS2322: nor does a group take others
  messenger.serve({ upTo }, { upTo: () => [1] });
}
