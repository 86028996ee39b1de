import type { ManagedEnd, ManagementClient } from "../actors/mod.ts";
import { done, targeted } from "./actors_connection.ts";
import type { Command } from "./command.ts";
import type { Wait } from "./connection.ts";
import { oneLine } from "./output.ts";

/** `zeromesh actors stop`. */
export const stopCommand: Command = targeted({
  name: "stop",
  summary: "end an actor in order, and say how it ended",
  about:
    "Ends an actor: its running handler ends, its children stop, then it stops. Prints how it has ended.",
  async run(actors, actor, wait) {
    const end = await actors.stop(actor, wait);
    return { json: end, lines: [endText(end)] };
  },
});

const command = (
  name: "terminate" | "restart" | "pause" | "resume",
  summary: string,
  about: string,
): Command =>
  targeted({
    name,
    summary,
    about,
    run: async (actors: ManagementClient, actor: string, wait: Wait) => {
      await actors[name](actor, wait);
      return done;
    },
  });

/** `zeromesh actors terminate`. */
export const terminateCommand: Command = command(
  "terminate",
  "end an actor at once",
  "Ends an actor and its children at once, without waiting for its handler.",
);
/** `zeromesh actors restart`. */
export const restartCommand: Command = command(
  "restart",
  "give an actor a new state",
  "Gives an actor a new state by its init. Its id and the messages in its mailbox stay.",
);
/** `zeromesh actors pause`. */
export const pauseCommand: Command = command(
  "pause",
  "make an actor handle no messages",
  "Makes an actor handle no messages until it is resumed. They wait in its mailbox.",
);
/** `zeromesh actors resume`. */
export const resumeCommand: Command = command(
  "resume",
  "let a paused actor go on",
  "Lets a paused actor handle its messages again.",
);

/** An actor's end in one line. */
export function endText({ reason, error, result }: ManagedEnd): string {
  const text = error === undefined ? reason : `${reason}: ${error}`;
  return oneLine(result === undefined ? text : `${text} ${JSON.stringify(result)}`);
}
