import type { Origin, Sender } from "../cell/parts.ts";
import type { ActorOpenOptions } from "../references/actor_channel.ts";
import { ItemIterator } from "./item_iterator.ts";
import { ItemTurns, openedHandlers } from "./item_turns.ts";
import type { Receiver } from "./side.ts";

/**
 * Checks that an opener can take the channel's items as it says.
 *
 * @throws {TypeError} If callbacks are given without an actor, or without `message`.
 */
export function checkOpener(sender: Sender | null, options: ActorOpenOptions | undefined): void {
  const { message, end, close } = options ?? {};
  if (message === undefined ? end === undefined && close === undefined : sender !== null) return;
  throw new TypeError(
    sender === null
      ? "Cannot open a channel: `message`, `end` and `close` are turns of an actor; iterate over the channel"
      : "Cannot open a channel: `end` and `close` need `message`",
  );
}

/**
 * What takes the items of an opener: turns of the actor that opened the channel with `message`, and otherwise an
 * iteration.
 *
 * @param origin The target, as the sender of items.
 */
export function openerReceiver(
  sender: Sender | null,
  options: ActorOpenOptions | undefined,
  origin: Origin,
): Receiver {
  if (sender === null || options?.message === undefined) return new ItemIterator();
  return new ItemTurns(sender.cell, origin, openedHandlers(options));
}
