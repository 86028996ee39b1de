import type { ActorTree } from "../actors/mod.ts";
import { actorsExits, actorsHelp, actorsOptions, withActors } from "./actors_connection.ts";
import { noMore, parse } from "./arguments.ts";
import type { Command } from "./command.ts";
import { oneLine } from "./output.ts";
import { intervalOf, repeat, watchOptions } from "./repeat.ts";
import { formatTable } from "./table.ts";

/** `zeromesh actors tree`. */
export const treeCommand: Command = {
  name: "tree",
  summary: "show the actors below those that started them",
  help: `Usage: zeromesh actors tree [options]

Shows the actors of an instance below those that started them, with state, messages in the mailbox (and senders that wait
for room, as "+N"), restarts, and the number of children.

  --watch              repeat until interrupted; a terminal shows one tree, other outputs get one after another
  --interval MS        the time between two trees (default: 1000)
${actorsHelp}
                       with --watch each tree is one line

Example:
  zeromesh actors tree --connect tcp://127.0.0.1:5555 --watch

${actorsExits}`,
  async run(args, io) {
    const { values, positionals } = parse(args, {
      ...actorsOptions,
      ...watchOptions,
    });
    noMore(positionals);
    const intervalMs = intervalOf(values, 1_000);
    const json = values.json === true;
    await withActors(values, io, async (actors, wait) => {
      const look = () => actors.tree(wait);
      if (intervalMs !== null) return await repeat(look, treeLines, { intervalMs, json, io });
      const tree = await look();
      if (json) return io.out(JSON.stringify(tree, null, 2));
      if (tree.length === 0) return io.error("the instance has no actors");
      for (const line of treeLines(tree)) io.out(line);
    });
  },
};

function treeLines(actors: readonly ActorTree[]): string[] {
  const header = ["ACTOR", "STATE", "MAILBOX", "RESTARTS", "CHILDREN"];
  return formatTable(header, actors.flatMap((actor) => rowsOf(actor, "", "")));
}

/** The rows of an actor and those below it. */
function rowsOf(actor: ActorTree, first: string, others: string): string[][] {
  const { id, name, phase, queued, waiting, restarts, children } = actor;
  const mailbox = waiting === 0 ? String(queued) : `${queued} +${waiting}`;
  const row = [
    oneLine(`${first}${name ?? id}`),
    oneLine(phase),
    mailbox,
    String(restarts),
    String(children.length),
  ];
  const below = children.flatMap((child, index) =>
    index === children.length - 1
      ? rowsOf(child, `${others}└─ `, `${others}   `)
      : rowsOf(child, `${others}├─ `, `${others}│  `)
  );
  return [row, ...below];
}
