/**
 * What has to compile and what must not. Nothing here runs: `npm run check` compiles it as it stands, and
 * `types_test.ts` without its `@ts-expect-error`, to see that each of them stands for the error it names.
 */
import {
  amHandler,
  type Authorize,
  type Client,
  contract,
  type HandlerContext,
  type InstanceId,
  Messenger,
  type StandardSchema,
  typedUnaryHandler,
  unaryHandler,
  ZeromeshError,
} from "zeromesh";
import { z } from "zod";

/** Exactly the same type: `any` is the same as nothing but itself. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only when the value has exactly the type `Wanted`. */
function exactly<Wanted>() {
  return <Actual>(_value: Actual, _same: Same<Actual, Wanted>): void => {};
}

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

const notify = contract("notify", { input: z.object({ at: z.number() }) });

/** Both its schemas transform: text in, `Date` for the handler; number from the handler, text out. */
const weekday = contract("weekday", {
  input: z.object({ day: z.string().transform((text) => new Date(text)), short: z.boolean().default(false) }),
  output: z.number().transform((index) => `day ${index}`),
});

export async function results(messenger: Messenger, to: InstanceId): Promise<void> {
  const { sum } = await messenger.typedUnary(add, { to, payload: { a: 3, b: 4 } });
  exactly<number>()(sum, true);
  const calc = messenger.client({ add, notify }, { to });
  const answer = await calc.add({ a: 3, b: 4 }, { timeoutMs: 1000, signal: new AbortController().signal });
  exactly<{ sum: number }>()(answer, true);
  exactly<Uint8Array>()(await messenger.unary("ping", { to, rawPayload: new Uint8Array(1) }), true);
  exactly<Promise<void>>()(messenger.amSync("notify", { to, payload: { anything: true } }), true);
  // @ts-expect-error TS2339: the answer has no such field
  answer.total;
  // @ts-expect-error TS2345: a number is no string, so the check above means something
  exactly<string>()(sum, true);
}

export async function wrongPayloads(messenger: Messenger, to: InstanceId): Promise<void> {
  // @ts-expect-error TS2322: a string is no number
  await messenger.typedUnary(add, { to, payload: { a: "3", b: 4 } });
  // @ts-expect-error TS2741: b is missing
  await messenger.typedUnary(add, { to, payload: { a: 3 } });
  // @ts-expect-error TS2353: there is no c
  await messenger.typedUnary(add, { to, payload: { a: 3, b: 4, c: 5 } });
  // @ts-expect-error TS2345: the payload is missing
  await messenger.typedUnary(add, { to });
  // @ts-expect-error TS2561: a contract says what its bytes are
  await messenger.typedUnary(add, { to, rawPayload: new Uint8Array(1) });
  // @ts-expect-error TS2322: any text is not an instance id
  await messenger.typedUnary(add, { to: "somebody", payload: { a: 3, b: 4 } });
  // @ts-expect-error TS2769: the fields of an am contract are checked too
  await messenger.amSend(notify, { to, payload: { at: "noon" } });
  const calc = messenger.client({ add }, { to });
  // @ts-expect-error TS2322: nor by a client
  await calc.add({ a: 3, b: "4" });
  // @ts-expect-error TS2339: the client has no such method
  await calc.subtract({ a: 3, b: 4 });
  // @ts-expect-error TS2353: the peer was chosen with the client
  await calc.add({ a: 3, b: 4 }, { to });
}

export async function transforming(messenger: Messenger, to: InstanceId): Promise<void> {
  messenger.handle(weekday, ({ input }) => {
    exactly<{ day: Date; short: boolean }>()(input, true);
    return input.day.getUTCDay();
  });
  exactly<string>()(await messenger.typedUnary(weekday, { to, payload: { day: "2026-01-01" } }), true);
  // @ts-expect-error TS2322: the caller gives text
  await messenger.typedUnary(weekday, { to, payload: { day: new Date() } });
  // @ts-expect-error TS2322: the handler gives a number
  messenger.handle(weekday, ({ input }) => input.day.toISOString());
}

export async function amContracts(messenger: Messenger, to: InstanceId): Promise<void> {
  exactly<void>()(await messenger.amSync(notify, { to, payload: { at: 1 } }), true);
  exactly<void>()(await messenger.amSend(notify, { to, payload: { at: 1 } }), true);
  // @ts-expect-error TS2345: it has no result
  await messenger.typedUnary(notify, { to, payload: { at: 1 } });
  // @ts-expect-error TS2345: so it has no handler with one
  typedUnaryHandler(notify, () => ({ sum: 1 }));
  const client = messenger.client({ add, notify }, { to });
  exactly<Promise<void>>()(client.notify({ at: 1 }), true);
  exactly<Promise<void>>()(client.notify.send({ at: 1 }), true);
  // @ts-expect-error TS2339: what has an answer is not sent without waiting for it
  client.add.send;
}

