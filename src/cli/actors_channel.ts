import { Buffer } from "node:buffer";
import type { ActorChannel, ManagementClient } from "../actors/mod.ts";
import { onAbort, ZeromeshError } from "../core/mod.ts";
import { actorOf, actorsHelp, actorsOptions, withActors } from "./actors_connection.ts";
import { untilAborted } from "./actors_events.ts";
import { noMore, numberOf, parse } from "./arguments.ts";
import { type Command, CommandFailed, pause, UsageError } from "./command.ts";
import type { Wait } from "./connection.ts";
import { type CommandIo, oneLine } from "./output.ts";
import { stdinLines } from "./stdin.ts";
import { textOf } from "./text.ts";

/** `zeromesh actors channel`. */
export const channelCommand: Command = {
  name: "channel",
  summary: "talk with an actor over a channel",
  help: `Usage: zeromesh actors channel ACTOR NAME [FIRST] [options]

Opens a channel to an actor. Each line of standard input is sent as an item, and each item of the actor is printed as a
line when it arrives, whether or not it answers one. A line is sent as JSON if it is JSON, else as a text; an actor without
a contract gets the line. An interrupt (Ctrl-C) closes the channel. At the end of standard input the command sends no
more, and closes the channel when nothing has arrived for a while.

  ACTOR                an actor's name or id
  NAME                 the name of the channel
  FIRST                the item that opens the channel, as a line
  --linger MS          how long to wait for items after the end of standard input (default: 1000)
${actorsHelp}
                       each line is {"opened"}, {"item"} or {"closed"}

Examples:
  zeromesh actors channel room talk '"Ada"' --connect tcp://127.0.0.1:5555
  printf 'hello\\nbye\\n' | zeromesh actors channel room talk Ada

Exit status: 0 the channel was closed, 1 it could not be opened or was lost, 2 wrong usage.`,
  async run(args, io) {
    const { values, positionals: [text, name, first, ...more] } = parse(args, {
      ...actorsOptions,
      linger: { type: "string" },
    });
    const actor = actorOf(text);
    if (name === undefined) throw new UsageError("NAME is missing: the name of the channel");
    noMore(more);
    const lingerMs = numberOf("linger", values.linger, 1_000);
    await withActors(values, io, async (actors, wait) => {
      const { bytes } = await actors.describe(actor, wait);
      const open = { name, first, bytes, actor };
      await talk(await opened(actors, open, wait), { bytes, lingerMs, json: values.json === true, io });
    });
  },
};

async function opened(
  actors: ManagementClient,
  { actor, name, first, bytes }: {
    readonly actor: string;
    readonly name: string;
    readonly first: string | undefined;
    readonly bytes: boolean;
  },
  wait: Wait,
): Promise<ActorChannel> {
  // The actor gets bytes, not nothing, if it has no contract.
  const item = first === undefined && !bytes ? undefined : itemOf(first ?? "", bytes);
  return await actors.open(actor, name, item, wait);
}

interface TalkOptions {
  readonly bytes: boolean;
  readonly lingerMs: number;
  readonly json: boolean;
  readonly io: CommandIo;
}

/** Sends lines and prints items until the channel ends. */
async function talk(channel: ActorChannel, { bytes, lingerMs, json, io }: TalkOptions): Promise<void> {
  const { first } = channel;
  if (json) io.out(JSON.stringify({ opened: channel.id, first: jsonItem(first) }));
  else if (first !== undefined) io.out(itemLine(first));
  const over = new AbortController();
  using _interrupted = onAbort(io.signal, () => void channel.close("interrupted"));
  void channel.closed.then(() => over.abort());
  let arrived = 0;
  const sending = (async () => {
    for await (const line of untilAborted(stdinLines(), over.signal)) {
      await channel.send(itemOf(line, bytes));
    }
    await channel.endSending();
    for (let seen = -1; seen !== arrived;) {
      seen = arrived;
      await pause(lingerMs, over.signal);
    }
    await channel.close("finished");
  })().catch(async (error: unknown) => {
    if (over.signal.aborted) return;
    await channel.close("failed");
    throw error;
  });
  sending.catch(() => {});
  try {
    for await (const item of channel) {
      arrived++;
      io.out(json ? JSON.stringify({ item: jsonItem(item) }) : itemLine(item));
    }
  } catch (error) {
    // A loss is told as the end of the channel.
    if (!(error instanceof ZeromeshError) || error.code !== "PEER_DISCONNECTED") throw error;
  }
  const end = await channel.closed;
  over.abort();
  await sending;
  if (json) io.out(JSON.stringify({ closed: end }));
  else io.error(oneLine(`closed by the ${end.closedBy}: ${end.reason}`));
  if (end.reason === "peerLost") throw new CommandFailed();
}

/** A line as an item. */
function itemOf(line: string, bytes: boolean): unknown {
  if (bytes) return new TextEncoder().encode(line);
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

function jsonItem(item: unknown): unknown {
  if (!(item instanceof Uint8Array)) return item;
  return textOf(item) ?? { base64: Buffer.from(item).toString("base64") };
}

function itemLine(item: unknown): string {
  const shown = jsonItem(item);
  return oneLine(typeof shown === "string" && item instanceof Uint8Array ? shown : JSON.stringify(shown));
}
