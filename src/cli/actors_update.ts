import {
  actorOf,
  actorsExits,
  actorsHelp,
  actorsOptions,
  targeted,
  withActors,
} from "./actors_connection.ts";
import { noMore, numberOf, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";

/** `zeromesh actors update`. */
export const updateCommand: Command = {
  name: "update",
  summary: "give an actor new code in place",
  help: `Usage: zeromesh actors update ACTOR DEFINITION [options]

Replaces what an actor does, between two messages. Its id, mailbox, channels and children stay, and "migrate" of the new
definition converts its state. If anything fails before that, the old code goes on.

  ACTOR                an actor's name or id
  DEFINITION           a name of the server's catalogue, or the path of a module below one of its folders
  --probation N        undo the update when so many handlers have failed
  --within MS          the time of the probation (default: 60000)
  --canary N           of a pool, update so many members first (default: 1)
  --migrate-timeout MS time for "migrate" (default: 5000)
${actorsHelp}

Examples:
  zeromesh actors update counter counter2 --connect tcp://127.0.0.1:5555
  zeromesh actors update counter counter2 --probation 1 --within 10000

${actorsExits}`,
  async run(args, io) {
    const { values, positionals: [text, to, ...more] } = parse(args, {
      ...actorsOptions,
      probation: { type: "string" },
      within: { type: "string" },
      canary: { type: "string" },
      "migrate-timeout": { type: "string" },
    });
    const actor = actorOf(text);
    if (to === undefined) throw new UsageError("DEFINITION is missing");
    noMore(more);
    if (values.within !== undefined && values.probation === undefined) {
      throw new UsageError("--within needs --probation");
    }
    const probation = values.probation === undefined ? undefined : {
      failures: numberOf("probation", values.probation, 1),
      withinMs: numberOf("within", values.within, 60_000),
    };
    const migrateTimeoutMs = numberOf("migrate-timeout", values["migrate-timeout"], 5_000);
    const canary = numberOf("canary", values.canary, 1);
    await withActors(values, io, async (actors, wait) => {
      const result = await actors.update(actor, to, { ...wait, migrateTimeoutMs, probation, canary });
      if (values.json === true) io.out(JSON.stringify(result, null, 2));
      else io.out(`updated from version ${result.fromVersion} to ${result.toVersion}`);
    });
  },
};

/** `zeromesh actors rollback`. */
export const rollbackCommand: Command = targeted({
  name: "rollback",
  summary: "undo an actor's last update",
  about: "Undoes an actor's last update. Prints the versions, and which state it has.",
  async run(actors, actor, wait) {
    const result = await actors.rollback(actor, wait);
    const { fromVersion, toVersion, state } = result;
    const which = state === "saved" ? "as it was at the update" : "converted by migrateBack";
    return {
      json: result,
      lines: [`rolled back from version ${fromVersion} to ${toVersion}; the state is ${which}`],
    };
  },
});
