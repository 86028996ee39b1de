#!/usr/bin/env bun
import process from "node:process";
import { errorText, libraryVersion } from "../core/mod.ts";
import { hasFlag } from "./arguments.ts";
import { actorsCommand } from "./actors_command.ts";
import { brokerCommand } from "./broker_command.ts";
import { callCommand } from "./call_command.ts";
import { channelsCommand } from "./channels_command.ts";
import { type Command, CommandFailed, ExitCode, UsageError } from "./command.ts";
import { failureJson, failureLine, keysHint, outcomeLines } from "./failure.ts";
import { handlersCommand } from "./handlers_command.ts";
import { keysCommand } from "./keys_command.ts";
import { libzmqCommand } from "./libzmq_command.ts";
import { type CommandIo, openIo, WriteFailed } from "./output.ts";
import { peersCommand } from "./peers_command.ts";
import { pingCommand } from "./ping_command.ts";

const commands: readonly Command[] = [
  peersCommand,
  handlersCommand,
  callCommand,
  pingCommand,
  actorsCommand,
  brokerCommand,
  channelsCommand,
  keysCommand,
  libzmqCommand,
];

const help = `Usage: zeromesh COMMAND [options]

Commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`).join("\n")}

  -h, --help     print this help; "zeromesh COMMAND --help" describes a command with examples
  -V, --version  print the version`;

async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  switch (name) {
    case undefined:
      io.error(help);
      return ExitCode.usage;
    case "--version":
    case "-V":
      io.out(
        hasFlag(rest, "--json") ? JSON.stringify({ version: libraryVersion }) : `zeromesh ${libraryVersion}`,
      );
      return ExitCode.done;
    case "--help":
    case "-h":
      io.out(help);
      return ExitCode.done;
    case "help":
      return await main([...rest, "--help"], io);
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    io.error(`zeromesh: there is no command "${name}"\n\n${help}`);
    return ExitCode.usage;
  }
  const verb = command.verbs?.find((one) => one.name === rest[0]);
  return verb === undefined
    ? await run(command, command.name, rest, io)
    : await run(verb, `${command.name} ${verb.name}`, rest.slice(1), io);
}

async function run(command: Command, label: string, args: readonly string[], io: CommandIo): Promise<number> {
  if (hasFlag(args, "--help", "-h")) {
    io.out(command.help);
    return ExitCode.done;
  }
  try {
    await command.run(args, io);
    return ExitCode.done;
  } catch (error) {
    return failed(command, `zeromesh ${label}`, args, error, io);
  }
}

/** Prints why a command failed. */
function failed(
  command: Command,
  label: string,
  args: readonly string[],
  error: unknown,
  io: CommandIo,
): number {
  if (error instanceof CommandFailed) return error.exitCode;
  if (error instanceof WriteFailed) throw error;
  if (io.signal.aborted) return ExitCode.interrupted;
  if (error instanceof UsageError) {
    io.error(`${label}: ${error.message}\nrun "${label} --help" for help`);
    return ExitCode.usage;
  }
  io.error(`${label}: ${failureLine(error)}`);
  if (command.callsHandlers === true) { for (const line of outcomeLines(error)) io.error(line); }
  const hint = keysHint(errorText(error), args.find((arg) => arg.startsWith("--keys")));
  if (hint !== null) io.error(hint);
  if (hasFlag(args, "--json")) io.out(JSON.stringify({ error: failureJson(error) }, null, 2));
  return ExitCode.failed;
}

const interrupt = new AbortController();
process.on("SIGINT", () => {
  // A second interrupt ends the program at once.
  if (interrupt.signal.aborted) process.exit(ExitCode.interrupted);
  interrupt.abort();
});
const io = openIo(interrupt.signal);
try {
  process.exitCode = await main(process.argv.slice(2), io);
} catch (error) {
  if (!(error instanceof WriteFailed)) throw error;
  if (!error.readerGone) io.error(`zeromesh: ${error.message}`);
  process.exitCode = ExitCode.failed;
}
// Resources that a runtime or a library keeps open, such as a connection to a server, must not delay the exit.
process.exit();
