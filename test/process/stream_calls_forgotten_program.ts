/** Makes calls that are dropped, and others of which only a part is kept, and prints what the collector has ended. */
import { z } from "zod";
import { contract, Messenger, stream } from "../../src/mod.ts";
import { collectGarbage } from "../support/collect.ts";
import { turn } from "../support/raw_sockets.ts";
import { until } from "../support/until.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.number()) });
const upload = contract("upload", { input: stream(z.number()), output: z.number() });

await using server = await Messenger.create();
await using client = await Messenger.create({ listen: false });
const to = await client.connect(server.endpoint);
const endless = 1e9;
const reasons: unknown[] = [];
const noted = (signal: AbortSignal): void =>
  signal.addEventListener("abort", () => reasons.push((signal.reason as { code?: unknown }).code));
server.handle(generate, async function* ({ input, signal }) {
  noted(signal);
  for (let i = 0; i < input; i++) yield i;
});
server.handle(upload, async ({ input, signal }) => {
  noted(signal);
  return (await Array.fromAsync(input)).length;
});
const remote = client.client({ generate, upload }, { to });
const running = (name: string): number => server.stats().handlers.byHandler[name]?.inFlight ?? 0;

/** Calls that nobody can read or end any more. */
function forget(): void {
  for (let i = 0; i < 10; i++) {
    remote.generate(endless);
    remote.generate(100);
    void remote.upload().send(1);
  }
}

/** Parts of calls, whose objects nobody refers to. */
function keep() {
  const numbers = async function* (): AsyncGenerator<number> {
    for (let i = 0; i < 5; i++) {
      yield i;
      // The call must outlive collections while it waits for its next item.
      collectGarbage();
      await turn();
    }
  };
  const items = remote.generate(endless)[Symbol.asyncIterator]();
  const { closed } = remote.generate(100);
  const { result } = remote.upload(numbers());
  const ended = remote.upload();
  void ended.send(1);
  void ended.end();
  void remote.upload(numbers());
  return { items, closed, result };
}

const { items, closed, result } = keep();
await items.next();
forget();
await until(() => running("generate") >= 11 && running("upload") >= 10);
// A collector may take what still lies on the stack for used.
await until(() => {
  collectGarbage();
  return client.stats().streams!.forgotten >= 24;
}, { intervalMs: 20, timeoutMs: 20_000, message: () => JSON.stringify(client.stats().streams) });
await until(() => running("generate") <= 4 && running("upload") <= 4);
const uploaded = await result;
const kept = (await items.next()).value;
await items.return!();
await until(() => server.stats().handlers.byHandler.upload!.succeeded >= 3);
const codes = [...new Set(reasons)];
console.log(JSON.stringify({ uploaded, kept, closed: await closed, codes }));
