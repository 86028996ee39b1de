/** The library as a server: `echo` answers with what it got, `sink` counts, `release` triggers. */
import { amHandler, eventHandleFromBytes, Messenger, unaryHandler } from "zeromesh";
import { runServer } from "./measure.ts";

await runServer(async (args, receipts) => {
  const endpoint = args.text("endpoint");
  const instances = args.number("instances", 1);
  const handlers = args.number("handlers", 0);
  const observe = args.text("observe", "");
  const observed = observe === "" ? {} : (await import("./observed.ts")).observedBy(observe);
  const messengers = await Promise.all(
    Array.from(
      { length: instances },
      () => Messenger.create({ endpoint, maxHandlers: handlers + 64, ...observed }),
    ),
  );
  for (const messenger of messengers) {
    messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    messenger.registerHandler(amHandler("sink", () => receipts.count(), { dispatch: "inline" }));
    messenger.registerHandler(amHandler("release", ({ payload }) => {
      void messenger.events.trigger(eventHandleFromBytes(payload));
    }));
    for (let i = 0; i < handlers; i++) {
      messenger.registerHandler(unaryHandler(`echo${i}`, ({ payload }) => payload));
    }
  }
  return { endpoints: messengers.map((one) => one.endpoint), library: messengers[0]!.library.version };
});