export function clients(messenger: Messenger, to: InstanceId): Client<{ add: typeof add }> {
  const client = messenger.client({ add }, { to });
  exactly<Client<{ add: typeof add }>>()(client, true);
  // @ts-expect-error TS2540: its methods cannot be replaced
  client.add = () => Promise.resolve({ sum: 0 });
  // @ts-expect-error TS2345: a client needs a peer
  messenger.client({ add }, {});
  const module = messenger.client({ add, version: 1, helper: () => {} }, { to });
  exactly<Client<{ add: typeof add }>>()(module, true);
  // @ts-expect-error TS2339: what is no contract is left out
  module.version;
  return client;
}

export function handlers(messenger: Messenger): void {
  messenger.handle(add, ({ input, senderInstanceId, headers, signal }) => {
    exactly<{ a: number; b: number }>()(input, true);
    exactly<InstanceId | null>()(senderInstanceId, true);
    exactly<Readonly<Record<string, string>>>()(headers, true);
    exactly<AbortSignal>()(signal, true);
    return { sum: input.a + input.b };
  });
  messenger.handle(add, ({ input }) => Promise.resolve({ sum: input.a + input.b }));
  messenger.handle(notify, ({ input }) => {
    exactly<{ at: number }>()(input, true);
  });
  // @ts-expect-error TS2322: the handler answers with a number
  messenger.handle(add, () => ({ sum: "7" }));
  // @ts-expect-error TS2345: the handler answers
  messenger.handle(add, () => {});
  // @ts-expect-error TS2322: later counts as well
  typedUnaryHandler(add, async () => await Promise.resolve({ sum: "7" }));
  // @ts-expect-error TS2322: bytes are answered with bytes
  unaryHandler("ping", () => "pong");
  amHandler(notify, ({ input }) => exactly<number>()(input.at, true));
  // @ts-expect-error TS2339: without a contract there is no input
  amHandler("notify", ({ input }) => input);
}

export async function authorizing(messenger: Messenger): Promise<void> {
  const authorize: Authorize = ({ handlerName, senderInstanceId, peerKey, headers, address }) => {
    exactly<InstanceId | null>()(senderInstanceId, true);
    exactly<string | null>()(peerKey, true);
    exactly<string | null>()(address, true);
    exactly<Readonly<Record<string, string>>>()(headers, true);
    return handlerName === "add" || new ZeromeshError("FORBIDDEN", "only add");
  };
  messenger.handle(notify, () => {}, { authorize });
  messenger.serve({ notify }, { notify: () => {} }, { authorize: async () => await Promise.resolve(true) });
  messenger.registerHandler(amHandler("am", () => {}, { authorize: () => Promise.resolve(false) }), {
    authorize,
  });
  messenger.registerHandler({ name: "object", options: { authorize }, handle: () => {} });
  // @ts-expect-error TS2322: only true, false and an error are answers
  unaryHandler("ping", () => {}, { authorize: () => "yes" });
  // @ts-expect-error TS2339: the payload is not there to be seen
  await Messenger.create({ authorize: (call) => call.payload.length > 0 });
}

export function groups(messenger: Messenger): void {
  const served = messenger.serve({ add, notify, take, version: 1, helper: () => {} }, {
    add: ({ input, messenger: own }) => {
      exactly<{ a: number; b: number }>()(input, true);
      exactly<Messenger>()(own, true);
      return { sum: input.a + input.b };
    },
    notify: ({ input }) => exactly<number>()(input.at, true),
    take: async ({ fail }) => {
      // @ts-expect-error TS2345: no such code
      fail("OUT_OF_STOK", { left: "1" });
      return await Promise.reject(fail("OUT_OF_STOCK", { left: "1" }));
    },
  }, { concurrency: 2, replace: true });
  exactly<Disposable>()(served, true);
  // @ts-expect-error TS2741: the function of notify is missing
  messenger.serve({ add, notify }, { add: () => ({ sum: 1 }) });
  // @ts-expect-error TS2353: there is no contract for that function
  messenger.serve({ add }, { add: () => ({ sum: 1 }), subtract: () => ({ sum: 1 }) });
  // @ts-expect-error TS2322: the handler answers with a number
  messenger.serve({ add }, { add: () => ({ sum: "7" }) });
  // @ts-expect-error TS2353: what is no contract has no function
  messenger.serve({ add, helper: 1 }, { add: () => ({ sum: 1 }), helper: () => {} });
  // @ts-expect-error TS2561: no such option
  messenger.serve({ add }, { add: () => ({ sum: 1 }) }, { concurency: 2 });
}

