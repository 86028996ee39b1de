import { actorOf, actorsExits, actorsHelp, actorsOptions, withActors } from "./actors_connection.ts";
import { eventLine, untilAborted } from "./actors_events.ts";
import { noMore, parse } from "./arguments.ts";
import { type Command, CommandFailed, UsageError } from "./command.ts";

/** `zeromesh actors events`. */
export const eventsCommand: Command = {
  name: "events",
  summary: "print what happens to an actor, or to all",
  help: `Usage: zeromesh actors events [ACTOR] [options]

Prints a line for each start, failure, pause, restart, update and end, from now on: time, actor, number of the event, and
what has happened. Ends with the actor.

  ACTOR                an actor's name or id (default: all actors, until interrupted)
  --policy POLICY      what happens if this command is too slow: drop loses the oldest events and prints how many;
                       block makes the actors wait (default: drop)
${actorsHelp}
                       each event is one line

Examples:
  zeromesh actors events --connect tcp://127.0.0.1:5555
  zeromesh actors events counter --json | jq .type

${actorsExits}`,
  async run(args, io) {
    const { values, positionals: [text, ...more] } = parse(args, {
      ...actorsOptions,
      policy: { type: "string" },
    });
    const actor = text === undefined ? undefined : actorOf(text);
    noMore(more);
    const { policy, json } = values;
    if (policy !== undefined && policy !== "drop" && policy !== "block") {
      throw new UsageError(`--policy must be drop or block, got "${policy}"`);
    }
    await withActors(values, io, async (actors, wait) => {
      const events = await actors.events(actor, { ...wait, policy });
      for await (const event of untilAborted(events, io.signal)) {
        io.out(json === true ? JSON.stringify(event) : eventLine(event));
        if (actor !== undefined && "actor" in event && event.type === "ended") return;
      }
      io.error("the events have ended: the connection is lost, or the server has closed");
      throw new CommandFailed();
    });
  },
};
