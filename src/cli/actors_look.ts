import type { ActorStatus } from "../actors/mod.ts";
import {
  actorOf,
  actorsExits,
  actorsHelp,
  actorsOptions,
  targeted,
  withActors,
} from "./actors_connection.ts";
import { noMore, parse } from "./arguments.ts";
import type { Command } from "./command.ts";
import { oneLine } from "./output.ts";
import { intervalOf, repeat, watchOptions } from "./repeat.ts";
import { formatTable } from "./table.ts";

/** `zeromesh actors list`. */
export const listCommand: Command = {
  name: "list",
  summary: "list the actors",
  help: `Usage: zeromesh actors list [options]

Lists the actors of an instance with id, contract, version, state, and messages in their mailboxes.

  --watch              repeat until interrupted; a terminal shows one table, other outputs get one after another
  --interval MS        the time between two tables (default: 1000)
${actorsHelp}
                       with --watch each array is one line

Examples:
  zeromesh actors list --connect tcp://127.0.0.1:5555
  zeromesh actors list --connect tcp://127.0.0.1:5555 --watch
  zeromesh actors list --json | jq '.[].name'

${actorsExits}`,
  async run(args, io) {
    const { values, positionals } = parse(args, { ...actorsOptions, ...watchOptions });
    noMore(positionals);
    const intervalMs = intervalOf(values, 1_000);
    const json = values.json === true;
    await withActors(values, io, async (actors, wait) => {
      const look = () => actors.list(wait);
      if (intervalMs !== null) return await repeat(look, listLines, { intervalMs, json, io });
      const all = await look();
      if (json) return io.out(JSON.stringify(all, null, 2));
      if (all.length === 0) return io.error("the instance has no actors");
      for (const line of listLines(all)) io.out(line);
    });
  },
};

function listLines(all: readonly ActorStatus[]): string[] {
  const rows = all.map(({ id, name, contract, version, phase, queued }) =>
    [name ?? "-", id, contract, String(version), phase, String(queued)].map(oneLine)
  );
  return formatTable(["NAME", "ID", "CONTRACT", "VERSION", "STATE", "MAILBOX"], rows);
}

/** `zeromesh actors inspect`. */
export const inspectCommand: Command = targeted({
  name: "inspect",
  summary: "show an actor's status, contract and state",
  about:
    `Shows an actor's status, its contract with JSON Schemas and the module that it came from, and its state, as one
JSON document.`,
  async run(actors, actor, wait) {
    const [status, description, state] = await Promise.all([
      actors.status(actor, wait),
      actors.describe(actor, wait),
      actors.state(actor, wait),
    ]);
    const json = { status, description, state };
    return { json, lines: [JSON.stringify(json, null, 2)] };
  },
});

/** `zeromesh actors state`. */
export const stateCommand: Command = targeted({
  name: "state",
  summary: "print an actor's state as JSON",
  about: "Prints an actor's state as JSON.",
  async run(actors, actor, wait) {
    const state = await actors.state(actor, wait) ?? null;
    return { json: { state }, lines: [JSON.stringify(state, null, 2)] };
  },
});

/** `zeromesh actors metrics`. */
export const metricsCommand: Command = {
  name: "metrics",
  summary: "print the counters of the system or of one actor",
  help: `Usage: zeromesh actors metrics [ACTOR] [options]

Prints the counters of an instance's actor system, or those of one actor.

  ACTOR                an actor's name or id (default: the whole system)
${actorsHelp}

Examples:
  zeromesh actors metrics --connect tcp://127.0.0.1:5555
  zeromesh actors metrics counter --json

${actorsExits}`,
  async run(args, io) {
    const { values, positionals: [text, ...more] } = parse(args, actorsOptions);
    const actor = text === undefined ? undefined : actorOf(text);
    noMore(more);
    await withActors(values, io, async (actors, wait) => {
      const metrics = actor === undefined
        ? await actors.metrics(undefined, wait)
        : await actors.metrics(actor, wait);
      if (values.json === true) return io.out(JSON.stringify(metrics, null, 2));
      for (const line of formatTable(["COUNTER", "VALUE"], rowsOf(metrics))) io.out(line);
    });
  },
};

/** Counters with the names of the groups that they are in. */
function rowsOf(counters: object, prefix = ""): string[][] {
  return Object.entries(counters).flatMap(([name, value]) =>
    typeof value === "object" && value !== null
      ? rowsOf(value, `${prefix}${name}.`)
      : [[oneLine(`${prefix}${name}`), String(value)]]
  );
}
