/** Program of `streams_anchors_test.ts` in `test/process`: it reads and writes anchors as it is told by calls. */
import process from "node:process";
import { Messenger, unaryHandler } from "../../../src/mod.ts";
import { type Anchor, streamHandle, streams, type StreamSender } from "../../../src/streams/mod.ts";

const [endpoint] = process.argv.slice(2);
const messenger = await Messenger.create(endpoint === undefined ? {} : { endpoint });
const anchors: Anchor<unknown>[] = [];
const senders: StreamSender<unknown>[] = [];
let sent = 0;

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Makes an anchor that nobody reads until `read`. */
messenger.registerHandler(unaryHandler("anchor", () => {
  const anchor = streams(messenger).anchor({ heartbeatMs: 200 });
  anchors.push(anchor);
  return encode(String(anchor.handle));
}));

/** Reads so many items of the last anchor. */
messenger.registerHandler(unaryHandler("read", async ({ json }) => {
  const items: unknown[] = [];
  while (items.length < Number(json())) items.push((await anchors.at(-1)!.next()).value);
  return encode(items.at(-1));
}));

/** Attaches to an anchor, and sends numbers until it is told otherwise. */
messenger.registerHandler(unaryHandler("produce", async ({ json }) => {
  const sender = await streams(messenger).attach(streamHandle(String(json())));
  senders.push(sender);
  void (async () => {
    for (let i = 0;; i++) {
      await sender.send(i);
      sent++;
    }
  })().catch(() => {});
  return encode(sender.number);
}));

/** Whether the senders were told that nobody wants more, and how the anchors ended. */
messenger.registerHandler(unaryHandler("state", async () => {
  const { writers, readers, anchors: open, senders: attached } = messenger.stats().streams!;
  return encode({
    sent,
    cancelled: senders.map(({ cancelled }) =>
      (cancelled.reason as { code?: string } | undefined)?.code ?? null
    ),
    ended: await Promise.all(
      anchors.map(({ closed }) =>
        Promise.race([closed.then((end) => (end as { code?: string }).code ?? end), Promise.resolve(null)])
      ),
    ),
    left: writers + readers + open + attached,
  });
}));

console.log(`ready ${messenger.endpoint} ${messenger.instanceId}`);
