/**
 * The library as a client. With several endpoints or handlers, calls alternate between them; with `cycle`, a call is an
 * event that the server triggers.
 */
import { type InstanceId, Messenger } from "zeromesh";
import { eventHandleToBytes } from "zeromesh/events";
import { runClient } from "./measure.ts";

const dialledAtOnce = 25;

await runClient(async (args) => {
  const observe = args.text("observe", "");
  // Loaded on demand, because its dependencies would count in the start and in idle memory.
  const observed = observe === "" ? {} : (await import("./observed.ts")).observedBy(observe);
  const single = args.flag("single") ? { features: { batch: false } } : {};
  const messenger = await Messenger.create({ ...single, ...observed });
  const endpoints = args.list("endpoints");
  const peers: InstanceId[] = [];
  for (let i = 0; i < endpoints.length; i += dialledAtOnce) {
    const some = endpoints.slice(i, i + dialledAtOnce);
    peers.push(...await Promise.all(some.map((one) => messenger.connect(one, { timeoutMs: 20_000 }))));
  }
  const handlers = args.number("handlers", 0);
  const names = handlers === 0 ? ["echo"] : Array.from({ length: handlers }, (_, i) => `echo${i}`);
  const first = peers[0]!;
  const called = args.flag("firstOnly") ? [first] : peers;
  let turn = 0;
  const round = (payload: Uint8Array): Promise<Uint8Array> => {
    const next = turn++;
    return messenger.unary(names[next % names.length]!, {
      to: called[next % called.length]!,
      rawPayload: payload,
    });
  };
  const direct = (payload: Uint8Array): Promise<Uint8Array> =>
    messenger.unary("echo", { to: first, rawPayload: payload });
  const cycle = async (payload: Uint8Array): Promise<Uint8Array> => {
    const event = messenger.events.newEvent();
    const triggered = messenger.events.awaiter(event.handle);
    void messenger.amSend("release", { to: first, rawPayload: eventHandleToBytes(event.handle) });
    await triggered;
    return payload;
  };
  const way = args.text("way", "");
  const special = way === "" ? null : (await import("./actors.ts")).wayOf(way, messenger, first);
  const call = called.length === 1 && handlers === 0 ? direct : round;
  return {
    call: special ?? (args.flag("cycle") ? cycle : call),
    sizeOf: (answer: Uint8Array) => answer.length,
    send: (payload) => messenger.amSend("sink", { to: first, rawPayload: payload }),
    flush: () => messenger.flush(first),
    close: () => messenger.close(),
  };
});