const take = contract("take", {
  input: z.number(),
  output: z.number(),
  errors: { OUT_OF_STOCK: z.object({ left: z.string().transform(Number) }), CLOSED_TODAY: null },
});

export async function declaredErrors(messenger: Messenger, to: InstanceId): Promise<void> {
  messenger.handle(take, ({ fail }) => {
    // @ts-expect-error TS2345: no such code
    fail("OUT_OF_STOK", { left: "1" });
    // @ts-expect-error TS2561: details of another shape
    fail("OUT_OF_STOCK", { lef: "1" });
    // @ts-expect-error TS2554: the code has details
    fail("OUT_OF_STOCK");
    // @ts-expect-error TS2345: the code has none
    fail("CLOSED_TODAY", { left: 1 });
    fail("CLOSED_TODAY");
    throw fail("OUT_OF_STOCK", { left: "1" }, "sold");
  });
  messenger.handle(add, ({ fail }) => {
    // @ts-expect-error TS2345: it declares no error
    throw fail("OUT_OF_STOCK");
  });
  typedUnaryHandler(take, ({ fail }) => {
    throw fail("CLOSED_TODAY", undefined, "it is Sunday");
  });
  await messenger.typedUnary(take, { to, payload: 1 }).catch((error: unknown) => {
    if (take.isError(error, "OUT_OF_STOCK")) {
      exactly<{ left: number }>()(error.details, true);
    }
    // @ts-expect-error TS2345: no such code
    take.isError(error, "TIMEOUT");
  });
}

export function messengerOfContext(messenger: Messenger): void {
  messenger.handle(add, async ({ input, messenger: own }) => {
    exactly<Messenger>()(own, true);
    const [first] = own.peers();
    if (first !== undefined) await own.availableHandlers(first.instanceId);
    await own.events.newEvent().trigger();
    await own.broadcast(notify, { payload: { at: 1 } });
    return { sum: input.a };
  });
  unaryHandler("bytes", async ({ messenger: own }) => void await own.broadcast("x"));
  amHandler("am", ({ messenger: own }) => own.peers().length);
  amHandler(notify, ({ messenger: own }) => own.peers().length);
  const named = (context: HandlerContext): number => context.messenger.peers().length;
  messenger.registerHandler({ name: "object", kind: "am", handle: named });
  messenger.registerHandler({ name: "method", handle: ({ messenger: own }) => own.peers().length });
}

export async function withoutPayload(messenger: Messenger, to: InstanceId): Promise<void> {
  const hello = contract("hello", { input: z.string().default("world"), output: z.void() });
  const ring = contract("ring", { input: z.void() });
  exactly<void>()(await messenger.typedUnary(hello, { to }), true);
  await messenger.amSend(ring, { to });
  const client = messenger.client({ hello, ring }, { to });
  await client.hello();
  await client.hello("you", { timeoutMs: 1 });
  await client.ring.send(undefined, { timeoutMs: 1 });
  // @ts-expect-error TS2345: the input is text
  await client.hello(1);
}

export function contracts(): void {
  // @ts-expect-error TS2741: what the caller sends has a schema
  contract("empty", {});
  // @ts-expect-error TS2322: a function is no schema
  contract("function", { input: (value: unknown) => value });
  // @ts-expect-error TS2322: no such encoding
  contract("encoding", { input: z.string(), encoding: "xml" });
  const own: StandardSchema<string, number> = {
    "~standard": { version: 1, vendor: "own", validate: (value) => ({ value: Number(value) }) },
  };
  exactly<"json" | "msgpack">()(contract("own", { input: own, output: own }).encoding, true);
}

export async function options(): Promise<void> {
  await using messenger = await Messenger.create({ endpoint: undefined, timeoutMs: 5 });
  exactly<string>()(messenger.endpoint, true);
  exactly<Promise<InstanceId>>()(messenger.connect(messenger.endpoint), true);
  // @ts-expect-error TS2561: a misspelt option
  await Messenger.create({ endpont: "tcp://127.0.0.1:0" });
  // @ts-expect-error TS2322: milliseconds are a number
  await Messenger.create({ timeoutMs: "5 s" });
}
