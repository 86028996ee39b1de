import {
  pauseCommand,
  restartCommand,
  resumeCommand,
  stopCommand,
  terminateCommand,
} from "./actors_control.ts";
import { inspectCommand, listCommand, metricsCommand, stateCommand } from "./actors_look.ts";
import { askCommand, tellCommand } from "./actors_messages.ts";
import { startCommand } from "./actors_start.ts";
import { treeCommand } from "./actors_tree.ts";
import { channelCommand } from "./actors_channel.ts";
import { eventsCommand } from "./actors_events_command.ts";
import { runCommand } from "./actors_run.ts";
import { rollbackCommand, updateCommand } from "./actors_update.ts";
import { type Command, UsageError } from "./command.ts";

const verbs: readonly Command[] = [
  listCommand,
  treeCommand,
  inspectCommand,
  stateCommand,
  metricsCommand,
  startCommand,
  stopCommand,
  terminateCommand,
  restartCommand,
  pauseCommand,
  resumeCommand,
  updateCommand,
  rollbackCommand,
  tellCommand,
  askCommand,
  channelCommand,
  eventsCommand,
  runCommand,
];

/** `zeromesh actors`. */
export const actorsCommand: Command = {
  name: "actors",
  summary: "see and command the actors of an instance",
  help: `Usage: zeromesh actors COMMAND --connect PEER [options]

Sees and commands the actors of an instance that serves management (serveManagement).

Commands:
${verbs.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join("\n")}

"zeromesh actors COMMAND --help" describes a command with examples. The variable ZEROMESH_CONNECT is the default of
--connect.`,
  verbs,
  // deno-lint-ignore require-await -- as all commands
  async run(args) {
    const [name] = args;
    throw new UsageError(
      name === undefined ? "COMMAND is missing" : `there is no command "actors ${name}"`,
    );
  },
};
