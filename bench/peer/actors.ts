/** Actors, and the handlers that they are compared with: the same work by messages of both kinds. */
import { amHandler, contract, type InstanceId, type Messenger } from "zeromesh";
import {
  actor,
  actorContract,
  actorRef,
  ActorSystem,
  ManagementClient,
  serveManagement,
} from "zeromesh/actors";
import { z } from "zod";

const text = z.string();
const Echo = contract("echoText", { input: text, output: text });
const Sink = contract("sinkText", { input: text });
const Worker = actorContract("worker", {
  tell: { sink: text },
  ask: { echo: { input: text, output: text } },
});

/** Serves both. */
export async function serveActors(messenger: Messenger): Promise<void> {
  messenger.handle(Echo, ({ input }) => input);
  messenger.handle(Sink, () => {}, { dispatch: "inline" });
  // It reads its bytes, which a tell gives to its handler.
  messenger.registerHandler(amHandler("sinkNow", ({ payload }) => void payload, { dispatch: "inline" }));
  const system = await ActorSystem.create(messenger);
  const worker = actor(Worker, {
    init: () => null,
    tell: { sink: () => {} },
    ask: { echo: (_context, input) => input },
  });
  const bytes = actor({
    init: () => null,
    tell: { sink: () => {} },
    ask: { echo: (_context, input) => input },
  });
  await system.spawn(worker, { name: "worker" });
  await system.spawn(bytes, { name: "bytes" });
  serveManagement(system);
}

/** Sends a payload and waits for its answer or its confirmation; resolves to the payload. */
export type Way = (payload: Uint8Array) => Promise<Uint8Array>;

/** The measured kind of message. */
export type WayName =
  | "typedUnary"
  | "ask"
  | "amSync"
  | "amSyncBytes"
  | "tell"
  | "tellBytes"
  | "unary"
  | "askBytes"
  | "managed";

/** A way by its name. */
export function wayOf(name: string, messenger: Messenger, to: InstanceId): Way {
  const worker = actorRef(messenger, Worker, `worker@${to}`);
  const bytes = actorRef(messenger, actor({ init: () => null }).contract, `bytes@${to}`);
  const managed = new ManagementClient(messenger, to);
  let known = new Uint8Array();
  let said = "";
  // As JSON it has as many bytes as the payload.
  const textFor = (payload: Uint8Array): string => {
    if (known !== payload) [known, said] = [payload as typeof known, "x".repeat(payload.length - 2)];
    return said;
  };
  const ways: Record<WayName, Way> = {
    typedUnary: async (payload) => {
      await messenger.typedUnary(Echo, { to, payload: textFor(payload) });
      return payload;
    },
    ask: async (payload) => {
      await worker.ask("echo", textFor(payload));
      return payload;
    },
    amSync: async (payload) => {
      // With the same schema as a tell.
      await messenger.amSync(Sink, { to, payload: textFor(payload) });
      return payload;
    },
    tell: async (payload) => {
      await worker.tell("sink", textFor(payload));
      return payload;
    },
    amSyncBytes: async (payload) => {
      await messenger.amSync("sinkNow", { to, rawPayload: payload });
      return payload;
    },
    tellBytes: async (payload) => {
      await bytes.tell("sink", payload);
      return payload;
    },
    unary: (payload) => messenger.unary("echo", { to, rawPayload: payload }),
    managed: async (payload) => {
      await managed.ask("worker", "echo", textFor(payload));
      return payload;
    },
    askBytes: (payload) => bytes.ask("echo", payload),
  };
  const way = ways[name as WayName];
  if (way === undefined) throw new TypeError(`There is no way "${name}"`);
  return way;
}
