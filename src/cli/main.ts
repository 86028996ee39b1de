#!/usr/bin/env bun
import process from "node:process";
import { errorText, ZeromeshError } from "../core/mod.ts";
import { callCommand } from "./call_command.ts";
import { type Command, CommandFailed, ExitCode, UsageError } from "./command.ts";
import { keysCommand } from "./keys_command.ts";
import { libzmqCommand } from "./libzmq_command.ts";
import { peersCommand } from "./peers_command.ts";
import { pingCommand } from "./ping_command.ts";

const commands: readonly Command[] = [peersCommand, callCommand, pingCommand, keysCommand, libzmqCommand];

const help = `Usage: zeromesh COMMAND [options]

Commands:
${commands.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`).join("\n")}

"zeromesh COMMAND --help" tells about one of them.`;

async function main(args: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    (name === undefined ? console.error : console.log)(help);
    return name === undefined ? ExitCode.usage : ExitCode.done;
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    console.error(`zeromesh: there is no command "${name}"\n\n${help}`);
    return ExitCode.usage;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(command.help);
    return ExitCode.done;
  }
  const interrupt = new AbortController();
  const onInterrupt = (): void => {
    // The second time the user means it.
    if (interrupt.signal.aborted) process.exit(ExitCode.interrupted);
    interrupt.abort();
  };
  process.on("SIGINT", onInterrupt);
  try {
    await command.run(rest, { out: console.log, error: console.error, signal: interrupt.signal });
    return ExitCode.done;
  } catch (error) {
    if (interrupt.signal.aborted) return ExitCode.interrupted;
    if (error instanceof UsageError) {
      console.error(`zeromesh ${name}: ${error.message}\n"zeromesh ${name} --help" tells more`);
      return ExitCode.usage;
    }
    if (!(error instanceof CommandFailed)) {
      const code = error instanceof ZeromeshError ? `${error.code}: ` : "";
      console.error(`zeromesh ${name}: ${code}${errorText(error)}`);
      if (
        code !== "" && errorText(error).includes("CURVE") && !rest.some((arg) => arg.startsWith("--keys"))
      ) {
        console.error('no keys were given: see --keys and --server-key; "zeromesh keys new FILE" makes keys');
      }
    }
    return ExitCode.failed;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

process.exitCode = await main(process.argv.slice(2));
// What a runtime or a library keeps open, such as a connection to a server, is of no use any more.
process.exit();
