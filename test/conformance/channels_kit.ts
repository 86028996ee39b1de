/** What tests of channels share: an actor that answers, and ways to read a channel. */
import { z } from "zod";
import { actor, type ActorChannel, actorContract } from "../../src/actors/mod.ts";
import { within } from "../support/until.ts";

/** A kind of channel whose items are answered. */
export const Feed = actorContract("feed", {
  tell: { note: z.string() },
  ask: { said: { input: z.null(), output: z.array(z.string()) } },
  channel: { feed: { fromOpener: z.string(), toOpener: z.union([z.number(), z.string()]) } },
});

/** What the actor notes, and what the text `wait` waits for. */
export interface FeedState {
  readonly said: string[];
  release: Promise<void>;
}

/** Answers each text with its length, and notes what happens. Some texts are commands. */
export const feedDefinition = actor(Feed, {
  init: (release?: Promise<void>): FeedState => ({ said: [], release: release ?? Promise.resolve() }),
  tell: { note: (ctx, text) => void ctx.state.said.push(text) },
  ask: { said: (ctx) => ctx.state.said },
  channel: {
    feed: {
      open(ctx, ch, first) {
        if (first === "throw") throw new Error("no paper");
        if (first === "wrong") return ch.accept({} as never);
        if (first === "silent") return;
        if (first !== "hi") return ch.reject("say hi");
        ctx.state.said.push(`open by ${String(ch.opener)}`);
        const channel = ch.accept("welcome");
        void channel.send("right after");
        return channel;
      },
      async message(ctx, ch, text) {
        if (text === "wait") await ctx.state.release;
        if (text === "fail") throw new Error("broken");
        ctx.state.said.push(text);
        if (text === "bye") return await ch.close("you said bye");
        await ch.send(text.length);
      },
      end: (ctx, ch) => {
        ctx.state.said.push("end");
        return ch.send("last");
      },
      close: (ctx, _ch, { closedBy, reason }) => void ctx.state.said.push(`closed by ${closedBy}: ${reason}`),
    },
  },
});

/** All items until the iteration ends. */
export async function all<T>(channel: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of channel) items.push(item);
  return items;
}

/** The next item of an iteration that goes on. */
export function reader<T>(channel: ActorChannel<never, T>): () => Promise<T | undefined> {
  const items = channel[Symbol.asyncIterator]();
  return async () => (await within(items.next(), 5_000)).value as T | undefined;
}
