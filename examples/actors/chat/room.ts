/** A room: it tells what each guest says to all guests. */
import { actor, actorContract, type ServedChannel } from "zeromesh/actors";
import { z } from "zod";

/** A line of the conversation; the room itself says who comes and goes. */
const Line = z.object({ from: z.string(), text: z.string() });

/** A channel for each guest, opened with the guest's name. */
export const Room = actorContract("room", { channel: { talk: { fromOpener: z.string(), toOpener: Line } } });

interface Guest {
  readonly name: string;
  readonly channel: ServedChannel<z.infer<typeof Line>>;
}

export default actor(Room, {
  init: () => ({ guests: new Map<string, Guest>() }),
  channel: {
    talk: {
      open: ({ state: { guests } }, channel, name) => {
        if (name === undefined || name === "") return channel.reject("say who you are");
        if ([...guests.values()].some((guest) => guest.name === name)) {
          return channel.reject(`${name} is here`);
        }
        guests.set(channel.id, { name, channel: channel.accept() });
        say(guests, "room", `${name} comes`);
      },
      message: ({ state: { guests } }, channel, text) => {
        const guest = guests.get(channel.id);
        if (guest !== undefined) say(guests, guest.name, text);
      },
      close: ({ state: { guests } }, channel) => {
        const guest = guests.get(channel.id);
        if (!guests.delete(channel.id) || guest === undefined) return;
        say(guests, "room", `${guest.name} goes`);
      },
    },
  },
});

function say(guests: ReadonlyMap<string, Guest>, from: string, text: string): void {
  for (const { channel } of guests.values()) {
    // A guest that does not listen loses lines, and makes nobody wait.
    channel.send({ from, text }).catch(() => {});
  }
}
