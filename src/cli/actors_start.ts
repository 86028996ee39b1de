import { actorsExits, actorsHelp, actorsOptions, withActors } from "./actors_connection.ts";
import type { ManagedEnd, ManagedEvent } from "../actors/mod.ts";
import { eventLine, untilAborted } from "./actors_events.ts";
import { noMore, parse } from "./arguments.ts";
import { type Command, CommandFailed, ExitCode, UsageError } from "./command.ts";
import type { CommandIo } from "./output.ts";

/** `zeromesh actors start`. */
export const startCommand: Command = {
  name: "start",
  summary: "start an actor of the server's catalogue",
  help: `Usage: zeromesh actors start DEFINITION [options]

Starts an actor and prints its id.

  DEFINITION           a name of the server's catalogue, or the path of a module below one of its folders
  --name NAME          its name, unique in the system
  --args JSON          the argument of its init
  --replace            take the name of an actor that has it, which is stopped
  --parent             print its events until its end; the exit status is its result if that is a whole number from 0
                       to 255, else 0 if it has stopped or finished, else 1; an interrupt ends the command, not the actor
${actorsHelp}
                       with --parent each event is one line

Examples:
  zeromesh actors start counter --name one --args '{"from": 5}' --connect tcp://127.0.0.1:5555
  zeromesh actors start job --parent && echo done

${actorsExits}`,
  async run(args, io) {
    const { values, positionals: [definition, ...more] } = parse(args, {
      ...actorsOptions,
      name: { type: "string" },
      args: { type: "string" },
      replace: { type: "boolean" },
      parent: { type: "boolean" },
    });
    if (definition === undefined) throw new UsageError("DEFINITION is missing");
    noMore(more);
    const { name, replace } = values;
    const given = { name, replace, args: argsOf(values.args) };
    const json = values.json === true;
    await withActors(values, io, async (actors, wait) => {
      if (values.parent === true) {
        const { events } = await actors.startWithEvents(definition, { ...given, ...wait });
        return await follow(events, json, io);
      }
      const started = await actors.start(definition, { ...given, ...wait });
      io.out(json ? JSON.stringify(started, null, 2) : started.id);
    });
  },
};

/** The value of `--args`. */
export function argsOf(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--args is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Prints an actor's events until its end, and ends the command with its result. */
async function follow(events: AsyncIterable<ManagedEvent>, json: boolean, io: CommandIo): Promise<void> {
  for await (const event of untilAborted(events, io.signal)) {
    io.out(json ? JSON.stringify(event) : eventLine(event));
    if ("actor" in event && event.end !== undefined) return endWith(event.end as ManagedEnd);
  }
  io.error("the events ended before the actor did: the connection is lost, or the server has closed");
  throw new CommandFailed();
}

/** Ends a command as an actor has ended. @throws {CommandFailed} With its exit code, unless that is 0. */
export function endWith({ reason, result }: ManagedEnd): void {
  const code = Number.isInteger(result) && Number(result) >= 0 && Number(result) <= 255
    ? Number(result)
    : reason === "finished" || reason === "stopped"
    ? ExitCode.done
    : ExitCode.failed;
  if (code !== ExitCode.done) throw new CommandFailed(code);
}
