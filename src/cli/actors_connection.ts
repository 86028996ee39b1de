import process from "node:process";
import { ManagementClient } from "../actors/mod.ts";
import { commonHelp, commonOptions, noMore, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import { connectionOptions, type ConnectionValues, instanceOf, type Wait, withPeer } from "./connection.ts";
import type { CommandIo } from "./output.ts";

/** Options of commands about the actors of an instance. */
export const actorsOptions = {
  connect: { type: "string" },
  discovery: connectionOptions.discovery,
  timeout: connectionOptions.timeout,
  keys: connectionOptions.keys,
  "server-key": connectionOptions["server-key"],
  ...commonOptions,
} as const;

/** Their description for `--help`. */
export const actorsHelp =
  `  --connect PEER       the instance: an endpoint, or an instance id (default: the variable ZEROMESH_CONNECT)
  --discovery WHERE    finds an instance by its id, see "zeromesh peers --help" (default: local)
  --timeout MS         how long to wait for an answer (default: 5000)
  --keys FILE          your key pair ("zeromesh keys new FILE"), for instances that use CURVE
  --server-key KEY     the public key of the instance at an endpoint
${commonHelp}`;

/** The last line of `--help`. */
export const actorsExits = "Exit status: 0 done, 1 the command failed, 2 wrong usage, 130 interrupted.";

/** Parsed {@link actorsOptions}. */
export interface ActorsValues extends Omit<ConnectionValues, "connect"> {
  readonly connect?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Runs a command with a client of the instance that the options name. */
export async function withActors(
  { connect = process.env["ZEROMESH_CONNECT"], ...others }: ActorsValues,
  io: CommandIo,
  run: (actors: ManagementClient, wait: Wait) => Promise<void>,
): Promise<void> {
  if (connect === undefined || connect === "") {
    throw new UsageError("--connect PEER is missing, and the variable ZEROMESH_CONNECT is not set");
  }
  await withPeer(connect, others, io.signal, async (messenger, wait) => {
    const peer = await instanceOf(messenger, connect, others, wait);
    await run(new ManagementClient(messenger, peer), wait);
  });
}

/** The argument that names an actor. */
export function actorOf(text: string | undefined): string {
  if (text === undefined) throw new UsageError("ACTOR is missing: an actor's name or id");
  // The grammar of names and ids, and of addresses, which have the instance behind "@".
  if (/^[A-Za-z0-9][\w.:/-]{0,127}(?:@[\da-fA-F-]{36})?$/.test(text)) return text;
  throw new UsageError(`ACTOR must be an actor's name or id, got "${text}"`);
}

/** A command about one actor, without options of its own. */
export function targeted(
  { name, summary, about, run }: {
    readonly name: string;
    readonly summary: string;
    readonly about: string;
    readonly run: (actors: ManagementClient, actor: string, wait: Wait) => Promise<Told>;
  },
): Command {
  return {
    name,
    summary,
    help: `Usage: zeromesh actors ${name} ACTOR [options]

${about}

  ACTOR                an actor's name or id
${actorsHelp}

Example:
  zeromesh actors ${name} counter --connect tcp://127.0.0.1:5555

${actorsExits}`,
    async run(args, io) {
      const { values, positionals: [text, ...more] } = parse(args, actorsOptions);
      const actor = actorOf(text);
      noMore(more);
      await withActors(values, io, async (actors, wait) => {
        const { json, lines } = await run(actors, actor, wait);
        if (values.json === true) return io.out(JSON.stringify(json, null, 2));
        for (const line of lines) io.out(line);
      });
    },
  };
}

/** What a command prints: a JSON document, or lines. */
export interface Told {
  readonly json: unknown;
  readonly lines: readonly string[];
}

/** What a command without an answer prints. */
export const done: Told = { json: { done: true }, lines: [] };
