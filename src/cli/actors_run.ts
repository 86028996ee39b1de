import { basename, extname, resolve } from "node:path";
import { statSync } from "node:fs";
import { ActorSystem, type ManagedEnd, serveManagement } from "../actors/mod.ts";
import { errorText, onAbort } from "../core/mod.ts";
import { Messenger } from "../mod.ts";
import { eventLine, untilAborted } from "./actors_events.ts";
import { argsOf, endWith } from "./actors_start.ts";
import { commonHelp, commonOptions, noMore, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import { oneLine } from "./output.ts";
import { maxFolders, watchModule } from "./watch_module.ts";

/** `zeromesh actors run`. */
export const runCommand: Command = {
  name: "run",
  summary: "run an actor's module; --watch updates it on save",
  help: `Usage: zeromesh actors run FILE [options]

Runs the actor that a module exports as its default, in this process, and serves management, so that the other commands
reach it. Prints the endpoint, then what happens to actors. Ends with the actor, and with an interrupt (Ctrl-C), which
stops it.

  FILE                 the module
  --watch              update the actor in place when FILE, or a source file in a folder of what it reaches by relative
                       imports, is saved (at most ${maxFolders} folders); the old code goes on if that fails
  --name NAME          the actor's name (default: the name of the file)
  --args JSON          the argument of its init
  --endpoint ENDPOINT  where to listen (default: tcp://127.0.0.1:0, a free port of this host only)
${commonHelp}
                       each line is {"listening", "actor"} or an event

Examples:
  zeromesh actors run counter.ts --watch
  zeromesh actors run counter.ts --endpoint ipc:///tmp/counter --args '{"from": 5}'

Exit status: the actor's result if that is a whole number from 0 to 255; 0 if the actor was stopped or has finished,
1 if it has failed or could not be started, 2 wrong usage.`,
  async run(args, io) {
    const { values, positionals: [file, ...more] } = parse(args, {
      ...commonOptions,
      watch: { type: "boolean" },
      name: { type: "string" },
      args: { type: "string" },
      endpoint: { type: "string" },
    });
    if (file === undefined) throw new UsageError("FILE is missing");
    noMore(more);
    const module = moduleOf(file);
    const actorArgs = argsOf(values.args);
    const json = values.json === true;
    const entry = basename(file, extname(file));
    const { name = entry, endpoint = "tcp://127.0.0.1:0" } = values;

    await using messenger = await Messenger.create({ endpoint });
    await using system = await ActorSystem.create(messenger);
    await using server = serveManagement(system, { catalogue: { [entry]: module } });
    const events = system.events();
    const { id } = await server.handle({ command: "start", definition: entry, name, args: actorArgs });
    const update = async (): Promise<void> => {
      try {
        await server.handle({ command: "update", target: id, to: entry });
      } catch (error) {
        io.error(oneLine(`the update failed, the old code goes on: ${errorText(error)}`));
      }
    };
    const warn = (text: string): void => io.error(oneLine(text));
    using _watching = values.watch === true ? await watchModule(module, update, warn) : null;
    io.out(
      json
        ? JSON.stringify({ listening: messenger.endpoint, actor: id })
        : `listening on ${messenger.endpoint}`,
    );
    // Closing waits for it, so that the actor's onStop has run.
    using _interrupted = onAbort(io.signal, () => void system.stop(id).catch(() => {}));
    for await (const event of untilAborted(events, new AbortController().signal)) {
      if (event.type === "dropped" || event.type === "updateFailed") continue;
      const shown = event.type === "ended" ? { ...event, end: ended(event.end) } : event;
      io.out(json ? JSON.stringify(shown) : eventLine(shown));
      if (event.type === "ended" && event.actor === id) return endWith(ended(event.end));
    }
  },
};

/** The absolute path of a file that exists. */
function moduleOf(file: string): string {
  const module = resolve(file);
  if (statSync(module, { throwIfNoEntry: false })?.isFile() === true) return module;
  throw new UsageError(`FILE must be a module, and there is no file ${module}`);
}

/** An end with the text of its error. */
function ended({ reason, error, result }: { reason: string; error?: unknown; result?: unknown }): ManagedEnd {
  return { reason, error: error === undefined ? undefined : errorText(error), result };
}
