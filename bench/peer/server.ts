/**
 * The library as a server: `echo` returns its input, `sink` counts, `release` triggers an event. With `later`, `echo`
 * returns a promise; `dispatch` selects how both run: `ordered`, or a number at a time.
 */
import { amHandler, type HandlerContext, type HandlerOptions, Messenger, unaryHandler } from "zeromesh";
import { eventHandleFromBytes } from "zeromesh/events";
import type { Arguments } from "./protocol.ts";
import { runServer } from "./measure.ts";

const echo = ({ payload }: HandlerContext): Uint8Array => payload;
const echoLater = async ({ payload }: HandlerContext): Promise<Uint8Array> => {
  await Promise.resolve();
  return payload;
};

function optionsFrom(args: Arguments): HandlerOptions {
  const dispatch = args.text("dispatch", "spawn");
  if (dispatch === "spawn") return {};
  return dispatch === "ordered" ? { dispatch: { ordered: "sender" } } : { concurrency: Number(dispatch) };
}

await runServer(async (args, receipts) => {
  const endpoint = args.text("endpoint");
  const instances = args.number("instances", 1);
  const handlers = args.number("handlers", 0);
  const options = optionsFrom(args);
  const observe = args.text("observe", "");
  const observed = observe === "" ? {} : (await import("./observed.ts")).observedBy(observe);
  const messengers = await Promise.all(
    Array.from(
      { length: instances },
      () => Messenger.create({ endpoint, maxHandlers: handlers + 64, ...observed }),
    ),
  );
  for (const messenger of messengers) {
    messenger.registerHandler(unaryHandler("echo", args.flag("later") ? echoLater : echo, options));
    messenger.registerHandler(amHandler("sink", () => receipts.count(), { dispatch: "inline", ...options }));
    messenger.registerHandler(amHandler("release", ({ payload }) => {
      void messenger.events.trigger(eventHandleFromBytes(payload));
    }));
    for (let i = 0; i < handlers; i++) {
      messenger.registerHandler(unaryHandler(`echo${i}`, echo));
    }
  }
  if (args.flag("actors")) await (await import("./actors.ts")).serveActors(messengers[0]!);
  return { endpoints: messengers.map((one) => one.endpoint), library: messengers[0]!.library.version };
});
