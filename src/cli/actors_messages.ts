import { readFileSync } from "node:fs";
import type { ManagementClient } from "../actors/mod.ts";
import { actorOf, actorsExits, actorsHelp, actorsOptions, withActors } from "./actors_connection.ts";
import { printAnswer } from "./answer.ts";
import { noMore, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import type { Wait } from "./connection.ts";
import { readStdin } from "./stdin.ts";
import { textOf } from "./text.ts";

const messageOptions = {
  ...actorsOptions,
  file: { type: "string" },
  empty: { type: "boolean" },
} as const;

const messageHelp = `  ACTOR                an actor's name or id
  NAME                 the name of the message
  MESSAGE              JSON, or "-" to read it from standard input; for an actor without a contract any text or bytes
  --file FILE          read the message from a file
  --empty              send no value`;

/** `zeromesh actors tell`. */
export const tellCommand: Command = {
  name: "tell",
  summary: "send an actor a message without an answer",
  callsHandlers: true,
  help: `Usage: zeromesh actors tell ACTOR NAME MESSAGE [options]

Sends an actor a message. The command ends when the message is in the actor's mailbox.

${messageHelp}
${actorsHelp}

Examples:
  zeromesh actors tell counter reset '{"to": 10}' --connect tcp://127.0.0.1:5555
  zeromesh actors tell counter reset --file reset.json

${actorsExits}`,
  async run(args, io) {
    const { values, positionals } = parse(args, messageOptions);
    const message = await messageOf(positionals, values, io.signal);
    await withActors(values, io, async (actors, wait) => {
      const { actor, name } = message;
      await actors.tell(actor, name, await valueFor(message, actors, wait), wait);
      if (values.json === true) io.out(JSON.stringify({ done: true }));
    });
  },
};

/** `zeromesh actors ask`. */
export const askCommand: Command = {
  name: "ask",
  summary: "send an actor a message and print its answer",
  callsHandlers: true,
  help: `Usage: zeromesh actors ask ACTOR NAME MESSAGE [options]

Sends an actor a message and prints the answer: JSON, or the bytes of an actor without a contract.

${messageHelp}
  --raw                write the bytes of the answer of an actor without a contract as they are
${actorsHelp}
                       the document is {"answer": …}, or {"text" or "base64": …} for bytes that are no JSON

Examples:
  zeromesh actors ask counter add '{"n": 2}' --connect tcp://127.0.0.1:5555
  zeromesh actors ask resize thumbnail - --raw < photo.jpg > small.jpg

${actorsExits}`,
  async run(args, io) {
    const { values, positionals } = parse(args, { ...messageOptions, raw: { type: "boolean" } });
    if (values.raw === true && values.json === true) throw new UsageError("give either --raw or --json");
    const message = await messageOf(positionals, values, io.signal);
    await withActors(values, io, async (actors, wait) => {
      const { actor, name } = message;
      const answer = await actors.ask(actor, name, await valueFor(message, actors, wait), wait);
      const bytes = answer instanceof Uint8Array
        ? answer
        : new TextEncoder().encode(JSON.stringify(answer ?? null));
      printAnswer(bytes, values, io);
    });
  },
};

interface GivenMessage {
  readonly actor: string;
  readonly name: string;
  /** Null for no value. */
  readonly bytes: Uint8Array | null;
}

/** The message of the arguments. */
async function messageOf(
  [actor, name, text, ...more]: readonly string[],
  { file, empty }: { readonly file?: string | undefined; readonly empty?: boolean | undefined },
  signal: AbortSignal,
): Promise<GivenMessage> {
  const to = actorOf(actor);
  if (name === undefined) throw new UsageError("NAME is missing: the name of the message");
  noMore(more);
  const given = [text !== undefined, file !== undefined, empty === true].filter(Boolean).length;
  if (given === 0) throw new UsageError("MESSAGE is missing: give it, --file FILE, or --empty for no value");
  if (given > 1) throw new UsageError("give one of MESSAGE, --file and --empty");
  return { actor: to, name, bytes: empty === true ? null : await bytesOf(text, file, signal) };
}

async function bytesOf(
  text: string | undefined,
  file: string | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (text === "-" || file === "-") return await readStdin(signal);
  if (file === undefined) return new TextEncoder().encode(text);
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`--file ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The message as the actor takes it. */
async function valueFor(
  { actor, bytes }: GivenMessage,
  actors: ManagementClient,
  wait: Wait,
): Promise<unknown> {
  const about = await actors.describe(actor, wait);
  if (bytes === null) return about.bytes ? new Uint8Array() : undefined;
  return about.bytes ? bytes : jsonMessage(bytes);
}

function jsonMessage(bytes: Uint8Array): unknown {
  const text = textOf(bytes);
  try {
    if (text === null) throw new Error("it is not UTF-8");
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`MESSAGE is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
