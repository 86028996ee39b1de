/** The server of `stream_client.ts`. Its command `memory` collects garbage and tells what is left. */
import process from "node:process";
import { amHandler, Messenger, unaryHandler } from "zeromesh";
import { Arguments, Commands, say } from "./protocol.ts";
import { chunks, flood, one, open, some, texts } from "./stream_contracts.ts";
import { memory } from "./memory.ts";

const commands = new Commands();
const messenger = await Messenger.create({ endpoint: new Arguments().text("endpoint") });
const text = "x".repeat(62);
const never = new Promise<void>(() => {});
let received = 0;
let given = 0;

async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let n = 0;
  for await (const _ of items) n++;
  return n;
}

messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
messenger.registerHandler(amHandler("sink", () => void received++, { dispatch: "inline" }));
messenger.registerHandler(unaryHandler("counts", () => {
  return new TextEncoder().encode(JSON.stringify({ received, given }));
}));
messenger.handle(one, () => text);
messenger.handle(some, async function* ({ input }) {
  for (let i = 0; i < input.n; i++) yield text;
});
messenger.handle(open, async function* () {
  yield text;
  await never;
});
messenger.handle(flood, async function* ({ input }) {
  const item = "x".repeat(input.n);
  for (given = 0;; given++) yield item;
});
messenger.handle(texts, ({ input }) => countOf(input));
messenger.handle(chunks, ({ input }) => countOf(input));
say({ type: "ready", endpoints: [messenger.endpoint], library: messenger.library.version });

for (;;) {
  if (await commands.next() === null) process.exit(0);
  say({ type: "figures", values: await memory() });
}
